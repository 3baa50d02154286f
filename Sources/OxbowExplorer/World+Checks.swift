import OxbowCore
import OxbowMigration

// The properties. P1, P5 and the order of frames are checked where bytes and FINs pass.

extension World {
    // MARK: In every state

    func checkAlways(_ plan: Plan) throws(Violation) {
        for stream in streams.indices {
            for side in 0...1 { try checkAlways(Spot(stream: stream, side: side), plan) }
        }
    }

    private func checkAlways(_ spot: Spot, _ plan: Plan) throws(Violation) {
        let me = self[spot]
        if me.unread + me.parked.count > 2 * plan.window || me.parked.count > plan.window {
            throw Violation(
                .p10,
                "side \(spot.side) keeps \(me.unread) unread and \(me.parked.count) waiting bytes, window \(plan.window)"
            )
        }
        guard me.isOpen, !me.machine.isEnded else { return }
        let table = links[link(of: spot)].tables[spot.side]
        let key = StreamKey(rawValue: UInt64(spot.stream))
        for id in [me.machine.id, me.machine.targetID] {
            guard let id, table.lookup(from: id) != .live(key) else { continue }
            throw Violation(.ids, "the table of side \(spot.side) doesn't have its live id \(id)")
        }
    }

    /// P2, when an end is put before the application.
    func checkEnd(_ spot: Spot) throws(Violation) {
        let (me, peer) = (self[spot], self[spot.peer])
        guard peer.isClosed, peer.written == me.received + me.unread, me.parked.isEmpty else {
            throw Violation(
                .p2,
                "side \(spot.side) gets an end after \(me.received + me.unread) of \(peer.written) bytes"
                    + (peer.isClosed ? "" : ", and the peer has not closed"))
        }
    }

    /// SM-L3: what passes between two peers changes nothing of what the third has with one of them.
    func checkIsolation(of event: Event, since before: World) throws(Violation) {
        let touched: Int
        switch event {
        case .deliver(let connection, _), .deny(let connection, _), .refuse(let connection, _),
            .garble(let connection, _), .learnLoss(let connection, _, _):
            touched = connections[connection].link
        case .intrude: touched = 1
        default: return
        }
        for link in links.indices where link != touched && links[link] != before.links[link] {
            throw Violation(.ids, "a frame of one peer changes the table of another")
        }
        for stream in streams.indices where streams[stream].link != touched && streams[stream] != before.streams[stream]
        {
            throw Violation(.ids, "a frame of one peer changes another peer's stream")
        }
    }

    // MARK: At rest

    /// Checks a world in which nothing more has to happen, and for which no deadline is left to pass.
    package func checkRest(_ plan: Plan) throws(Violation) {
        try checkTime(plan)
        for link in links.indices { try checkTables(link) }
        for spot in spots where self[spot].isOpen {
            try checkLegs(spot, plan)
            if self[spot].isAborted { continue }
            try checkComplete(spot, plan)
        }
        for (index, wire) in wires.enumerated() {
            for side in 0...1 { try checkLeft(index, wire.ends[side].stage, side) }
        }
    }

    /// P8. Each answer, each hand-off and each end takes no longer than its deadline, and a hand-off's starts anew with
    /// each frame.
    private func checkTime(_ plan: Plan) throws(Violation) {
        let configuration = MigrationConfiguration()
        var bound = configuration.unknownFromTimeout + configuration.endTimeout * 2
        let frames = plan.bytes.reduce(0, +) + 4
        for _ in 0..<(plan.attempts.reduce(0, +) + plan.faults) {
            bound += configuration.answerTimeout + configuration.handOffTimeout * frames
        }
        guard now - .zero <= bound else { throw Violation(.p8, "at rest only after \(now - .zero)") }
    }

    /// P8: when every deadline has passed, no migration waits for one, even though nobody was told of a loss.
    func checkWaits() throws(Violation) {
        for spot in spots where self[spot].machine.isMigrating && self[spot].unread == 0 {
            throw Violation(.p8, "side \(spot.side) waits in a migration, and no deadline will end that")
        }
    }

    private func checkTables(_ index: Int) throws(Violation) {
        for side in 0...1 {
            let table = links[index].tables[side]
            guard table.held.isEmpty else { throw Violation(.p7, "side \(side) still holds a Migrate") }
            guard table.migrations == 0 else { throw Violation(.p7, "side \(side) still counts a migration") }
            let live = streams.count { stream in
                let end = stream.sides[side]
                return stream.link == index && end.isOpen && !end.machine.isEnded
            }
            guard table.liveCount == live else {
                throw Violation(.p7, "side \(side) has \(table.liveCount) rows for \(live) streams")
            }
        }
    }

