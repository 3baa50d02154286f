import OxbowCore
import OxbowMigration
import Testing

/// One migration without faults (SM-M1 to SM-M8).
@Suite struct HandOffTests {
    @Test func initiator() throws {
        var machine = settled()
        try machine.begin(target: 2, at: .zero)
        #expect(machine.isMigrating && machine.targetID == 2)
        #expect(machine.writeLeg == .source && machine.readLeg == .source && !machine.wantsFIN(on: .source))

        #expect(machine.answered(accepted: true, on: .target, at: .zero) == [.attemptEnded(.accepted)])
        #expect(machine.writeLeg == .target && machine.readLeg == .source)
        #expect(machine.wantsFIN(on: .source) && !machine.wantsFIN(on: .target))
        #expect(machine.finFramed(on: .source, at: .zero) == [])
        #expect(machine.finRead(on: .source, at: .zero) == [.complete(id: 2, was: 0, role: .initiator)])
        #expect(machine.id == 2 && !machine.isMigrating && machine.targetID == nil && machine.nextDeadline == nil)
        #expect(machine.writeLeg == .source && machine.readLeg == .source && !machine.wantsFIN(on: .source))
    }

    @Test func initiatorReadsTheHandOffBeforeItsOwnIsFramed() throws {
        var machine = try handingOff(.initiator)
        #expect(machine.finRead(on: .source, at: .zero) == [])
        #expect(machine.readLeg == .target)
        #expect(machine.finFramed(on: .source, at: .zero) == [.complete(id: 2, was: 0, role: .initiator)])
    }

    @Test func responder() {
        var machine = settled()
        #expect(machine.judge(from: 0) == .accept)
        #expect(machine.accept(target: 3, at: .zero) == [])
        #expect(machine.writeLeg == .source && machine.readLeg == .source && !machine.wantsFIN(on: .source))
        #expect(machine.finRead(on: .source, at: .zero) == [])
        #expect(machine.writeLeg == .target && machine.readLeg == .target)
        #expect(machine.wantsFIN(on: .source) && !machine.wantsFIN(on: .target))
        #expect(machine.finFramed(on: .source, at: .zero) == [.complete(id: 3, was: 0, role: .responder)])
        #expect(machine.id == 3 && !machine.isMigrating)
    }

    @Test func responderSwitchesAtOnceWhenTheFINCameFirst() {
        var machine = settled()
        #expect(machine.finRead(on: .source, at: .zero) == [.deliverEOF])
        #expect(machine.accept(target: 3, at: .zero) == [])
        #expect(machine.writeLeg == .target && machine.wantsFIN(on: .source) && !machine.wantsFIN(on: .target))
        #expect(machine.finFramed(on: .source, at: .zero) == [.complete(id: 3, was: 0, role: .responder)])
        #expect(!machine.isEnded)
        #expect(machine.finRead(on: .source, at: .zero) == [])
        #expect(machine.closeAndFrame() == [.finished])
    }

    /// A higher peer that is asking with both ends exchanged gives way: its part is done before its Ack is out.
    @Test func responderIsCompleteOnAccepting() throws {
        var machine = try asking(lower: false)
        #expect(machine.closeAndFrame() == [])
        #expect(machine.finRead(on: .source, at: .zero) == [])
        let actions = machine.accept(target: 3, at: .zero)
        #expect(actions == [.attemptEnded(.yielded), .complete(id: 3, was: 0, role: .responder)])
        #expect(machine.wantsFIN(on: .source))
        #expect(machine.finRead(on: .source, at: .zero) == [.deliverEOF])
        #expect(machine.finFramed(on: .source, at: .zero) == [.finished])
        #expect(machine.answered(accepted: false, on: .yielded, at: .zero) == [.close(.yielded)])
        #expect(!machine.isMigrating)
    }

    @Test func theEndOfTheTargetWaitsForTheSource() throws {
        var machine = try handingOff(.initiator)
        #expect(machine.finRead(on: .target, at: .zero) == [])
        #expect(machine.finRead(on: .source, at: .zero) == [.deliverEOF])
    }

