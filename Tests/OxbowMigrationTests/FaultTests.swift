import OxbowCore
import OxbowMigration
import Testing

/// Losses, deadlines, violations and the right to prune (SM-F2, SM-F3, SM-F7, SM-F8, SM-F9, SM-M9).
@Suite struct FaultTests {
    @Test func lossWhileSettledOrAsking() throws {
        var plain = settled()
        #expect(plain.lost(.source, at: .zero) == [.fail(.lost)])
        #expect(plain.isEnded)
        var open = try asking()
        #expect(open.lost(.source, at: .zero) == [.fail(.lost)])
        #expect(open.isEnded && !open.isMigrating)
        var target = try asking()
        #expect(target.lost(.target, at: .zero) == [.attemptEnded(.failed)])
        #expect(!target.isEnded && !target.isMigrating)
        try target.begin(target: 4, at: .seconds(1))
    }

    @Test(arguments: roles, [Leg.source, .target])
    func lossWhileHandingOff(role: MigrationRole, leg: Leg) throws {
        var machine = try handingOff(role)
        #expect(machine.lost(leg, at: .zero) == [.fail(.lostDuringHandOff(leg))])
        #expect(machine.isEnded && machine.nextDeadline == nil)
        #expect(machine.lost(leg, at: .zero) == [] && machine.finRead(on: .source, at: .zero) == [])
        #expect(machine.finFramed(on: .source, at: .zero) == [] && machine.dataRead(on: .target, at: .zero) == [])
    }

    @Test func lossOfTheTargetAfterCompletionIsThatOfTheStream() throws {
        var machine = try handingOff(.responder)
        _ = machine.finRead(on: .source, at: .zero)
        _ = machine.finFramed(on: .source, at: .zero)
        #expect(machine.lost(.source, at: .zero) == [.fail(.lost)])
    }

    /// With both ends exchanged the source has no more to give: the outstanding answer judges the held end.
    @Test func lossOfAnEndedSourceWhileAsking() throws {
        var machine = try asking()
        _ = machine.closeAndFrame()
        _ = machine.finRead(on: .source, at: .zero)
        #expect(machine.lost(.source, at: .zero) == [])
        var denied = machine
        let actions = denied.answered(accepted: false, on: .target, at: .zero)
        #expect(actions == [.close(.target), .attemptEnded(.denied), .deliverEOF, .finished])
        _ = machine.answered(accepted: true, on: .target, at: .zero)
        #expect(machine.id == 2)
        #expect(machine.lost(.source, at: .zero) == [.fail(.lost)])
    }

    @Test(arguments: roles) func anAbortEndsAll(role: MigrationRole) throws {
        var machine = try handingOff(role)
        machine.abort()
        #expect(machine.isEnded && !machine.isMigrating && machine.nextDeadline == nil)
        #expect(machine.tick(at: .distantFuture, isReaderStalled: false) == [])
    }

    // MARK: Deadlines

    @Test func theAnswerIsDue() throws {
        var machine = try asking()
        #expect(machine.nextDeadline == .seconds(60))
        #expect(machine.tick(at: .seconds(59), isReaderStalled: false) == [])
        let actions = machine.tick(at: .seconds(60), isReaderStalled: true)
        #expect(actions == [.reset(.target), .attemptEnded(.failed)])
        #expect(machine.nextDeadline == nil)
        #expect(machine.closeAndFrame() == [])
        #expect(machine.finRead(on: .source, at: .zero) == [.fail(.endInDoubt)])
    }

    @Test(arguments: roles) func aHandOffIsDue(role: MigrationRole) throws {
        var machine = try handingOff(role)
        #expect(machine.nextDeadline == .seconds(30))
        #expect(machine.dataRead(on: .source, at: .seconds(20)) == [])
        #expect(machine.nextDeadline == .seconds(50))
        #expect(machine.tick(at: .seconds(49), isReaderStalled: false) == [])
        #expect(machine.tick(at: .seconds(50), isReaderStalled: true) == [])
        #expect(machine.nextDeadline == .seconds(80))
        #expect(machine.tick(at: .seconds(80), isReaderStalled: false) == [.fail(.handOffTimedOut)])
        #expect(machine.isEnded)
    }

    @Test func aYieldedAttemptIsDue() throws {
        var machine = try asking(lower: false)
        _ = machine.accept(target: 3, at: .seconds(50))
        #expect(machine.nextDeadline == .seconds(60))
        #expect(machine.tick(at: .seconds(60), isReaderStalled: false) == [.reset(.yielded)])
        #expect(machine.nextDeadline == .seconds(80) && machine.targetID == 3)
    }

    /// Complete, both applications done, only the peer's mirrored FIN is missing.
    private func awaitingTheEnd() throws -> MigrationMachine {
        var machine = settled()
        _ = machine.finRead(on: .source, at: .zero)
        machine.closeWrite()
        _ = machine.accept(target: 3, at: .zero)
        _ = machine.finFramed(on: .source, at: .zero)
        #expect(!machine.isMigrating && machine.nextDeadline == nil)
        #expect(machine.finFramed(on: .source, at: .seconds(10)) == [])
        return machine
    }

