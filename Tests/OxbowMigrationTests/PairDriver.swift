import OxbowCore
import OxbowMigration

/// What a real driver does around a machine: it reports what was read and framed, carries out actions, and applies
/// the levels (``MigrationMachine/readLeg``, ``MigrationMachine/writeLeg``, ``MigrationMachine/wantsFIN(on:)``) after
/// every event.
extension PairWorld {
    mutating func apply(_ event: PairEvent, _ plan: PairPlan, _ tally: inout PairTally) throws(Violation) {
        var run = PairRun(plan: plan, tally: tally)
        switch event {
        case .write(let side):
            try write(side)
            try settle(side, &run)
        case .close(let side):
            sides[side].isClosed = true
            sides[side].machine.closeWrite()
            try settle(side, &run)
        case .begin(let side):
            try begin(side)
        case .read(let side, let wire):
            try read(side, wire, &run)
            try settle(side, &run)
        case .frameFIN(let side, let wire):
            try frameFIN(side, wire, &run)
            try settle(side, &run)
        case .learnLoss(let side, let wire):
            try ended(side, wire, &run)
            try settle(side, &run)
        case .prune(let side):
            if let left = sides[side].left { lose(left.wire) }
            sides[side].left = nil
        case .lose(let wire):
            faultsLeft -= 1
            lose(wire)
        case .expire(let side):
            faultsLeft -= 1
            let late = sides[side].machine.nextDeadline ?? .zero
            try perform(sides[side].machine.tick(at: late, isReaderStalled: false), side, &run)
            try settle(side, &run)
        case .abort(let side):
            faultsLeft -= 1
            sides[side].machine.abort()
            abandon(side)
            try settle(side, &run)
        case .refuse(let side, let wire):
            faultsLeft -= 1
            reset(wire, by: side)
        case .deny(let side, let wire):
            denialsLeft -= 1
            try deny(wire, side)
        }
        tally = run.tally
    }
}

/// What goes through one event.
struct PairRun {
    let plan: PairPlan
    var tally: PairTally
}

// MARK: - Events

extension PairWorld {
    private mutating func write(_ side: Int) throws(Violation) {
        let byte = UInt8(100 * side + sides[side].written)
        sides[side].written += 1
        guard let wire = sides[side].wire(sides[side].machine.writeLeg) else { return }
        try send(.byte(byte), from: side, on: wire)
        sides[side].machine.progress(at: .zero)
    }

    private mutating func begin(_ side: Int) throws(Violation) {
        let wire = wires.count
        let id = Self.id(ofWire: wire, openedBy: side)
        guard let from = sides[side].machine.id else { return }
        do {
            try sides[side].machine.begin(target: id, at: .zero)
        } catch {
            throw Violation(property: .p3, text: "side \(side) can't begin: \(error)")
        }
        sides[side].attempts -= 1
        sides[side].isAsking = true
        sides[side].target = wire
        wires.append(PairWire())
        try send(.migrate(id: id, from: from), from: side, on: wire)
    }

    private mutating func read(_ side: Int, _ wire: Int, _ run: inout PairRun) throws(Violation) {
        let item = wires[wire].toward[side].removeFirst()
        let leg = sides[side].leg(of: wire)
        switch (item, leg) {
        case (.migrate(let id, let from), nil):
            let migrate = HeldMigrate(ticket: UInt64(wire), id: id, from: from, deadline: nil)
            if try !judge(migrate, side, &run) { sides[side].held.append(migrate) }
        case (.answer(let accepted), .target?), (.answer(let accepted), .yielded?):
            try answered(accepted, leg ?? .target, side, &run)
        case (.byte(let byte), let leg?):
            try readByte(byte, leg, side, &run)
        case (.fin, let leg?):
            try readFIN(leg, side, &run)
        case (.reset, _):
            try ended(side, wire, &run)
        default:
            throw Violation(property: .p7, text: "side \(side) reads \(item) on \(wire), which is nothing of its own")
        }
    }

    private mutating func readByte(_ byte: UInt8, _ leg: Leg, _ side: Int, _ run: inout PairRun) throws(Violation) {
        if sides[side].machine.watchesData {
            try perform(sides[side].machine.dataRead(on: leg, at: .zero), side, &run)
        }
        guard !sides[side].isAborted else { return }
        if leg == .target, sides[side].machine.readLeg != .target {
            sides[side].parked.append(byte)
        } else {
            try deliver(byte, side)
        }
    }

