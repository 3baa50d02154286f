import OxbowCore
import OxbowMigration
import Testing

/// An end that is read while the answer is outstanding, and ends in doubt (SM-M2, SM-F1, SM-F2, SM-F7).
@Suite struct HeldEndTests {
    /// Asking, with the peer's FIN read: behind the own one or not.
    private func holding(behindOwn: Bool) throws -> MigrationMachine {
        var machine = try asking()
        if behindOwn { #expect(machine.closeAndFrame() == []) }
        #expect(machine.finRead(on: .source, at: .zero) == [])
        return machine
    }

    @Test func onAcceptanceItIsAHandOff() throws {
        var machine = try holding(behindOwn: false)
        #expect(machine.answered(accepted: true, on: .target, at: .zero) == [.attemptEnded(.accepted)])
        #expect(machine.readLeg == .target)
        #expect(machine.finRead(on: .target, at: .zero) == [.deliverEOF])
        #expect(machine.finFramed(on: .source, at: .zero) == [.complete(id: 2, was: 0, role: .initiator)])
    }

    @Test func onAcceptanceBehindTheOwnOneTheStreamIsComplete() throws {
        var machine = try holding(behindOwn: true)
        let actions = machine.answered(accepted: true, on: .target, at: .zero)
        #expect(actions == [.attemptEnded(.accepted), .complete(id: 2, was: 0, role: .initiator)])
        #expect(machine.wantsFIN(on: .source))
        #expect(machine.finFramed(on: .source, at: .zero) == [])
        #expect(machine.finRead(on: .source, at: .zero) == [.deliverEOF, .finished])
    }

    @Test func onDenialItIsTheEnd() throws {
        var open = try holding(behindOwn: false)
        let held: [MigrationAction] = [.close(.target), .attemptEnded(.denied), .deliverEOF]
        #expect(open.answered(accepted: false, on: .target, at: .zero) == held)
        var closed = try holding(behindOwn: true)
        #expect(closed.answered(accepted: false, on: .target, at: .zero) == held + [.finished])
    }

    @Test func onFailureItIsTheEndUnlessTheOwnOneWasSentBefore() throws {
        var open = try holding(behindOwn: false)
        #expect(open.lost(.target, at: .zero) == [.attemptEnded(.failed), .deliverEOF])
        var closed = try holding(behindOwn: true)
        #expect(closed.lost(.target, at: .zero) == [.attemptEnded(.failed), .fail(.endInDoubt)])
        #expect(closed.isEnded)
    }

    @Test func onAWrongAnswerTheTargetIsReset() throws {
        var machine = try asking()
        #expect(machine.answeredWrongly(on: .target, at: .zero) == [.reset(.target), .attemptEnded(.failed)])
        #expect(machine.closeAndFrame() == [])
        #expect(machine.finRead(on: .source, at: .zero) == [.fail(.endInDoubt)])
    }

    @Test func aTaintedStreamTakesAnEndBeforeItsOwn() throws {
        var machine = try tainted()
        #expect(machine.finRead(on: .source, at: .zero) == [.deliverEOF])
        #expect(machine.closeAndFrame() == [.finished])
    }

    @Test func aTaintedStreamDoubtsAnEndBehindItsOwn() throws {
        var machine = try tainted()
        #expect(machine.closeAndFrame() == [])
        #expect(machine.finRead(on: .source, at: .zero) == [.fail(.endInDoubt)])
    }

    @Test func anEndThatWasDeliveredBeforeIsNotDoubted() throws {
        var machine = settled()
        #expect(machine.finRead(on: .source, at: .zero) == [.deliverEOF])
        try machine.begin(target: 2, at: .zero)
        #expect(machine.closeAndFrame() == [])
        #expect(machine.lost(.target, at: .zero) == [.attemptEnded(.failed), .finished])
    }

    @Test func anAckClearsTheTaint() throws {
        var machine = try tainted()
        #expect(machine.closeAndFrame() == [])
        try machine.begin(target: 4, at: .seconds(1))
        #expect(machine.finRead(on: .source, at: .zero) == [])
        let actions = machine.answered(accepted: true, on: .target, at: .zero)
        #expect(actions == [.attemptEnded(.accepted), .complete(id: 4, was: 0, role: .initiator)])
        #expect(machine.finRead(on: .source, at: .zero) == [.deliverEOF])
    }

    /// The peer had accepted the first attempt and has moved on: it denies the second because its source is finished.
    @Test func aDenialLeavesTheTaint() throws {
        var machine = try tainted()
        #expect(machine.closeAndFrame() == [])
        try machine.begin(target: 4, at: .seconds(1))
        #expect(machine.answered(accepted: false, on: .target, at: .zero) == [.close(.target), .attemptEnded(.denied)])
        #expect(machine.finRead(on: .source, at: .zero) == [.fail(.endInDoubt)])

        var holding = try tainted()
        #expect(holding.closeAndFrame() == [])
        try holding.begin(target: 4, at: .seconds(1))
        #expect(holding.finRead(on: .source, at: .zero) == [])
        let actions = holding.answered(accepted: false, on: .target, at: .zero)
        #expect(actions == [.close(.target), .attemptEnded(.denied), .fail(.endInDoubt)])
    }

    @Test func thePeersOwnMigrationClearsTheTaint() throws {
        var machine = try tainted()
        _ = machine.accept(target: 3, at: .zero)
        #expect(machine.closeAndFrame() == [])
        #expect(machine.finRead(on: .source, at: .zero) == [.complete(id: 3, was: 0, role: .responder)])
        #expect(machine.finFramed(on: .source, at: .zero) == [])
        #expect(machine.finRead(on: .source, at: .zero) == [.deliverEOF, .finished])
    }
}
