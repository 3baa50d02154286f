import Dispatch
import Foundation
import OxbowCore
import OxbowTesting
import Synchronization

/// Runs many plans on several threads, one world on each.
final class SimulationBench: Sendable {
    private let suite: SimulationSuite
    private let every: Int
    private let points: Int
    private let seeds: Int
    private let firstSeed: UInt64
    private let faults: Int
    private let next = Atomic(0)
    private let results = Mutex(Results())
    private let started = ContinuousClock.now

    private struct Results {
        var done = 0
        var counts = SimulationCounts()
        var failures: [String] = []
        var failed = 0
        var pointSeconds: Double?
        var reportedAt = ContinuousClock.now
    }

    /// Each run of so many is made twice, and has to give the same events.
    private static let repeated = 64
    /// How many failures are printed in full.
    private static let printed = 20

    init(suite: SimulationSuite, every: Int, points: Int, seeds: Int, firstSeed: UInt64, faults: Int) {
        (self.suite, self.every, self.points, self.seeds) = (suite, every, points, seeds)
        (self.firstSeed, self.faults) = (firstSeed, faults)
    }

    private var total: Int { points + seeds }

    func run(jobs: Int) -> SimulationSummary {
        for entry in suite.entries {
            results.withLock { $0.counts += entry.counts }
            guard !entry.violations.isEmpty else { continue }
            fail("\(entry.scenario.plan.name), without a fault: \(entry.violations.map(\.description))")
        }
        DispatchQueue.concurrentPerform(iterations: jobs) { job in
            while let (index, plan) = take() {
                CrashReporter.begin(job, index < points ? -(index * every) - 1 : Int(plan.seed))
                runOne(plan, index)
            }
        }
        return results.withLock { results in
            SimulationSummary(
                scenarios: suite.entries.count, points: points, seeds: seeds, failed: results.failed,
                counts: results.counts, seconds: (ContinuousClock.now - started) / .seconds(1),
                pointSeconds: results.pointSeconds ?? 0)
        }
    }

    /// Single-fault points first, then seeds.
    private func take() -> (index: Int, plan: SimulationPlan)? {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < total else { return nil }
        if index < points { return suite.plan(index * every).map { (index, $0) } }
        return (index, .random(firstSeed + UInt64(index - points), maximumFaults: faults))
    }

    private func runOne(_ plan: SimulationPlan, _ index: Int) {
        let run = SimulationRun(plan)
        let violations = run.execute()
        if !violations.isEmpty {
            let again = SimulationRun(plan, keepsTrace: true)
            let repeated = again.execute()
            var text = SimulationReport.text(plan, again, violations)
            if again.trace.hash != run.trace.hash { text += "\n(the second run differs: \(repeated))" }
            fail(text + "\nreplay: oxbow-simulate " + replay(index))
        } else if index % Self.repeated == 0 {
            let again = SimulationRun(plan)
            _ = again.execute()
            if again.trace.hash != run.trace.hash { fail("\(plan.name) doesn't repeat: \(replay(index))") }
        }
        results.withLock { results in
            results.done += 1
            results.counts += run.counts
            if index < points, results.done >= points, results.pointSeconds == nil {
                results.pointSeconds = (ContinuousClock.now - started) / .seconds(1)
            }
            guard ContinuousClock.now - results.reportedAt > .seconds(5) else { return }
            results.reportedAt = .now
            let rate = Double(results.done) / ((results.reportedAt - started) / .seconds(1))
            let text = "\(results.done) of \(total) runs, \(Int(rate)) a second, \(results.failed) failed\n"
            FileHandle.standardError.write(Data(text.utf8))
        }
    }

    private func replay(_ index: Int) -> String {
        index < points
            ? "--point \(index * every)" : "--seed \(firstSeed + UInt64(index - points)) --faults \(faults)"
    }

    private func fail(_ text: String) {
        let isPrinted = results.withLock { results in
            results.failed += 1
            return results.failed <= Self.printed
        }
        if isPrinted { print(text) }
    }
}

/// The text of one run.
enum SimulationReport {
    static func text(_ plan: SimulationPlan, _ run: SimulationRun, _ violations: [SimulationViolation]) -> String {
        var text = "===== \(plan.name) =====\n"
        for (index, line) in plan.lines.enumerated() {
            text += "line \(index): \(line.security), there \(describe(line.there)), back \(describe(line.back))\n"
        }
        for (index, stream) in plan.streams.enumerated() {
            text += "stream \(index), opened by host \(stream.opener): \(stream.openerScript)\n"
            text += "    the other side: \(stream.acceptorScript)\n"
        }
        text += "pruning: \(plan.pruning); faults: \(plan.faults)\n"
        text += run.trace.lines.joined(separator: "\n")
        text += "\n\(run.trace.count) events, trace \(String(run.trace.hash, radix: 16))\n"
        return text + violations.map { "VIOLATED \($0)" }.joined(separator: "\n")
    }

    private static func describe(_ conditions: LineConditions) -> String {
        "\(conditions.delay) + \(conditions.jitter), \(conditions.perKiB) a KiB\(conditions.splits ? ", split" : "")"
    }
}
