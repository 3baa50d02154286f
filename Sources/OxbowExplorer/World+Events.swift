import OxbowCore
import OxbowMigration

// What can happen.

extension World {
    /// Everything that can happen now. When nothing of it is bound to happen, time may pass too.
    package func events(_ plan: Plan) -> [Event] {
        var events: [Event] = []
        for index in connections.indices { appendArrivals(on: index, plan, to: &events) }
        for stream in streams.indices {
            for side in 0...1 { appendActs(of: Spot(stream: stream, side: side), plan, to: &events) }
        }
        appendIntrusions(plan, to: &events)
        if !events.contains(where: \.isMandatory), hasToWait(plan) { events.append(.elapse) }
        return events
    }

    /// Once time had to pass, nobody starts anything new and nothing new goes wrong: what an early deadline does is
    /// what ``Fault/expiry`` shows, and the clock is there to show that deadlines end every wait (P8).
    private var isEarly: Bool { now == .zero }

    private func canFail(_ fault: Fault, _ plan: Plan) -> Bool {
        faultsLeft > 0 && isEarly && plan.faultKinds.contains(fault)
    }

    private func appendArrivals(on index: Int, _ plan: Plan, to events: inout [Event]) {
        let connection = connections[index]
        for side in 0...1 {
            if connection.owesLoss[side], !connection.isSilent {
                events.append(.learnLoss(connection: index, side: side, isReversed: false))
                if legs(on: index, side) > 1 {
                    events.append(.learnLoss(connection: index, side: side, isReversed: true))
                }
            }
            guard let frame = connection.toward[side].first, !connection.isLost || connection.owesLoss[side]
            else { continue }
            events.append(.deliver(connection: index, side: side))
            switch frame.kind {
            case .migrate where isEarly && connection.link == 0:
                if denialsLeft > 0 { events.append(.deny(connection: index, side: side)) }
                if canFail(.refusal, plan) { events.append(.refuse(connection: index, side: side)) }
            case .ack, .denial:
                guard case .attached = wires[Int(frame.wire)].ends[side].stage else { continue }
                if canFail(.garble, plan) { events.append(.garble(connection: index, side: side)) }
            default: break
            }
        }
        guard !connection.isLost, connection.link == 0, wires.contains(where: { $0.connection == index && !$0.isGone })
        else { return }
        if canFail(.loss, plan) { events.append(.lose(connection: index, isSilent: false)) }
        if canFail(.silence, plan) { events.append(.lose(connection: index, isSilent: true)) }
    }

    private func legs(on connection: Int, _ side: Int) -> Int {
        wires.count { wire in
            guard wire.connection == connection, case .attached = wire.ends[side].stage else { return false }
            return true
        }
    }

    private func appendActs(of spot: Spot, _ plan: Plan, to events: inout [Event]) {
        let me = self[spot]
        if plan.framesFINLate {
            for leg in [Leg.source, .target] where owesFIN(spot, on: leg, plan) { events.append(.frameFIN(spot, leg)) }
        }
        if me.unopened != nil {
            events.append(.open(spot, succeeds: true))
            if isEarly { events.append(.open(spot, succeeds: false)) }
        }
        if me.unarmed != nil { events.append(.arm(spot)) }
        if plan.prunes, isEarly, let left = me.left, mayPrune(me, left, plan) { events.append(.prune(spot)) }
        if me.unread > 0, plan.readers[spot.side] == .late { events.append(.read(spot)) }
        guard me.isOpen, !me.isAborted else { return }
        if me.written < plan.bytes[spot.side] {
            events.append(.write(spot))
        } else if plan.closes[spot.side], !me.isClosed {
            events.append(.close(spot))
        }
        guard isEarly, link(of: spot) == 0 else { return }
        if me.attempts > 0, mayBegin(spot, plan) { events.append(.begin(spot)) }
        if canFail(.expiry, plan), deadline(of: spot, plan) != nil { events.append(.expire(spot)) }
        if canFail(.abort, plan), !me.machine.isEnded { events.append(.abort(spot)) }
    }

    private func mayBegin(_ spot: Spot, _ plan: Plan) -> Bool {
        let me = self[spot]
        guard me.unopened == nil, me.stale == 0 || plan.mutant == .movesOverUnread else { return false }
        var machine = me.machine
        do {
            try machine.begin(target: .max, at: .zero)
            return true
        } catch {
            return false
        }
    }

    private func mayPrune(_ side: Side, _ left: Side.Left, _ plan: Plan) -> Bool {
        let connection = wires[left.wire].connection
        // A connection that carries other streams is not in the way.
        let isShared = wires.indices.contains { $0 != left.wire && wires[$0].connection == connection }
        guard !connections[connection].isLost, !isShared else { return false }
        return switch plan.mutant {
        case .initiatorPrunesEarly: left.role == .initiator
        case .responderPrunes: left.role == .responder
        default: side.machine.mayCloseSourceAbruptly
        }
    }

    private func appendIntrusions(_ plan: Plan, to events: inout [Event]) {
        guard let intruder = plan.intruder, actsLeft > 0, isEarly else { return }
        let own = streams[streams.count - 1].sides.second.machine.id
        for id in streams[0].sides.first.machine.ids.sorted() {
            if id != own { events.append(.intrude(.migrate(from: Int(id)))) }
            // What it labelled it may name: then nothing could be said of the answers to a second act.
            if intruder.acts == 1 { events.append(.intrude(.label(Int(id)))) }
        }
        events.append(.intrude(.wrongParity))
        events.append(.intrude(.toItself))
    }

    // MARK: Time

    /// When a machine's next deadline counts: not while what keeps it waiting is its own application (SM-F8).
    func deadline(of spot: Spot, _ plan: Plan) -> Instant? {
        let me = self[spot]
        guard plan.mutant != .deadlineNotArmed, let deadline = me.machine.nextDeadline else { return nil }
        let waitsForAnswer = me.machine.isMigrating && !me.machine.isHandingOff
        return me.unread == 0 || waitsForAnswer ? deadline : nil
    }

    /// Whether a deadline, or a silent loss, is still to be noticed.
    private func hasToWait(_ plan: Plan) -> Bool {
        nextDeadline(plan) != nil || connections.contains { $0.isSilent && ($0.owesLoss.first || $0.owesLoss.second) }
    }

    func nextDeadline(_ plan: Plan) -> Instant? {
        var deadlines = spots.compactMap { deadline(of: $0, plan) }
        if plan.mutant != .unknownHeldForever {
            for link in links { deadlines += [link.tables.first, link.tables.second].compactMap(\.nextDeadline) }
        }
        return deadlines.min()
    }
}
