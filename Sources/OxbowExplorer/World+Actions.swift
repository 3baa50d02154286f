import OxbowCore
package import OxbowMigration

/// A call of a machine, as a driver makes it.
package enum Call: Hashable, Sendable {
    case closeWrite, negotiated, begin, withdraw, accept, abort, tick
    case finFramed(Leg), finRead(Leg), dataRead(Leg), lost(Leg), answeredWrongly(Leg)
    case answered(Leg, Bool)
}

/// A call of a machine, and what came of it.
package struct Transition: Hashable, Sendable {
    package let before: MigrationSnapshot
    package let call: Call
    package let after: MigrationSnapshot
    package let actions: [MigrationAction]
}

// What follows from an event at one end: the machine's actions, then the levels, until nothing changes.

extension World {
    /// Calls a machine and carries out what it says.
    mutating func step(
        _ spot: Spot, _ run: Run, _ call: Call, _ body: (inout MigrationMachine, Instant) -> [MigrationAction]
    ) throws(Violation) {
        let before = self[spot].machine
        let oldWire = self[spot].wire(before.readLeg)
        let actions = body(&self[spot].machine, now)
        if let record = run.record {
            record(
                Transition(
                    before: before.snapshot, call: call, after: self[spot].machine.snapshot, actions: actions))
        }
        for action in actions {
            run.tally.count(action)
            run.note?(spot, action)
            try perform(action, spot, before, run)
        }
        try followReadLeg(spot, from: oldWire, run)
        // Both its ends have passed: the multiplexer has dropped it.
        if actions.contains(.finished) { self[spot].source = nil }
        // The end stands behind what has just come from the target.
        guard actions.contains(.deliverEOF), !self[spot].hasEndEarly else { return }
        self[spot].hasEnd = true
        try checkEnd(spot)
    }

    private mutating func perform(
        _ action: MigrationAction, _ spot: Spot, _ before: MigrationMachine, _ run: Run
    ) throws(Violation) {
        switch action {
        case .deliverEOF:
            break
        case .close(let leg):
            guard let wire = self[spot].wire(leg) else { return }
            self[spot].forget(leg)
            try abandon(wire, by: spot.side)
        case .reset(let leg):
            guard let wire = self[spot].wire(leg) else { return }
            self[spot].forget(leg)
            reset(wire, by: spot.side)
        case .attemptEnded(let outcome):
            guard outcome != .accepted, let target = before.targetID else { return }
            let link = link(of: spot)
            links[link].tables[spot.side].forget(target)
            if run.plan.mutant == .idReused { links[link].tables[spot.side].counter -= 1 }
            countOff(1, spot, run.plan)
            if outcome != .yielded { self[spot].target = nil }
        case .complete(let id, let was, let role):
            try complete(spot, id: id, was: was, role, run)
        case .finished:
            end(spot, ids: before.ids, run.plan)
        case .fail(let failure):
            let isClean =
                run.plan.mutant == .noTaint || (run.plan.mutant == .denialClearsTaint && self[spot].wasDenied)
            if isClean, failure == .endInDoubt {
                self[spot].hasEnd = true
                try checkEnd(spot)
            }
            guard faultsLeft < run.plan.faults else {
                throw Violation(.p3, "side \(spot.side) aborts without a fault: \(failure)")
            }
            giveUp(spot, ids: before.ids, run.plan)
        }
    }

    private mutating func complete(
        _ spot: Spot, id: UInt64, was: UInt64, _ role: MigrationRole, _ run: Run
    ) throws(Violation) {
        guard let new = self[spot].target else {
            throw Violation(.p7, "side \(spot.side) completes without a target")
        }
        let old = self[spot].source
        self[spot].source = new
        self[spot].target = nil
        self[spot].completions += 1
        if run.plan.mutant != .rowLeft { links[link(of: spot)].tables[spot.side].finish(was) }
        countOff(1, spot, run.plan)
        // A source that was lost after both its ends is gone already.
        if let old, run.plan.prunes { self[spot].left = Side.Left(wire: old, role: role) }
    }

    private mutating func countOff(_ count: Int, _ spot: Spot, _ plan: Plan) {
        self[spot].counted -= count
        guard plan.mutant != .migrationLeftCounted else { return }
        for _ in 0..<count { links[link(of: spot)].tables[spot.side].endMigration() }
    }

    /// The stream is over: its ids are finished.
    private mutating func end(_ spot: Spot, ids: [UInt64], _ plan: Plan) {
        for id in ids { links[link(of: spot)].tables[spot.side].finish(id) }
        countOff(self[spot].counted, spot, plan)
    }

