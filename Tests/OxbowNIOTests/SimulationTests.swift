import OxbowCore
import OxbowTesting
import Testing

/// The simulation of whole hosts: that it repeats, that its checks find what they are for, and a share of its runs.
/// `make simulate` does the rest.
@Suite struct SimulationTests {
    @Test("A seed gives the same events at the same times, whenever it runs; another seed gives others")
    func repeats() {
        var hashes: Set<UInt64> = []
        for seed in UInt64(1)...30 {
            let runs = (0..<2).map { _ in SimulationRun(.random(seed)) }
            for run in runs { _ = run.execute() }
            #expect(runs[0].trace.hash == runs[1].trace.hash, "seed \(seed)")
            #expect(runs[0].trace.count == runs[1].trace.count && runs[0].events > 0)
            hashes.insert(runs[0].trace.hash)
        }
        #expect(hashes.count == 30)
    }

    @Test("Each standard scenario moves its stream and loses nothing; all of them are different")
    func scenarios() {
        let suite = SimulationSuite()
        for entry in suite.entries {
            #expect(entry.violations.isEmpty, "\(entry.scenario.plan.name): \(entry.violations)")
            #expect(entry.events > 8 && entry.counts.clean == 2)
        }
        #expect(Set(suite.entries.map(\.scenario.plan.name)).count == suite.entries.count)
        #expect(suite.points > 50_000)
    }

    @Test("A share of the single-fault points")
    func points() {
        let suite = SimulationSuite()
        for point in stride(from: 0, to: suite.points, by: 509) { expectNothingViolated(suite.plan(point)) }
        #expect(suite.plan(suite.points) == nil)
    }

    @Test("A share of the random seeds")
    func seeds() {
        var counts = SimulationCounts()
        for seed in UInt64(1)...150 { counts += expectNothingViolated(.random(seed)) }
        #expect(counts.completed > 50 && counts.faults > 50 && counts.clean > 100 && counts.aborted > 10)
        #expect(counts.pruned > 0 && counts.denied > 0)
    }

    @discardableResult
    private func expectNothingViolated(_ plan: SimulationPlan?) -> SimulationCounts {
        guard let plan else { return SimulationCounts() }
        let run = SimulationRun(plan)
        let violations = run.execute()
        #expect(violations.isEmpty, "\(plan.name) \(plan.faults): \(violations)")
        return run.counts
    }

    // MARK: The checks

    typealias Property = SimulationViolation.Property
    typealias Script = SimulationPlan.SideScript

    private func violated(by plan: SimulationPlan) -> Set<Property> {
        Set(SimulationRun(plan).execute().map(\.property))
    }

    private func plan(_ lie: SimulationPlan.Lie?) -> SimulationPlan {
        let script = Script(total: 30_000, chunk: 5_000, step: .milliseconds(20))
        var plan = SimulationPlan(
            "lie", lines: [.init(delay: .milliseconds(10)), .init(delay: .milliseconds(20))],
            streams: [.init(opener: 0, script, script)])
        plan.lie = lie
        if lie == .narrowBound { plan.streams[0].acceptorScript.startsReading = .milliseconds(150) }
        if lie == .lateReset { plan.streams[0].openerScript.resets = .milliseconds(50) }
        return plan
    }

    @Test(
        "What an application or a peer does wrong on purpose is found",
        arguments: [
            (SimulationPlan.Lie.alteredByte, Property.p1), (.shortCount, .p2), (.secretReset, .p3),
            (.silentAcceptor, .p8), (.silentAcceptor, .p4), (.keptStream, .p7), (.secretCut, .p3), (.lateReset, .p6),
            (.secretMove, .p9), (.narrowBound, .p10),
        ])
    func lies(_ lie: SimulationPlan.Lie, _ property: Property) {
        #expect(violated(by: plan(lie)).contains(property))
        #expect(violated(by: plan(nil)).isEmpty, "without the lie there is nothing to find")
    }

    @Test("Each lie is tried")
    func liesAreTried() {
        #expect(SimulationPlan.Lie.allCases.count == 9)
    }

    @Test(
        "A fault of each kind strikes: the stream on that line fails, or waits until it heals",
        arguments: SimulationFault.Kind.allCases)
    func faultsStrike(_ kind: SimulationFault.Kind) {
        var plan = plan(nil)
        let calm = SimulationRun(plan)
        #expect(calm.execute().isEmpty && calm.counts.aborted == 0)
        plan.faults = [SimulationFault(kind, on: 0, at: .time(.milliseconds(50)))]
        let run = SimulationRun(plan)
        #expect(run.execute().isEmpty)
        #expect(run.counts.faults == 1)
        switch kind {
        case .pause, .stall: #expect(run.counts.clean == 2 && run.counts.virtualTime > calm.counts.virtualTime)
        default: #expect(run.counts.aborted > 0)
        }
    }
}