    private mutating func readFIN(_ leg: Leg, _ side: Int, _ run: inout PairRun) throws(Violation) {
        let mutant = run.plan.mutant
        if leg == .source {
            let isEnd = mutant == .everyFINIsEnd || (mutant == .finNotHeld && sides[side].isAsking)
            if isEnd, !sides[side].hasEnd {
                try deliverEnd(side)
                sides[side].hasEndEarly = true
            }
            if mutant == .everyFINCloses, !sides[side].machine.isMigrating {
                sides[side].isClosed = true
                sides[side].machine.closeWrite()
            }
            if mutant == .switchOnDeliveredEnd, !run.plan.reads[side], sides[side].received > 0 {
                sides[side].withheldFIN = true
                return
            }
        }
        try perform(sides[side].machine.finRead(on: leg, at: .zero), side, &run)
    }

    /// An underlying stream was reset by the other side, or its connection lost.
    private mutating func ended(_ side: Int, _ wire: Int, _ run: inout PairRun) throws(Violation) {
        leave(wire, side)
        sides[side].held.removeAll { $0.ticket == UInt64(wire) }
        guard let leg = sides[side].leg(of: wire) else { return }
        if run.plan.mutant == .responderGoesBack, leg == .target, let before = sides[side].beforeAccept {
            sides[side].machine = before
            sides[side].target = nil
            return
        }
        forget(leg, side)
        try perform(sides[side].machine.lost(leg, at: .zero), side, &run)
    }

    private mutating func frameFIN(_ side: Int, _ wire: Int, _ run: inout PairRun) throws(Violation) {
        guard let leg = sides[side].leg(of: wire) else { return }
        if leg == sides[side].machine.writeLeg { sides[side].hasSentEnd = true }
        sides[side].beforeAccept = nil
        try send(.fin, from: side, on: wire)
        try perform(sides[side].machine.finFramed(on: leg, at: .zero), side, &run)
    }

    func owesFIN(_ side: Int, on wire: Int, _ plan: PairPlan) -> Bool {
        let me = sides[side]
        guard let leg = me.leg(of: wire), !wires[wire].finSent[side], me.machine.wantsFIN(on: leg) else { return false }
        return plan.mutant != .finNotMirrored || leg != me.machine.writeLeg || !me.hasSentEnd
    }
}

// MARK: - Migrates

extension PairWorld {
    /// - Returns: false when the Migrate has to wait.
    private mutating func judge(
        _ migrate: HeldMigrate, _ side: Int, _ run: inout PairRun
    ) throws(Violation) -> Bool {
        let wire = Int(migrate.ticket)
        let me = sides[side]
        let judgement = me.machine.judge(from: migrate.from)
        let isFinished = me.machine.isEnded || (me.machine.id != migrate.from && me.machine.targetID != migrate.from)
        switch run.plan.mutant {
        case .finishedIsReset where judgement == .deny && isFinished,
            .noHoldForOwnTarget where judgement == .hold && me.isAsking,
            .glareLoserResets where judgement == .accept && me.isAsking:
            reset(wire, by: side)
            return true
        default: break
        }
        switch judgement {
        case .hold: return false
        case .accept: try accept(migrate, side, &run)
        case .deny: try deny(wire, side)
        }
        return true
    }

    private mutating func deny(_ wire: Int, _ side: Int) throws(Violation) {
        try send(.answer(accepted: false), from: side, on: wire)
        try send(.fin, from: side, on: wire)
        leave(wire, side)
    }

    private mutating func accept(_ migrate: HeldMigrate, _ side: Int, _ run: inout PairRun) throws(Violation) {
        let wire = Int(migrate.ticket)
        if run.plan.mutant == .responderGoesBack { sides[side].beforeAccept = sides[side].machine }
        if sides[side].isAsking { sides[side].yielded = sides[side].target }
        sides[side].target = wire
        // SM-M3: the machine is armed before the Ack is out.
        let actions = sides[side].machine.accept(target: migrate.id, at: .zero)
        try send(.answer(accepted: true), from: side, on: wire)
        try perform(actions, side, &run)
    }

    private mutating func answered(
        _ accepted: Bool, _ leg: Leg, _ side: Int, _ run: inout PairRun
    ) throws(Violation) {
        try perform(sides[side].machine.answered(accepted: accepted, on: leg, at: .zero), side, &run)
    }
}