    @Test func aPlainStreamEndsOnceBothSidesHave() {
        var machine = settled()
        #expect(machine.closeAndFrame() == [])
        #expect(machine.finRead(on: .source, at: .zero) == [.deliverEOF, .finished])
        #expect(machine.isEnded && machine.judge(from: 0) == .deny)
        #expect(machine.lost(.source, at: .zero) == [])
    }
}

/// Half-close before = after, whenever it happens (SM-M7, P5).
@Suite struct HalfCloseTests {
    enum Moment: CaseIterable { case before, whileAsking, whileHandingOff, after, never }

    struct Case: CustomTestStringConvertible {
        let role: MigrationRole
        let own: Moment
        let peers: Moment
        /// Whether the stream has ended before there is anything to move.
        var isEndedEarly: Bool {
            let early: [Moment] = role == .initiator ? [.before] : [.before, .whileAsking]
            return early.contains(own) && early.contains(peers)
        }
        var testDescription: String { "\(role), own \(own), peer's \(peers)" }
    }

    static let cases = roles.flatMap { role in
        Moment.allCases.flatMap { own in Moment.allCases.map { Case(role: role, own: own, peers: $0) } }
    }.filter { !$0.isEndedEarly }

    @Test(arguments: cases) func isMirrored(_ given: Case) throws {
        var stream = Stream(given)
        stream.pass(.before)
        if given.role == .initiator { try stream.machine.begin(target: 2, at: .zero) }
        stream.pass(.whileAsking)
        switch given.role {
        case .initiator: stream.note(stream.machine.answered(accepted: true, on: .target, at: .zero))
        case .responder: stream.note(stream.machine.accept(target: 3, at: .zero))
        }
        stream.frame()
        stream.pass(.whileHandingOff)
        if !stream.hasReadFIN { stream.readFIN() }
        if given.peers != .never, given.peers != .after { stream.readFIN() }
        stream.pass(.after)

        let target: UInt64 = given.role == .initiator ? 2 : 3
        #expect(stream.count(.deliverEOF) == (given.peers == .never ? 0 : 1))
        #expect(stream.count(.complete(id: target, was: 0, role: given.role)) == 1)
        #expect(stream.machine.wantsFIN(on: .source) == (given.own != .never))
        #expect(stream.machine.isEnded == (given.own != .never && given.peers != .never))
        #expect(stream.count(.finished) == (stream.machine.isEnded ? 1 : 0))
        #expect(stream.machine.id == target)
    }

    /// A machine with what a driver remembers: which FINs were framed.
    struct Stream {
        let given: Case
        var machine = settled()
        var actions: [MigrationAction] = []
        var framed: Set<Leg> = []
        var hasReadFIN = false

        init(_ given: Case) { self.given = given }

        mutating func pass(_ moment: Moment) {
            if given.own == moment { machine.closeWrite() }
            frame()
            if given.peers == moment { readFIN() }
        }

        mutating func readFIN() {
            let leg: Leg = machine.targetID != nil && hasReadFIN ? .target : .source
            hasReadFIN = true
            note(machine.finRead(on: leg, at: .zero))
            frame()
        }

        mutating func frame() {
            for leg in [Leg.source, .target] where machine.wantsFIN(on: leg) && !framed.contains(leg) {
                guard leg == .source || machine.targetID != nil else { continue }
                framed.insert(leg)
                note(machine.finFramed(on: leg, at: .zero))
            }
        }

        /// On completion the target's FIN is the source's.
        mutating func note(_ new: [MigrationAction]) {
            actions += new
            guard new.contains(where: { if case .complete = $0 { true } else { false } }) else { return }
            framed = framed.contains(.target) ? [.source] : []
            frame()
        }

        func count(_ action: MigrationAction) -> Int { actions.count { $0 == action } }
    }
}
