import OxbowCore
import OxbowMigration

// What becomes of a Migrate: the tables' part, then the machine's, as the driver asks them.

extension World {
    /// - Returns: false when the Migrate has to wait.
    mutating func judge(
        _ migrate: HeldMigrate, _ side: Int, _ link: Int, isRepeated: Bool, _ run: Run
    ) throws(Violation) -> Bool {
        let wire = Int(migrate.ticket)
        let mutant = run.plan.mutant
        if migrate.id == migrate.from, mutant != .duplicateAccepted {
            return try refuse(migrate, side, link, byReset: false, run)
        }
        switch lookup(migrate.from, side, link, run.plan) {
        case .finished:
            return try refuse(migrate, side, link, byReset: mutant == .finishedIsReset, run)
        case .unknown where mutant == .unknownIsDenied:
            return try refuse(migrate, side, link, byReset: false, run)
        case .unknown:
            return try hold(
                migrate, until: now + MigrationConfiguration().unknownFromTimeout, side, link, isRepeated, run)
        case .live(let key):
            guard key.rawValue < UInt64(streams.count) else {
                return try refuse(migrate, side, link, byReset: false, run)
            }
            switch register(migrate.id, for: key, side, link, run.plan) {
            case .registered: break
            case .wrongParity: return try refuse(migrate, side, link, byReset: false, run)
            case .duplicate, .full: return try refuse(migrate, side, link, byReset: true, run)
            }
            guard links[link].tables[side].beginMigration() else {
                links[link].tables[side].forget(migrate.id)
                return try refuse(migrate, side, link, byReset: true, run)
            }
            let spot = Spot(stream: Int(key.rawValue), side: side)
            guard let judgement = try judge(migrate, spot, run) else { return true }
            if judgement != .accept {
                links[link].tables[side].forget(migrate.id)
                links[link].tables[side].endMigration()
            }
            switch judgement {
            case .hold: return try hold(migrate, until: nil, side, link, isRepeated, run)
            case .deny: return try refuse(migrate, side, link, byReset: false, run)
            case .accept:
                wires[wire].ends[side].stage = .attached(spot.stream)
                try accept(migrate, spot, run)
                return true
            }
        }
    }

    /// What the machine says, and what mutants make of it. Nil when the Migrate was answered by a reset in its place.
    private mutating func judge(
        _ migrate: HeldMigrate, _ spot: Spot, _ run: Run
    ) throws(Violation) -> MigrateJudgement? {
        let me = self[spot]
        let isAsking = me.machine.isMigrating && !me.machine.isHandingOff
        var judgement = me.machine.judge(from: migrate.from)
        // A third window would fill while the application hasn't read what came on the leg before the last (P10).
        if judgement == .accept, me.stale > 0, run.plan.mutant != .movesOverUnread { judgement = .hold }
        let isMisjudged =
            switch run.plan.mutant {
            case .noHoldForOwnTarget: judgement == .hold && isAsking
            case .glareLoserResets: judgement == .accept && isAsking
            default: false
            }
        guard isMisjudged else { return judgement }
        let link = link(of: spot)
        links[link].tables[spot.side].forget(migrate.id)
        links[link].tables[spot.side].endMigration()
        _ = try refuse(migrate, spot.side, link, byReset: true, run)
        return nil
    }

    private func lookup(_ id: UInt64, _ side: Int, _ link: Int, _ plan: Plan) -> FromLookup {
        let own = links[link].tables[side].lookup(from: id)
        guard own == .unknown, plan.mutant == .sharedTable, side == 0 else { return own }
        return links[0].tables[0].lookup(from: id)
    }

    mutating func register(
        _ id: UInt64, for key: StreamKey, _ side: Int, _ link: Int, _ plan: Plan
    ) -> LabelVerdict {
        let verdict = links[link].tables[side].register(id, for: key)
        switch (verdict, plan.mutant) {
        case (.wrongParity, .noParityCheck), (.duplicate, .duplicateAccepted): return .registered
        default: return verdict
        }
    }

    /// - Returns: false: the Migrate waits.
    private mutating func hold(
        _ migrate: HeldMigrate, until deadline: Instant?, _ side: Int, _ link: Int, _ isRepeated: Bool, _ run: Run
    ) throws(Violation) -> Bool {
        if isRepeated {
            _ = links[link].tables[side].limitHeld(migrate.ticket, until: deadline)
            return false
        }
        let held = HeldMigrate(ticket: migrate.ticket, id: migrate.id, from: migrate.from, deadline: deadline)
        guard links[link].tables[side].hold(held) else {
            return try refuse(migrate, side, link, byReset: true, run)
        }
        run.tally.held += 1
        wires[Int(migrate.ticket)].ends[side].stage = .held
        return false
    }

    /// - Returns: whether one of the waiting Migrates could be judged.
    mutating func judgeHeld(_ side: Int, _ link: Int, _ run: Run) throws(Violation) -> Bool {
        guard run.plan.mutant != .heldNeverReleased else { return false }
        for held in links[link].tables[side].held where wires[Int(held.ticket)].ends[side].stage == .held {
            guard try judge(held, side, link, isRepeated: true, run) else { continue }
            _ = links[link].tables[side].release { $0.ticket == held.ticket }
            return true
        }
        return false
    }

    private mutating func refuse(
        _ migrate: HeldMigrate, _ side: Int, _ link: Int, byReset: Bool, _ run: Run
    ) throws(Violation) -> Bool {
        if byReset {
            reset(Int(migrate.ticket), by: side)
        } else {
            try deny(Int(migrate.ticket), side, run.plan)
        }
        return true
    }

    mutating func deny(_ wire: Int, _ side: Int, _ plan: Plan) throws(Violation) {
        try send(.denial, by: side, on: wire)
        if plan.mutant == .denialLeavesTarget {
            wires[wire].ends[side].stage = .raw(mustStayUnknown: false)
        } else {
            try abandon(wire, by: side)
        }
    }

    /// SM-M3: the machine is armed before the Ack is out.
    private mutating func accept(_ migrate: HeldMigrate, _ spot: Spot, _ run: Run) throws(Violation) {
        let wire = Int(migrate.ticket)
        if run.plan.mutant == .ackBeforeArmed, self[spot].target == nil {
            self[spot].unarmed = migrate
            self[spot].counted += 1
            return try send(.ack, by: spot.side, on: wire)
        }
        if run.plan.mutant == .responderGoesBack { self[spot].beforeAccept = self[spot].machine }
        self[spot].counted += 1
        if self[spot].target != nil { self[spot].yielded = self[spot].target }
        self[spot].target = wire
        let id = migrate.id
        try step(spot, run, .accept) { $0.accept(target: id, at: $1) }
        try send(.ack, by: spot.side, on: wire)
        try settle(spot, run)
    }

    mutating func arm(_ spot: Spot, _ run: Run) throws(Violation) {
        guard let migrate = self[spot].unarmed else { return }
        self[spot].unarmed = nil
        guard self[spot].machine.judge(from: migrate.from) == .accept else { return }
        self[spot].target = Int(migrate.ticket)
        try step(spot, run, .accept) { $0.accept(target: migrate.id, at: $1) }
        try settle(spot, run)
    }
}