    @Test func aMirroredFINIsDue() throws {
        var machine = try awaitingTheEnd()
        #expect(machine.nextDeadline == .seconds(40))
        var inTime = machine
        #expect(inTime.finRead(on: .source, at: .seconds(39)) == [.finished])
        #expect(inTime.nextDeadline == nil)
        #expect(machine.tick(at: .seconds(40), isReaderStalled: true) == [])
        #expect(machine.tick(at: .seconds(69), isReaderStalled: false) == [])
        #expect(machine.tick(at: .seconds(70), isReaderStalled: false) == [.fail(.handOffTimedOut)])
    }

    @Test func anOpenWriteSideHasNoDeadline() throws {
        var machine = settled()
        _ = machine.finRead(on: .source, at: .zero)
        _ = machine.accept(target: 3, at: .zero)
        _ = machine.finFramed(on: .source, at: .zero)
        #expect(machine.nextDeadline == nil)
    }

    // MARK: Violations

    @Test func dataBehindADeliveredEnd() throws {
        var machine = settled()
        _ = machine.finRead(on: .source, at: .zero)
        _ = machine.accept(target: 3, at: .zero)
        #expect(machine.watchesData)
        #expect(machine.dataRead(on: .target, at: .zero) == [.fail(.dataBehindEnd)])

        var later = try awaitingTheEnd()
        #expect(later.watchesData)
        #expect(later.dataRead(on: .source, at: .zero) == [.fail(.dataBehindEnd)])
    }

    @Test func dataBehindAFINOfTheSameLeg() throws {
        var holding = try asking()
        _ = holding.finRead(on: .source, at: .zero)
        #expect(holding.watchesData)
        #expect(holding.dataRead(on: .source, at: .zero) == [.fail(.dataBehindEnd)])
        for role in roles {
            var source = try handingOff(role)
            _ = source.finRead(on: .source, at: .zero)
            #expect(source.dataRead(on: .target, at: .zero) == [])
            #expect(source.dataRead(on: .source, at: .zero) == [.fail(.dataBehindEnd)])
            var target = try handingOff(role)
            _ = target.finRead(on: .target, at: .zero)
            #expect(target.dataRead(on: .source, at: .zero) == [])
            #expect(target.dataRead(on: .target, at: .zero) == [.fail(.dataBehindEnd)])
        }
    }

    @Test func aSettledStreamPaysNothingPerRead() throws {
        #expect(!settled().watchesData)
        #expect(try !asking().watchesData)
        #expect(try handingOff(.initiator).watchesData)
    }

    // MARK: Pruning

    @Test func theInitiatorMayPruneOnceThePeerSpokeOnTheTarget() throws {
        var machine = try handingOff(.initiator)
        _ = machine.finFramed(on: .source, at: .zero)
        _ = machine.dataRead(on: .source, at: .zero)
        _ = machine.finRead(on: .source, at: .zero)
        #expect(!machine.mayCloseSourceAbruptly && machine.watchesData)
        var byFIN = machine
        _ = byFIN.finRead(on: .source, at: .zero)
        #expect(byFIN.mayCloseSourceAbruptly)
        _ = machine.dataRead(on: .source, at: .zero)
        #expect(machine.mayCloseSourceAbruptly && !machine.watchesData)
    }

    @Test func speechBeforeCompletionCounts() throws {
        var machine = try handingOff(.initiator)
        _ = machine.dataRead(on: .target, at: .zero)
        #expect(!machine.mayCloseSourceAbruptly)
        _ = machine.finFramed(on: .source, at: .zero)
        _ = machine.finRead(on: .source, at: .zero)
        #expect(machine.mayCloseSourceAbruptly)
    }

    @Test func theResponderMayNotPrune() throws {
        var machine = try handingOff(.responder)
        _ = machine.finRead(on: .source, at: .zero)
        _ = machine.finFramed(on: .source, at: .zero)
        _ = machine.dataRead(on: .source, at: .zero)
        #expect(!machine.mayCloseSourceAbruptly)
    }

    @Test func theRightIsThatOfTheLastMigration() throws {
        var machine = try handingOff(.initiator)
        _ = machine.dataRead(on: .target, at: .zero)
        _ = machine.finFramed(on: .source, at: .zero)
        _ = machine.finRead(on: .source, at: .zero)
        _ = machine.accept(target: 3, at: .zero)
        _ = machine.finRead(on: .source, at: .zero)
        _ = machine.finFramed(on: .source, at: .zero)
        #expect(!machine.mayCloseSourceAbruptly)
    }

    @Test func everyErrorSaysWhatHappened() {
        let failures: [MigrationFailure] = [
            .lost, .lostDuringHandOff(.source), .endInDoubt, .acceptedYieldedAttempt, .dataBehindEnd, .handOffTimedOut,
        ]
        #expect(Set(failures.map(\.description)).count == failures.count)
        let refusals: [MigrationRefusal] = [
            .notLabelled, .notNegotiated, .underWay, .ended, .denied, .tooMany(limit: 3), .idsExhausted, .unread,
            .tooSoon(wait: .seconds(1)), .tooManyFailures(limit: 8),
        ]
        #expect(Set(refusals.map(\.description)).count == refusals.count)
    }
}
