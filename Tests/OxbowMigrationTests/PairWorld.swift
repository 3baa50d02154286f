import OxbowCore
import OxbowMigration

/// What travels on an underlying stream, in order.
enum PairItem: Hashable, Sendable {
    case byte(UInt8)
    case fin
    case reset
    case migrate(id: UInt64, from: UInt64)
    case answer(accepted: Bool)
}

/// An underlying stream on a connection of its own: two FIFO channels with a multiplexer's rules.
struct PairWire: Hashable, Sendable {
    /// In flight towards each side.
    var toward: [[PairItem]] = [[], []]
    /// Whether each side still has to do with the stream. What is sent to a side that hasn't is ignored.
    var isAlive = [true, true]
    var finSent = [false, false]
    var isLost = false
    /// Whether each side has yet to learn of the loss.
    var owesLoss = [false, false]
}

/// One side: its machine, its application, and what a driver has to remember.
struct PairSide: Hashable, Sendable {
    var machine: MigrationMachine
    var attempts: Int

    // The application.
    var written = 0
    var received = 0
    var isClosed = false
    var hasEnd = false
    var isAborted = false

    // The driver.
    var source: Int? = 0
    var target: Int?
    var yielded: Int?
    var isAsking = false
    /// Bytes of the target that wait for the source's FIN (SM-M6).
    var parked: [UInt8] = []
    /// Migrates that wait (SM-F5); tickets are wires.
    var held: [HeldMigrate] = []
    /// The source of the last migration, and the part that was played in it.
    var left: PairLeft?

    // What only mutants use.
    var hasSentEnd = false
    var hasEndEarly = false
    var isDenied = false
    var withheldFIN = false
    var beforeAccept: MigrationMachine?

    func wire(_ leg: Leg) -> Int? {
        switch leg {
        case .source: source
        case .target: target
        case .yielded: yielded
        }
    }

    func leg(of wire: Int) -> Leg? {
        Leg.allCases.first { self.wire($0) == wire }
    }
}

struct PairLeft: Hashable, Sendable {
    let wire: Int
    let role: MigrationRole
}

/// Two real machines, the drivers and applications around them, and the underlying streams between them.
///
/// A value: a walk copies it, applies an event to the copy and hashes the result.
struct PairWorld: Hashable, Sendable {
    var sides: [PairSide]
    var wires = [PairWire()]
    var faultsLeft: Int
    var denialsLeft: Int

    init(_ plan: PairPlan) {
        sides = [0, 1].map { side in
            PairSide(
                machine: MigrationMachine(
                    id: 0, isLowerPeer: side == 0 && plan.mutant != .glareBothAccept, isNegotiated: true),
                attempts: plan.attempts[side])
        }
        faultsLeft = plan.faults
        denialsLeft = plan.denials
    }

    /// Own ids: even for the lower peer, odd for the higher (SM-L2). The first stream was opened by the lower one.
    static func id(ofWire wire: Int, openedBy side: Int) -> UInt64 {
        UInt64(2 * wire + side)
    }
}

// MARK: - What can happen

extension PairWorld {
    func events(_ plan: PairPlan) -> [PairEvent] {
        var events: [PairEvent] = []
        for side in 0...1 { appendEvents(of: side, plan, to: &events) }
        guard faultsLeft > 0, plan.faultKinds.contains(.loss) else { return events }
        for wire in wires.indices where !wires[wire].isLost && wires[wire].isAlive != [false, false] {
            events.append(.lose(wire: wire))
        }
        return events
    }

    private func appendEvents(of side: Int, _ plan: PairPlan, to events: inout [PairEvent]) {
        let me = sides[side]
        for (index, wire) in wires.enumerated() where wire.isAlive[side] {
            if wire.owesLoss[side] { events.append(.learnLoss(side, wire: index)) }
            if let item = wire.toward[side].first {
                events.append(.read(side, wire: index))
                guard case .migrate = item else { continue }
                if denialsLeft > 0 { events.append(.deny(side, wire: index)) }
                if faultsLeft > 0, plan.faultKinds.contains(.refusal) { events.append(.refuse(side, wire: index)) }
            }
            if plan.framesFINLate, owesFIN(side, on: index, plan) { events.append(.frameFIN(side, wire: index)) }
        }
        if plan.prunes, let left = me.left, !wires[left.wire].isLost, mayPrune(me, left, plan) {
            events.append(.prune(side))
        }
        guard !me.isAborted else { return }
        if me.written < plan.bytes[side] {
            events.append(.write(side))
        } else if plan.closes[side], !me.isClosed {
            events.append(.close(side))
        }
        if me.attempts > 0, mayBegin(me) { events.append(.begin(side)) }
        guard faultsLeft > 0 else { return }
        if plan.faultKinds.contains(.expiry), me.isAsking { events.append(.expire(side)) }
        if plan.faultKinds.contains(.abort), !me.machine.isEnded { events.append(.abort(side)) }
    }