    /// SM-F9: an abort reaches every leg.
    mutating func giveUp(_ spot: Spot, ids: [UInt64], _ plan: Plan) {
        self[spot].isAborted = true
        self[spot].parked = []
        self[spot].unread = 0
        self[spot].stale = 0
        self[spot].unopened = nil
        for leg in Leg.allCases {
            guard let wire = self[spot].wire(leg) else { continue }
            if plan.mutant == .resetReachesOneLeg, leg == .target { continue }
            self[spot].forget(leg)
            reset(wire, by: spot.side)
        }
        end(spot, ids: ids, plan)
    }

    /// The read leg changed: what waited on the new one flows now, behind everything of the old one (SM-M6).
    private mutating func followReadLeg(_ spot: Spot, from oldWire: Int?, _ run: Run) throws(Violation) {
        let me = self[spot]
        guard !me.isAborted, let wire = me.wire(me.machine.readLeg), wire != oldWire else { return }
        self[spot].stale = me.unread
        self[spot].parked = []
        for byte in me.parked { try enqueue(byte, spot, run) }
    }

    // MARK: Levels

    mutating func settle(_ spot: Spot, _ run: Run) throws(Violation) {
        var isChanged = true
        while isChanged {
            isChanged = try frameBytes(spot, run)
            if !run.plan.framesFINLate {
                for leg in [Leg.source, .target] where owesFIN(spot, on: leg, run.plan) {
                    try frameFIN(spot, leg, run)
                    isChanged = true
                }
            }
            if try judgeHeld(spot.side, link(of: spot), run) { isChanged = true }
        }
    }

    /// Where the driver frames. A mutant takes the responder's part of the hand-off for done with the Ack.
    private func writeLeg(_ spot: Spot, _ plan: Plan) -> Leg {
        let machine = self[spot].machine
        if plan.mutant == .responderSwitchesAtOnce, machine.isHandingOff { return .target }
        let isUnended = machine.isHandingOff && !machine.snapshot.isSourceFramed
        return plan.mutant == .finWaitsForWindow && isUnended ? .source : machine.writeLeg
    }

    /// Bytes go into frames as far as the window lets them.
    ///
    /// A reduction, and why it is sound: a driver may frame later than at once. But until a byte is framed it acts like
    /// one that the application has not written yet, except that the application may have closed; and a close that comes
    /// before the byte is framed acts like one right behind it, since FIN goes behind what is pending. Writes come at any
    /// moment here, so every such order is walked.
    private mutating func frameBytes(_ spot: Spot, _ run: Run) throws(Violation) -> Bool {
        var isChanged = false
        while self[spot].framed < self[spot].written, !self[spot].isAborted, !self[spot].machine.isEnded {
            let leg = writeLeg(spot, run.plan)
            guard let wire = self[spot].wire(leg), wires[wire].ends[spot.side].window > 0 else { break }
            wires[wire].ends[spot.side].window -= 1
            let byte = Self.byte(self[spot].framed, to: spot.peer)
            self[spot].framed += 1
            try send(.byte, value: Int(byte), by: spot.side, on: wire)
            self[spot].machine.progress(at: now)
            isChanged = true
        }
        return isChanged
    }

    func owesFIN(_ spot: Spot, on leg: Leg, _ plan: Plan) -> Bool {
        let me = self[spot]
        guard !me.isAborted, let wire = me.wire(leg), !wires[wire].ends[spot.side].isFINSent,
            wires[wire].ends[spot.side].stage != .gone
        else { return false }
        let writeLeg = writeLeg(spot, plan)
        let switchesEarly = plan.mutant == .responderSwitchesAtOnce && me.machine.isHandingOff
        let isWanted = switchesEarly ? leg == .source || me.isClosed : me.machine.wantsFIN(on: leg)
        guard isWanted, leg != writeLeg || me.framed == me.written else { return false }
        return plan.mutant != .finNotMirrored || leg != me.machine.writeLeg || !me.hasSentEnd
    }

    mutating func frameFIN(_ spot: Spot, _ leg: Leg, _ run: Run) throws(Violation) {
        guard let wire = self[spot].wire(leg) else { return }
        if leg == writeLeg(spot, run.plan), leg == self[spot].machine.writeLeg {
            guard self[spot].isClosed else {
                throw Violation(
                    .p5, "side \(spot.side) ends the leg that it writes on, and its application has not closed")
            }
            self[spot].hasSentEnd = true
        } else if run.plan.mutant == .framedAgain, self[spot].framed > 0, self[spot].machine.writeLeg == .target {
            self[spot].framed -= 1
        }
        self[spot].beforeAccept = nil
        try send(.fin, by: spot.side, on: wire)
        try step(spot, run, .finFramed(leg)) { $0.finFramed(on: leg, at: $1) }
    }
}
