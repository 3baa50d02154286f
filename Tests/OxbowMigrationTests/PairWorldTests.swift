import Testing

/// Two machines through every interleaving (rules SM-M*, SM-F*; properties P1 to P5, P7, P11).
@Suite struct PairWorldTests {
    private static let ends = [[true, true], [true, false], [false, true], [false, false]]

    @Test func oneMigrationWithoutFaults() throws {
        var tally = PairTally()
        for closes in Self.ends {
            for attempts in [[1, 0], [0, 1]] {
                tally += try exhaust(PairPlan(closes: closes, attempts: attempts, prunes: true, framesFINLate: true))
            }
        }
        #expect(tally.completed > 0 && tally.denied > 0 && tally.failed == 0)
    }

    @Test func chainsWithoutFaults() throws {
        for closes in Self.ends {
            let one = try exhaust(PairPlan(closes: closes, attempts: [2, 0], prunes: true))
            #expect(one.completed > 0)
            let both = try exhaust(PairPlan(closes: closes, attempts: [1, 1], prunes: true))
            #expect(both.yielded > 0 && both.denied > 0)
        }
    }

    @Test func aReaderThatStallsHoldsUpNoHandOff() throws {
        for reads in [[false, true], [true, false], [false, false]] {
            let tally = try exhaust(PairPlan(reads: reads, attempts: [1, 0]))
            #expect(tally.completed > 0)
        }
    }

    @Test func oneMigrationWithFaults() throws {
        for closes in Self.ends {
            for attempts in [[1, 0], [0, 1]] {
                _ = try exhaust(PairPlan(closes: closes, attempts: attempts, faults: 1, framesFINLate: true))
            }
        }
        let tally = try exhaust(PairPlan(attempts: [1, 0], faults: 2))
        #expect(tally.inDoubt > 0)
    }

    @Test func chainsWithFaults() throws {
        let one = try exhaust(PairPlan(bytes: [0, 1], attempts: [2, 0], faults: 1))
        #expect(one.failed > 0 && one.inDoubt > 0)
        let both = try exhaust(PairPlan(bytes: [1, 0], attempts: [1, 1], faults: 1))
        #expect(both.failed > 0 && both.yielded > 0)
    }

    /// Bounds with six-figure numbers of states.
    @Test(arguments: [
        PairPlan(attempts: [1, 1], faults: 2),
        PairPlan(attempts: [2, 1], denials: 1, prunes: true, framesFINLate: true),
        PairPlan(bytes: [0, 1], attempts: [2, 0], denials: 1, faults: 2),
        PairPlan(closes: [true, false], attempts: [1, 1], faults: 1, prunes: true, framesFINLate: true),
    ])
    func wideWorlds(plan: PairPlan) throws {
        let tally = try exhaust(plan)
        #expect(tally.completed > 0 && tally.denied > 0 && (tally.failed > 0) == (plan.faults > 0))
    }

    @Test(arguments: UInt64(0)..<2_000)
    func wander(seed: UInt64) throws {
        let faults = Int(seed % 3)
        let plan = PairPlan(
            bytes: [6, 5], closes: Self.ends[Int(seed / 3 % 4)], attempts: [3, 3], faults: faults,
            prunes: seed % 2 == 0, framesFINLate: seed % 5 == 0)
        var walk = PairWalk(plan)
        try walk.wander(seed: seed)
    }

    @Test(arguments: PairMutant.allCases)
    func mutantIsFound(mutant: PairMutant) throws {
        let found = Self.plans(for: mutant).contains { plan in
            var walk = PairWalk(plan)
            do throws(PairWalk.Found) {
                try walk.exhaust()
                return false
            } catch {
                print("\(mutant): \(error.violation) after \(walk.states) states")
                return true
            }
        }
        #expect(found)
    }

    /// Each mutant in the smallest world that shows it.
    private static func plans(for mutant: PairMutant) -> [PairPlan] {
        switch mutant {
        case .finNotHeld, .finNotMirrored, .everyFINIsEnd, .everyFINCloses, .finishedIsReset:
            [PairPlan(attempts: [1, 0], mutant: mutant)]
        case .switchOnDeliveredEnd:
            [PairPlan(reads: [true, false], attempts: [1, 0], mutant: mutant)]
        case .noTaint, .responderGoesBack:
            [PairPlan(attempts: [1, 0], faults: 1, mutant: mutant)]
        case .denialClearsTaint:
            [PairPlan(bytes: [0, 1], attempts: [2, 0], faults: 1, mutant: mutant)]
        case .glareBothAccept, .glareLoserResets, .noHoldForOwnTarget:
            [PairPlan(attempts: [1, 1], mutant: mutant)]
        case .initiatorPrunesEarly, .responderPrunes:
            [PairPlan(attempts: [1, 0], prunes: true, mutant: mutant)]
        }
    }

    private func exhaust(_ plan: PairPlan) throws -> PairTally {
        var walk = PairWalk(plan)
        try walk.exhaust()
        #expect(!walk.isCut)
        print("\(walk.states) states: \(plan)\n  \(walk.tally)")
        return walk.tally
    }
}
