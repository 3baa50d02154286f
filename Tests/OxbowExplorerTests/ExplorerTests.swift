import OxbowExplorer
import OxbowSeeds
import Testing

/// Two and three machines through every interleaving (rules SM-L*, SM-M*, SM-F*; properties P1 to P11), in worlds that are
/// short enough for each run of the tests. The wide ones: `make model-check`.
@Suite struct ExplorerTests {
    @Test(arguments: Plan.tests)
    func everyInterleaving(plan: Plan) {
        let outcome = Walk(plan).exhaust()
        #expect(outcome.counterexample == nil, "\(outcome.counterexample?.description ?? "")")
        #expect(!outcome.isCut && outcome.tally.completed > 0 && outcome.tally.rests > 0)
        #expect((outcome.tally.failed > 0) == (plan.faults > 0), "a fault fails an attempt, and nothing else does")
    }

    @Test(arguments: Mutant.allCases)
    func mutantIsCaught(mutant: Mutant) {
        let found = Plan.plans(for: mutant).compactMap { Walk($0).shortestCounterexample().counterexample }
        #expect(!found.isEmpty, "\(mutant) is not caught")
    }

    @Test func randomWalks() {
        for seed in UInt64(0)..<100 {
            let outcome = Walk(Plan.random(seed: seed)).wander(seed: seed)
            #expect(outcome.isPassed, "\(outcome.counterexample?.description ?? "")")
        }
    }

    @Test func aFailingSeedReplays() throws {
        let plan = try #require(Plan.plans(for: .finNotHeld).first)
        let seed = try #require((UInt64(0)..<1_000).first { Walk(plan).wander(seed: $0).counterexample != nil })
        let (one, other) = (Walk(plan).wander(seed: seed), Walk(plan).wander(seed: seed))
        #expect(one.counterexample?.path == other.counterexample?.path)
    }

    /// Depth first and breadth first go through the same states: neither order, nor the second walk, hides one.
    @Test func bothOrdersSeeTheSameStates() {
        let plan = Plan("glare") {
            $0.bytes = [0, 0]
            $0.attempts = [1, 1]
        }
        let (deep, broad) = (Walk(plan).exhaust(), Walk(plan).shortestCounterexample())
        #expect(deep.states == broad.states && deep.steps == broad.steps && broad.counterexample == nil)
    }

    @Test func aWalkThatIsCutHasNotPassed() {
        let outcome = Walk(Plan("cut"), limit: 100).exhaust()
        #expect(outcome.isCut && !outcome.isPassed)
    }

    @Test func fingerprintsAreASet() {
        var fingerprints = Fingerprints(capacity: 4)
        var random = SplitMix64(seed: 1)
        let numbers = (0..<10_000).map { _ in random.next() } + [0, .max]
        let isNew = numbers.map { fingerprints.insert($0) }
        let isStillNew = numbers.map { fingerprints.insert($0) }
        // 0 and 1 count as one number; 1 isn't there.
        #expect(!isNew.contains(false) && !isStillNew.contains(true) && fingerprints.count == numbers.count)
    }

    // MARK: Connections

    @Test(arguments: PathsPlan.tests)
    func everyOrderOfConnections(plan: PathsPlan) {
        let outcome = Walk(plan).exhaust()
        #expect(outcome.counterexample == nil, "\(outcome.counterexample?.description ?? "")")
        #expect(!outcome.isCut && outcome.tally.closed > 0 && outcome.tally.rests > 0)
        #expect((outcome.tally.completed > 0) == !plan.streams.isEmpty)
    }

    /// Those with short counterexamples; all of them: `make model-check`.
    @Test(arguments: [
        PathsMutant.ownRanking, .confirmedAtOnce, .closesAtGoAway, .refusesLate, .ignoresGoAway, .lateOpenFails,
        .givesUpLast, .grantsDowngrades, .lateStreamStays,
    ])
    func mutantOfConnectionsIsCaught(mutant: PathsMutant) throws {
        let plan = try #require(PathsPlan.plans(for: mutant).first)
        let counterexample = try #require(Walk(plan).shortestCounterexample().counterexample)
        #expect(counterexample.description.hasPrefix("CS-") && counterexample.description.contains("    ║"))
    }

    // MARK: The tools

    @Test func aCounterexampleIsDrawn() throws {
        let plan = try #require(Plan.plans(for: .noTaint).first)
        let counterexample = try #require(Walk(plan).shortestCounterexample().counterexample)
        let chart = counterexample.description
        #expect(counterexample.violation.property == .p2)
        #expect(chart.contains("── Migrate(2, from 0) ─") && chart.contains("► ║") && chart.contains("✗ P2"))
        let lines = chart.split(separator: "\n").filter { $0.hasPrefix("    ║") }
        let widths = Set(lines.map { line in line.prefix(1 + (line.map(\.self).lastIndex(of: "║") ?? 0)).count })
        #expect(widths.count == 1, "the lines of life are straight")
    }
}