// MARK: - Consequences

extension PairWorld {
    private mutating func perform(
        _ actions: [MigrationAction], _ side: Int, _ run: inout PairRun
    ) throws(Violation) {
        for action in actions {
            run.tally.count(action)
            switch action {
            case .deliverEOF:
                try flushParked(side)
                if !sides[side].hasEndEarly { try deliverEnd(side) }
            case .close(let leg):
                guard let wire = sides[side].wire(leg) else { continue }
                forget(leg, side)
                try send(.fin, from: side, on: wire)
                leave(wire, side)
            case .reset(let leg):
                guard let wire = sides[side].wire(leg) else { continue }
                forget(leg, side)
                reset(wire, by: side)
            case .attemptEnded(let outcome):
                sides[side].isAsking = false
                if outcome == .denied { sides[side].isDenied = true }
            case .complete(_, _, let role):
                try complete(side, role, run.plan)
            case .finished:
                guard let wire = sides[side].source else { continue }
                sides[side].source = nil
                leave(wire, side)
            case .fail(let failure):
                try fail(failure, side, run.plan)
            }
        }
    }

    private mutating func complete(_ side: Int, _ role: MigrationRole, _ plan: PairPlan) throws(Violation) {
        try flushParked(side)
        guard let new = sides[side].target else {
            throw Violation(property: .p7, text: "side \(side) completes without a target")
        }
        let old = sides[side].source
        sides[side].source = new
        sides[side].target = nil
        // A source that was lost after both its ends is gone already.
        guard let old else { return }
        leave(old, side)
        if plan.prunes { sides[side].left = PairLeft(wire: old, role: role) }
    }

    private mutating func fail(_ failure: MigrationFailure, _ side: Int, _ plan: PairPlan) throws(Violation) {
        let isClean = plan.mutant == .noTaint || (plan.mutant == .denialClearsTaint && sides[side].isDenied)
        if isClean, failure == .endInDoubt { try deliverEnd(side) }
        if faultsLeft == plan.faults {
            throw Violation(property: .p3, text: "side \(side) aborts without a fault: \(failure)")
        }
        abandon(side)
    }

    /// SM-F9: an abort reaches every leg.
    private mutating func abandon(_ side: Int) {
        sides[side].isAborted = true
        sides[side].isAsking = false
        sides[side].parked = []
        for leg in Leg.allCases {
            guard let wire = sides[side].wire(leg) else { continue }
            forget(leg, side)
            reset(wire, by: side)
        }
    }

    private mutating func forget(_ leg: Leg, _ side: Int) {
        switch leg {
        case .source: sides[side].source = nil
        case .target: sides[side].target = nil
        case .yielded: sides[side].yielded = nil
        }
    }

    /// Applies the levels until nothing changes.
    private mutating func settle(_ side: Int, _ run: inout PairRun) throws(Violation) {
        var isChanged = true
        while isChanged {
            isChanged = false
            if sides[side].machine.readLeg == .target { try flushParked(side) }
            if !run.plan.framesFINLate, let wire = wires.indices.first(where: { owesFIN(side, on: $0, run.plan) }) {
                try frameFIN(side, wire, &run)
                isChanged = true
            }
            for (index, migrate) in sides[side].held.enumerated() {
                guard try judge(migrate, side, &run) else { continue }
                sides[side].held.remove(at: index)
                isChanged = true
                break
            }
        }
    }

    private mutating func flushParked(_ side: Int) throws(Violation) {
        let parked = sides[side].parked
        sides[side].parked = []
        for byte in parked { try deliver(byte, side) }
    }

    private mutating func deliver(_ byte: UInt8, _ side: Int) throws(Violation) {
        let expected = UInt8(100 * (1 - side) + sides[side].received)
        guard byte == expected, !sides[side].hasEnd else {
            throw Violation(property: .p1, text: "side \(side) gets byte \(byte) in place of \(expected)")
        }
        sides[side].received += 1
    }

    private mutating func deliverEnd(_ side: Int) throws(Violation) {
        let peer = sides[1 - side]
        guard peer.isClosed, peer.written == sides[side].received, !sides[side].hasEnd else {
            throw Violation(
                property: .p2, text: "side \(side) gets an end after \(sides[side].received) of \(peer.written) bytes")
        }
        sides[side].hasEnd = true
    }
}
