import OxbowCore
package import OxbowMigration

/// What goes along with a walk: its plan, what it counts, and who watches.
package final class Run {
    package let plan: Plan
    package var tally = Tally()
    /// Gets every call of a machine, when transitions are recorded.
    package var record: ((Transition) -> Void)?
    /// Gets every action of a machine, when a chart is drawn.
    package var note: ((Spot, MigrationAction) -> Void)?

    package init(_ plan: Plan) {
        self.plan = plan
    }
}

extension World {
    /// Lets an event happen, and everything that follows from it at once.
    package mutating func apply(_ event: Event, _ run: Run) throws(Violation) {
        let before = run.plan.intruder == nil ? nil : self
        try happen(event, run)
        trim()
        try checkAlways(run.plan)
        if let before { try checkIsolation(of: event, since: before) }
    }

    private mutating func happen(_ event: Event, _ run: Run) throws(Violation) {
        switch event {
        case .write(let spot):
            self[spot].written += 1
            try settle(spot, run)
        case .close(let spot):
            self[spot].isClosed = true
            try step(spot, run, .closeWrite) { machine, _ in
                machine.closeWrite()
                return []
            }
            try settle(spot, run)
        case .read(let spot):
            try take(self[spot].unread, spot, run)
            try settle(spot, run)
        case .begin(let spot):
            try begin(spot, run)
        case .open(let spot, let succeeds):
            try open(spot, succeeds: succeeds, run)
        case .deliver(let connection, let side):
            try deliver(connection, side, run)
        case .frameFIN(let spot, let leg):
            try frameFIN(spot, leg, run)
            try settle(spot, run)
        case .arm(let spot):
            try arm(spot, run)
        case .learnLoss(let connection, let side, let isReversed):
            try learnLoss(connection, side, isReversed: isReversed, run)
        case .intrude(let intrusion):
            actsLeft -= 1
            try intrude(intrusion, run)
        case .elapse:
            try elapse(run)
        case .prune(let spot):
            if let left = self[spot].left { lose(wires[left.wire].connection, isSilent: false) }
            self[spot].left = nil
        case .deny(let connection, let side):
            denialsLeft -= 1
            let frame = connections[connection].toward[side].removeFirst()
            try deny(Int(frame.wire), side, run.plan)
        case .lose, .expire, .abort, .refuse, .garble:
            faultsLeft -= 1
            try fault(event, run)
        }
    }

    private mutating func fault(_ event: Event, _ run: Run) throws(Violation) {
        switch event {
        case .lose(let connection, let isSilent):
            lose(connection, isSilent: isSilent)
        case .expire(let spot):
            guard let late = self[spot].machine.nextDeadline else { return }
            try tick(spot, at: late, run)
        case .abort(let spot):
            try abort(spot, run)
        case .refuse(let connection, let side):
            let frame = connections[connection].toward[side].removeFirst()
            reset(Int(frame.wire), by: side)
        case .garble(let connection, let side):
            let frame = connections[connection].toward[side].removeFirst()
            guard case .attached(let stream) = wires[Int(frame.wire)].ends[side].stage else { return }
            let spot = Spot(stream: stream, side: side)
            guard let leg = self[spot].leg(of: Int(frame.wire)) else { return }
            try step(spot, run, .answeredWrongly(leg)) { $0.answeredWrongly(on: leg, at: $1) }
            try settle(spot, run)
        default:
            break
        }
    }

    // MARK: Attempts

    /// The table's part first, then the machine's, then the target is opened: as the driver does it.
    private mutating func begin(_ spot: Spot, _ run: Run) throws(Violation) {
        let link = link(of: spot)
        self[spot].attempts -= 1
        guard links[link].tables[spot.side].beginMigration() else { return }
        let id = try assign(spot, run.plan)
        var failure: MigrationRefusal?
        try step(spot, run, .begin) { machine, now in
            do throws(MigrationRefusal) { try machine.begin(target: id, at: now) } catch { failure = error }
            return []
        }
        if let failure { throw Violation(.p3, "side \(spot.side) can't begin: \(failure)") }
        self[spot].counted += 1
        self[spot].unopened = id
        if !run.plan.opensLate { try open(spot, succeeds: true, run) }
    }

    private mutating func assign(_ spot: Spot, _ plan: Plan) throws(Violation) -> UInt64 {
        let link = link(of: spot)
        let id: UInt64
        do throws(MigrationRefusal) {
            id = try links[link].tables[spot.side].assign(to: StreamKey(rawValue: UInt64(spot.stream)))
        } catch {
            throw Violation(.p3, "side \(spot.side) gets no id: \(error)")
        }
        if let newest = links[link].newest[spot.side], id <= newest {
            throw Violation(.ids, "side \(spot.side) gives id \(id) a second time")
        }
        links[link].newest[spot.side] = id
        return id
    }