    private func checkLegs(_ spot: Spot, _ plan: Plan) throws(Violation) {
        let me = self[spot]
        guard !me.machine.isMigrating else {
            throw Violation(.p4, "side \(spot.side) hangs in a migration")
        }
        guard me.target == nil, me.yielded == nil, me.unopened == nil, me.parked.isEmpty, me.counted == 0 else {
            throw Violation(.p7, "side \(spot.side) has a leg left")
        }
        guard me.machine.nextDeadline == nil || me.unread > 0 else {
            throw Violation(.p8, "side \(spot.side) has a deadline left")
        }
        guard me.completions <= plan.attempts.reduce(0, +) else {
            throw Violation(.p9, "side \(spot.side) moved \(me.completions) times")
        }
    }

    private func checkLeft(_ index: Int, _ stage: Wire.End.Stage, _ side: Int) throws(Violation) {
        switch stage {
        case .gone: return
        case .attached(let stream):
            let me = streams[stream].sides[side]
            if me.source == index, !me.machine.isEnded { return }
        case .unheard, .held, .abandoned, .raw: break
        }
        throw Violation(.p7, "side \(side) has the underlying stream \(index) left")
    }

    /// A side that was not aborted has all that the other wrote, and its end, unless that other was aborted: then it
    /// must have come to its own end before. A reader that never reads has it before it.
    private func checkComplete(_ spot: Spot, _ plan: Plan) throws(Violation) {
        let (me, peer) = (self[spot], self[spot.peer])
        guard peer.isOpen else { throw Violation(.p4, "side \(spot.side) waits for a peer that never heard of it") }
        if peer.isAborted {
            guard me.machine.isEnded else { throw Violation(.p6, "side \(spot.side) goes on after the other's abort") }
            return
        }
        let isBlocked = plan.readers[spot.side] == .never && peer.framed < peer.written
        let isComplete = me.received + me.unread == peer.written && me.hasEnd == plan.closes[1 - spot.side]
        guard isComplete || isBlocked else {
            throw Violation(.p4, "side \(spot.side) hangs at byte \(me.received), end \(me.hasEnd)")
        }
        guard peer.isClosed == me.hasEnd || isBlocked else {
            throw Violation(.p5, "side \(spot.side) sees another half-close than the peer's")
        }
        let isOver = plan.closes == [true, true]
        let mayBeBlocked = plan.readers.contains(.never)
        guard me.machine.isEnded == isOver || mayBeBlocked else {
            throw Violation(.p7, "side \(spot.side) is \(me.machine.isEnded ? "" : "not ")at its end")
        }
    }
}

// MARK: - The third peer

extension World {
    mutating func intrude(_ intrusion: Intrusion, _ run: Run) throws(Violation) {
        let own = streams.count - 1
        let newest = (links[1].newest.second ?? 1) + 2 * UInt64(links[1].opened) + 16
        guard let ownID = streams[own].sides.second.machine.id else { return }
        switch intrusion {
        case .migrate(let from):
            let isUnknown = links[1].tables.first.lookup(from: UInt64(from)) == .unknown
            let wire = addWire(run.plan, link: 1, opener: 1, stage: .raw(mustStayUnknown: isUnknown))
            // One more than an id that this side could give: odd, as the higher peer's are.
            try send(.migrate, value: Int(newest | 1), from: from, by: 1, on: wire)
        case .wrongParity:
            let wire = addWire(run.plan, link: 1, opener: 1, stage: .raw(mustStayUnknown: false))
            try send(.migrate, value: Int(newest & ~1), from: Int(ownID), by: 1, on: wire)
        case .toItself:
            let wire = addWire(run.plan, link: 1, opener: 1, stage: .raw(mustStayUnknown: false))
            try send(.migrate, value: Int(ownID), from: Int(ownID), by: 1, on: wire)
        case .label(let id):
            let wire = addWire(run.plan, link: 1, opener: 1, stage: .raw(mustStayUnknown: false))
            try send(.label, value: id, by: 1, on: wire)
        }
    }

    /// What the third peer is answered: never an Ack for what isn't its own, and nothing that tells an id of the other
    /// two from one that was never given (SM-F6).
    mutating func raw(_ frame: Frame, _ side: Int, mustStayUnknown: Bool) throws(Violation) {
        let wire = Int(frame.wire)
        switch frame.kind {
        case .ack where side == 1 && link(of: wire) == 1:
            throw Violation(.ids, "the third peer's Migrate is accepted")
        case .denial where mustStayUnknown:
            throw Violation(.ids, "the third peer learns that an id is in use between the other two")
        case .reset:
            leave(wire, side)
        case .fin:
            wires[wire].ends[side].isFINRead = true
            // A mutant's responder also leaves a stream like this; that one never ends it.
            if link(of: wire) == 1, !wires[wire].ends[side].isFINSent { try send(.fin, by: side, on: wire) }
            endIfFinished(wire, side)
        default: break
        }
    }
}
