import OxbowCore
import OxbowMigration
import Testing

/// How soon, and how often, a side asks again after attempts without an answer (SM-F2).
@Suite struct RetryTests {
    private func at(_ seconds: Double) -> Instant { .zero + .seconds(seconds) }

    /// Lets an attempt begin and lose its target at once.
    private func fail(_ machine: inout MigrationMachine, at now: Instant) throws {
        try machine.begin(target: 2, at: now)
        #expect(machine.lost(.target, at: now) == [.attemptEnded(.failed)])
    }

    @Test func theNextAttemptWaitsTwiceAsLongEachTime() throws {
        var machine = settled(lower: true)
        var now = at(0)
        for wait in [1, 2, 4, 8, 16, 32, 60] {
            try fail(&machine, at: now)
            let due = now + .seconds(wait)
            let early = due + .milliseconds(-1)
            #expect(throws: MigrationRefusal.tooSoon(wait: .milliseconds(1))) {
                try machine.begin(target: 4, at: early)
            }
            now = due
        }
    }

    @Test func afterSoManyFailuresItAsksNoMore() throws {
        var machine = settled(lower: true)
        for number in 0..<8 { try fail(&machine, at: at(Double(100 * number))) }
        #expect(throws: MigrationRefusal.tooManyFailures(limit: 8)) { try machine.begin(target: 4, at: at(10_000)) }
        // The peer may still ask, and what it moves counts as a success.
        #expect(machine.judge(from: 0) == .accept)
        _ = machine.accept(target: 3, at: at(10_000))
        _ = machine.finRead(on: .source, at: at(10_000))
        _ = machine.finFramed(on: .source, at: at(10_000))
        #expect(machine.id == 3)
        try machine.begin(target: 4, at: at(10_000))
    }

    @Test func aCompleteMigrationEndsTheCount() throws {
        var machine = settled(lower: true)
        try fail(&machine, at: at(0))
        try machine.begin(target: 4, at: at(1))
        _ = machine.answered(accepted: true, on: .target, at: at(1))
        _ = machine.finFramed(on: .source, at: at(1))
        _ = machine.finRead(on: .source, at: at(1))
        #expect(machine.id == 4)
        try fail(&machine, at: at(1))
        #expect(throws: MigrationRefusal.tooSoon(wait: .seconds(1))) { try machine.begin(target: 6, at: at(1)) }
    }

    @Test func whatWasNeverSentOrWasAnsweredCountsNot() throws {
        var machine = settled(lower: true)
        try machine.begin(target: 2, at: at(0))
        #expect(machine.withdrawAttempt(at: at(0)) == [.attemptEnded(.failed)])
        try machine.begin(target: 2, at: at(0))
    }

    @Test func aSilentPeerIsAskedAgainOnlyAfterTheWait() throws {
        var machine = settled(lower: true)
        try machine.begin(target: 2, at: at(0))
        _ = machine.tick(at: at(60), isReaderStalled: false)
        #expect(throws: MigrationRefusal.tooSoon(wait: .seconds(1))) { try machine.begin(target: 4, at: at(60)) }
        try machine.begin(target: 4, at: at(61))
    }

    @Test func extremeWaitsAreNoTrap() throws {
        var configuration = MigrationConfiguration()
        configuration.retryDelay = .seconds(Int64.max / 2)
        configuration.maximumRetryDelay = .seconds(Int64.max)
        var machine = MigrationMachine(id: 0, isLowerPeer: true, isNegotiated: true, configuration: configuration)
        try fail(&machine, at: at(0))
        #expect(throws: MigrationRefusal.self) { try machine.begin(target: 4, at: at(1_000_000)) }
        try fail(&machine, at: .distantFuture)
    }
}