    /// The attempt may have ended, or given way, before its target is open: then its Migrate isn't sent.
    private mutating func open(_ spot: Spot, succeeds: Bool, _ run: Run) throws(Violation) {
        guard let id = self[spot].unopened else { return }
        self[spot].unopened = nil
        let isYielded = self[spot].machine.yieldedID == id
        let isWanted = self[spot].machine.targetID == id && self[spot].target == nil
        if isYielded {
            try step(spot, run, .lost(.yielded)) { $0.lost(.yielded, at: $1) }
        } else if isWanted, succeeds, canOpen(spot, run.plan), let from = self[spot].machine.id {
            let wire = addWire(run.plan, link: link(of: spot), opener: spot.side, stage: .attached(spot.stream))
            self[spot].target = wire
            try send(.migrate, value: Int(id), from: Int(from), by: spot.side, on: wire)
        } else if isWanted {
            try step(spot, run, .withdraw) { $0.withdrawAttempt(at: $1) }
        }
        try settle(spot, run)
    }

    /// A connection that this side knows to be gone takes no new streams.
    private func canOpen(_ spot: Spot, _ plan: Plan) -> Bool {
        guard let index = connection(for: plan, link: link(of: spot)) else { return true }
        return !connections[index].isLost || connections[index].owesLoss[spot.side]
    }

    // MARK: Losses and time

    private mutating func learnLoss(
        _ connection: Int, _ side: Int, isReversed: Bool, _ run: Run
    ) throws(Violation) {
        connections[connection].toward[side] = []
        connections[connection].owesLoss[side] = false
        let own = wires.indices.filter { wires[$0].connection == connection && wires[$0].ends[side].stage != .gone }
        var spots: Set<Spot> = []
        for wire in isReversed ? own.reversed() : own {
            if let spot = try endedByPeer(wire, side, run) { spots.insert(spot) }
        }
        for spot in spots.sorted(by: { $0.stream < $1.stream }) { try settle(spot, run) }
    }

    /// An underlying stream was reset by the other side, or its connection lost.
    mutating func endedByPeer(_ wire: Int, _ side: Int, _ run: Run) throws(Violation) -> Spot? {
        let stage = wires[wire].ends[side].stage
        leave(wire, side)
        switch stage {
        case .held:
            if run.plan.mutant != .heldOutlivesConnection {
                _ = links[link(of: wire)].tables[side].release { $0.ticket == UInt64(wire) }
            }
            return nil
        case .attached(let stream):
            let spot = Spot(stream: stream, side: side)
            self[spot].unarmed = nil
            guard let leg = self[spot].leg(of: wire) else { return nil }
            if run.plan.mutant == .responderGoesBack, leg == .target, let before = self[spot].beforeAccept {
                self[spot].machine = before
                self[spot].target = nil
                links[link(of: spot)].tables[side].endMigration()
                self[spot].counted -= 1
                return spot
            }
            self[spot].forget(leg)
            if leg == .target { self[spot].parked = [] }
            try step(spot, run, .lost(leg)) { $0.lost(leg, at: $1) }
            return spot
        case .unheard, .abandoned, .raw, .gone:
            return nil
        }
    }

    /// The application ends the stream: every leg is reset (SM-F9).
    private mutating func abort(_ spot: Spot, _ run: Run) throws(Violation) {
        let ids = self[spot].machine.ids
        try step(spot, run, .abort) { machine, _ in
            machine.abort()
            return []
        }
        giveUp(spot, ids: ids, run.plan)
        try settle(spot, run)
    }

    func isStalled(_ spot: Spot) -> Bool { self[spot].unread > 0 }

    mutating func tick(_ spot: Spot, at time: Instant, _ run: Run) throws(Violation) {
        let isStalled = isStalled(spot)
        let before = now
        now = time
        try step(spot, run, .tick) { $0.tick(at: $1, isReaderStalled: isStalled) }
        try settle(spot, run)
        now = before
    }

    /// Turns the clock to the next deadline; when there is none, silent losses are noticed at last.
    private mutating func elapse(_ run: Run) throws(Violation) {
        guard let next = nextDeadline(run.plan) else {
            try checkWaits()
            for index in connections.indices { connections[index].isSilent = false }
            return
        }
        now = max(now, next)
        for spot in spots {
            guard let deadline = deadline(of: spot, run.plan), deadline <= now else { continue }
            try tick(spot, at: now, run)
        }
        for link in links.indices {
            for side in 0...1 {
                for held in links[link].tables[side].held where held.deadline ?? .distantFuture <= now {
                    expireHeld(held, link, side)
                }
            }
        }
    }

    /// SM-F6: unless the stream that it names is known by now; then it waits for that one's own progress.
    private mutating func expireHeld(_ held: HeldMigrate, _ link: Int, _ side: Int) {
        if case .live = links[link].tables[side].lookup(from: held.from) {
            links[link].tables[side].unlimitHeld(held.ticket)
            return
        }
        _ = links[link].tables[side].release { $0.ticket == held.ticket }
        reset(Int(held.ticket), by: side)
    }
}