    private func mayBegin(_ side: PairSide) -> Bool {
        var machine = side.machine
        do {
            try machine.begin(target: .max, at: .zero)
            return true
        } catch {
            return false
        }
    }

    private func mayPrune(_ side: PairSide, _ left: PairLeft, _ plan: PairPlan) -> Bool {
        switch plan.mutant {
        case .initiatorPrunesEarly: left.role == .initiator
        case .responderPrunes: left.role == .responder
        default: side.machine.mayCloseSourceAbruptly
        }
    }
}

// MARK: - The wires

extension PairWorld {
    mutating func send(_ item: PairItem, from side: Int, on wire: Int) throws(Violation) {
        guard wires[wire].isAlive[side] else { return }
        if wires[wire].finSent[side] {
            throw Violation(property: .p7, text: "side \(side) sends \(item) behind its own FIN on \(wire)")
        }
        if item == .fin { wires[wire].finSent[side] = true }
        guard !wires[wire].isLost, wires[wire].isAlive[1 - side] else { return }
        wires[wire].toward[1 - side].append(item)
    }

    /// The side has no more to do with the stream; what it sent before still arrives.
    mutating func leave(_ wire: Int, _ side: Int) {
        wires[wire].isAlive[side] = false
        wires[wire].toward[side] = []
        wires[wire].owesLoss[side] = false
    }

    mutating func reset(_ wire: Int, by side: Int) {
        if !wires[wire].isLost, wires[wire].isAlive[side], wires[wire].isAlive[1 - side] {
            wires[wire].toward[1 - side].append(.reset)
        }
        leave(wire, side)
    }

    /// A connection vanishes with what is in flight. A side that has not read the Migrate yet never knew the stream.
    mutating func lose(_ wire: Int) {
        wires[wire].isLost = true
        for side in 0...1 where wires[wire].isAlive[side] {
            let isKnown = sides[side].leg(of: wire) != nil || sides[side].held.contains { $0.ticket == UInt64(wire) }
            wires[wire].toward[side] = []
            wires[wire].owesLoss[side] = isKnown
            if !isKnown { wires[wire].isAlive[side] = false }
        }
    }
}

// MARK: - Properties at rest

extension PairWorld {
    /// Checks a world in which nothing more has to happen.
    func checkRest(_ plan: PairPlan) throws(Violation) {
        for side in 0...1 {
            let me = sides[side]
            guard me.held.isEmpty else { throw Violation(property: .p7, text: "side \(side) still holds a Migrate") }
            guard me.target == nil, me.yielded == nil, me.parked.isEmpty, !me.machine.isMigrating else {
                throw Violation(property: .p7, text: "side \(side) has a leg left")
            }
            guard me.machine.nextDeadline == nil else {
                throw Violation(property: .p7, text: "side \(side) has a deadline left")
            }
            for wire in wires.indices where wires[wire].isAlive[side] && me.source != wire {
                throw Violation(property: .p7, text: "side \(side) has stream \(wire) left")
            }
            guard !me.isAborted else { continue }
            try checkComplete(side, plan)
        }
    }

    /// A side that was not aborted has all that the other wrote, and its end, unless that other was aborted: then it
    /// must have come to its own end before.
    private func checkComplete(_ side: Int, _ plan: PairPlan) throws(Violation) {
        let me = sides[side]
        let peer = sides[1 - side]
        if peer.isAborted {
            guard me.machine.isEnded else {
                throw Violation(property: .p4, text: "side \(side) hangs after the other's abort")
            }
            return
        }
        guard me.received == plan.bytes[1 - side], me.hasEnd == plan.closes[1 - side] else {
            throw Violation(property: .p4, text: "side \(side) hangs at byte \(me.received), end \(me.hasEnd)")
        }
        guard me.machine.isEnded == (plan.closes == [true, true]) else {
            throw Violation(property: .p7, text: "side \(side) is not at its end")
        }
    }
}
