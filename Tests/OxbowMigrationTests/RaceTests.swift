import OxbowCore
import OxbowMigration
import Testing

/// When a migration may start, glare, and chains (SM-M1, SM-F1, SM-F4, SM-F5).
@Suite struct RaceTests {
    @Test func refusals() throws {
        var unlabelled = MigrationMachine(id: nil, isLowerPeer: true, isNegotiated: true)
        #expect(throws: MigrationRefusal.notLabelled) { try unlabelled.begin(target: 2, at: .zero) }
        #expect(unlabelled.judge(from: 0) == .deny)
        var early = MigrationMachine(id: 0, isLowerPeer: true, isNegotiated: false)
        #expect(throws: MigrationRefusal.notNegotiated) { try early.begin(target: 2, at: .zero) }
        early.negotiated()
        try early.begin(target: 2, at: .zero)
        #expect(throws: MigrationRefusal.underWay) { try early.begin(target: 4, at: .zero) }
        for role in roles {
            var moving = try handingOff(role)
            #expect(throws: MigrationRefusal.underWay) { try moving.begin(target: 4, at: .zero) }
        }
        var ended = settled()
        ended.abort()
        #expect(throws: MigrationRefusal.ended) { try ended.begin(target: 2, at: .zero) }
    }

    /// Its label could still be lost with its negotiation, in the middle of a migration (SM-L1).
    @Test func aMigrateWaitsForTheStreamsOwnNegotiation() {
        var machine = MigrationMachine(id: 0, isLowerPeer: true, isNegotiated: false)
        #expect(machine.judge(from: 0) == .hold && machine.judge(from: 8) == .deny)
        var refused = machine
        machine.negotiated()
        #expect(machine.judge(from: 0) == .accept)
        refused.forgetLabel()
        #expect(refused.judge(from: 0) == .deny)
    }

    @Test func aDenialIsForGood() throws {
        var machine = try asking()
        #expect(machine.answered(accepted: false, on: .target, at: .zero) == [.close(.target), .attemptEnded(.denied)])
        #expect(throws: MigrationRefusal.denied) { try machine.begin(target: 4, at: .zero) }
        #expect(machine.judge(from: 0) == .accept)
    }

    @Test func theLowerPeerWinsAGlare() throws {
        var machine = try asking(lower: true)
        #expect(machine.judge(from: 0) == .deny)
        #expect(machine.answered(accepted: true, on: .target, at: .zero) == [.attemptEnded(.accepted)])
    }

    private func yielding() throws -> MigrationMachine {
        var machine = try asking(lower: false)
        #expect(machine.judge(from: 0) == .accept)
        #expect(machine.accept(target: 3, at: .zero) == [.attemptEnded(.yielded)])
        return machine
    }

    @Test func theHigherPeerGivesWay() throws {
        var machine = try yielding()
        #expect(machine.targetID == 3)
        #expect(machine.answered(accepted: false, on: .yielded, at: .zero) == [.close(.yielded)])
        #expect(machine.finRead(on: .source, at: .zero) == [])
        #expect(machine.finFramed(on: .source, at: .zero) == [.complete(id: 3, was: 0, role: .responder)])
        try machine.begin(target: 4, at: .zero)
    }

    @Test func noNewAttemptBeforeTheYieldedOneIsAnswered() throws {
        var machine = try yielding()
        _ = machine.finRead(on: .source, at: .zero)
        _ = machine.finFramed(on: .source, at: .zero)
        #expect(machine.isMigrating)
        #expect(throws: MigrationRefusal.underWay) { try machine.begin(target: 4, at: .zero) }
        #expect(machine.judge(from: 3) == .accept)
        #expect(machine.lost(.yielded, at: .zero) == [])
        #expect(!machine.isMigrating)
        try machine.begin(target: 4, at: .zero)
    }

    @Test func anAckForAYieldedAttemptAborts() throws {
        var machine = try yielding()
        #expect(machine.answered(accepted: true, on: .yielded, at: .zero) == [.fail(.acceptedYieldedAttempt)])
        #expect(machine.isEnded && !machine.isMigrating)
        #expect(machine.answered(accepted: true, on: .yielded, at: .zero) == [])
    }

    @Test func anAckForAYieldedAttemptOfAFinishedStreamHarmsNothing() throws {
        var machine = try yielding()
        _ = machine.finRead(on: .source, at: .zero)
        #expect(machine.finFramed(on: .source, at: .zero) == [.complete(id: 3, was: 0, role: .responder)])
        #expect(machine.finRead(on: .source, at: .zero) == [.deliverEOF])
        #expect(machine.closeAndFrame() == [.finished])
        #expect(machine.answered(accepted: true, on: .yielded, at: .zero) == [.reset(.yielded)])
    }

    @Test func aWrongAnswerToAYieldedAttemptHarmsNothing() throws {
        var machine = try yielding()
        #expect(machine.answeredWrongly(on: .yielded, at: .zero) == [.reset(.yielded)])
        #expect(!machine.isEnded && machine.targetID == 3)
    }

    /// The lower peer's denial overtakes its own Migrate, which travels on another connection.
    @Test func aDenialThatOvertakesTheOtherMigrateIsNotForGood() throws {
        var machine = try asking(lower: false)
        #expect(machine.answered(accepted: false, on: .target, at: .zero) == [.close(.target), .attemptEnded(.denied)])
        #expect(machine.judge(from: 0) == .accept)
        #expect(machine.accept(target: 3, at: .zero) == [])
        _ = machine.finRead(on: .source, at: .zero)
        _ = machine.finFramed(on: .source, at: .zero)
        try machine.begin(target: 4, at: .zero)
    }

    @Test(arguments: [true, false]) func aMigrateFromTheOwnTargetWaits(lower: Bool) throws {
        var machine = try asking(lower: lower)
        #expect(machine.judge(from: 2) == .hold)
        _ = machine.answered(accepted: true, on: .target, at: .zero)
        #expect(machine.judge(from: 2) == .hold && machine.judge(from: 0) == .hold)
        _ = machine.finFramed(on: .source, at: .zero)
        _ = machine.finRead(on: .source, at: .zero)
        #expect(machine.judge(from: 2) == .accept && machine.judge(from: 0) == .deny)
        _ = machine.accept(target: 3, at: .zero)
        _ = machine.finRead(on: .source, at: .zero)
        #expect(machine.finFramed(on: .source, at: .zero) == [.complete(id: 3, was: 2, role: .responder)])
    }

    @Test func aMigrateFromALostTargetIsDenied() throws {
        #expect(try tainted().judge(from: 2) == .deny)
    }

    @Test(arguments: roles) func aMigrateWaitsForTheHandOff(role: MigrationRole) throws {
        var machine = try handingOff(role)
        #expect(machine.judge(from: 0) == .hold)
        machine.abort()
        #expect(machine.judge(from: 0) == .deny)
    }

    @Test func aMigrateFromAnotherIDIsDenied() throws {
        #expect(settled().judge(from: 8) == .deny)
        #expect(try asking().judge(from: 8) == .deny)
    }
}
