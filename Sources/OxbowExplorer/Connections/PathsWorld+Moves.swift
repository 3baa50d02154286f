import OxbowCore
import OxbowMigration
import OxbowSwarm

// Moves of streams: who asks (`Swarm+Paths.swift`), and what is answered (`Swarm+PeerMigrations.swift`). What a stream's
// machine says to it, in short: SM-F1, SM-F4 to SM-F6.

extension PathsWorld {
    /// What comes of a stream whose turn it is.
    enum MoveStep {
        /// It is gone, or where it should be, or may not move.
        case never
        /// It is looked at again.
        case notNow
        case begin(Int, on: Int)
    }

    func destination(from id: ConnectionSet.ID, _ side: Int, _ plan: PathsPlan) -> ConnectionSet.ID? {
        guard let set = sides[side].set else { return nil }
        if plan.mutant == .higherMovesWithinClass, side == 1, plan.behaviours[1] == .automatic {
            return set.best == id ? nil : set.best
        }
        return set.destination(from: id, at: .zero)
    }

    func step(of key: StreamKey, _ side: Int, _ plan: PathsPlan) -> MoveStep {
        let stream = Int(key.rawValue)
        let end = streams[stream].ends[side]
        guard end.stage == .live, !end.isChosen, let place = end.place,
            let target = destination(from: id(of: place.link, at: side), side, plan),
            let link = link(target, at: side), links[link].ends[side].takesStreams
        else { return .never }
        if !plan.streams[stream].isLabelled || plan.behaviours.contains(.stock) || end.isBarred { return .never }
        guard end.isAnswered, end.phase == .settled, end.yielded == nil else { return .notNow }
        return .begin(stream, on: link)
    }

    mutating func move(_ side: Int, _ run: PathsRun) {
        guard let key = sides[side].mover.next(at: .zero) else { return }
        switch step(of: key, side, run.plan) {
        case .never: sides[side].mover.ended(key, retryAt: nil)
        case .notNow: sides[side].mover.ended(key, retryAt: .zero)
        case .begin(let stream, let link):
            let leg = addLeg(stream, on: link)
            streams[stream].ends[side].target = leg
            streams[stream].ends[side].phase = .asking
            streams[stream].ends[side].attempts += 1
            run.note(side, "asks to move stream \(stream) to connection \(link)")
            let from = streams[stream].ends[side].source?.wire ?? 0
            send(.migrate, of: stream, by: side, on: leg, from: from)
        }
    }

    // MARK: The answer

    private enum Verdict {
        case accept, deny, hold
    }

    mutating func receiveMigrate(
        _ stream: Int, _ leg: PathsLeg, from: UInt8, _ side: Int, _ run: PathsRun
    ) throws(Violation) {
        guard streams[stream].ends[side].stage != .gone else { return refuse(leg, of: stream, side) }
        let held = PathsEnd.Held(leg: leg, from: from)
        streams[stream].ends[side].held.append(held)
        run.tally.held += 1
        try judge(held, of: stream, side, run)
    }

    /// Something has happened at a side: what waits is judged anew.
    mutating func judgeHeld(_ side: Int, _ run: PathsRun) throws(Violation) {
        for stream in streams.indices {
            for held in streams[stream].ends[side].held { try judge(held, of: stream, side, run) }
        }
    }

    /// A sign of life came on a connection.
    mutating func noteHeard(_ link: Int, _ side: Int) {
        for stream in streams.indices where streams[stream].ends[side].place?.link == link {
            changeWaiting(stream, side) { $0.wasHeard = true }
        }
    }

    /// Changes the Migrates that wait for a sign of life.
    mutating func changeWaiting(_ stream: Int, _ side: Int, _ change: (inout PathsEnd.Held) -> Void) {
        for index in streams[stream].ends[side].held.indices {
            guard streams[stream].ends[side].held[index].isDowngrade else { continue }
            change(&streams[stream].ends[side].held[index])
        }
    }

    private mutating func judge(
        _ held: PathsEnd.Held, of stream: Int, _ side: Int, _ run: PathsRun
    ) throws(Violation) {
        guard let index = streams[stream].ends[side].held.firstIndex(of: held) else { return }
        let verdict = try verdict(held, index, of: stream, side, run)
        guard verdict != .hold else { return }
        streams[stream].ends[side].held.removeAll { $0.leg == held.leg }
        guard verdict == .accept else {
            run.tally.denied += 1
            return refuse(held.leg, of: stream, side)
        }
        if streams[stream].ends[side].phase == .asking {
            streams[stream].ends[side].yielded = streams[stream].ends[side].target
            sides[side].mover.ended(key(stream), retryAt: .zero)
            run.tally.yielded += 1
        }
        streams[stream].ends[side].target = held.leg
        streams[stream].ends[side].phase = .responding
        send(.ack, of: stream, by: side, on: held.leg)
    }

    private mutating func verdict(
        _ held: PathsEnd.Held, _ index: Int, of stream: Int, _ side: Int, _ run: PathsRun
    ) throws(Violation) -> Verdict {
        let end = streams[stream].ends[side]
        guard end.stage == .live, let place = end.place else { return .hold }
        if end.finished & (1 << UInt64(held.from)) != 0 { return .deny }
        switch pathVerdict(held, place, side, run.plan) {
        case .deny: return .deny
        case .wait:
            guard !held.isDowngrade else { return .hold }
            streams[stream].ends[side].held[index].isDowngrade = true
            ping(place.link, side)
            return .hold
        case .accept: break
        }
        streams[stream].ends[side].isBarred = false
        guard held.from == end.source?.wire, end.phase == .settled || end.phase == .asking else { return .hold }
        if end.phase == .asking, side == 0 { return .deny }
        try checkDowngrade(held, place, stream, side, run.plan)
        return .accept
    }

    private func pathVerdict(_ held: PathsEnd.Held, _ place: PathsLeg, _ side: Int, _ plan: PathsPlan)
        -> PeerMoveVerdict
    {
        guard let set = sides[side].set, place.link != held.leg.link, plan.mutant != .grantsDowngrades else {
            return .accept
        }
        return set.judgeMove(
            from: id(of: place.link, at: side), to: id(of: held.leg.link, at: side),
            since: held.wasHeard ? Instant(nanoseconds: -1) : .zero,
            at: held.isSilent ? Instant(nanoseconds: 1) : .zero)
    }

    // MARK: The hand-off

    mutating func receiveOfMove(
        _ frame: PathsFrame, _ stream: Int, _ leg: PathsLeg, _ side: Int, _ run: PathsRun
    ) throws(Violation) {
        let end = streams[stream].ends[side]
        let isOwnTarget = end.target == leg && end.phase == .asking
        switch frame.kind {
        case .denial where end.yielded == leg:
            streams[stream].ends[side].yielded = nil
            send(.fin, of: stream, by: side, on: leg)
        case .fin where end.refused.contains(leg): streams[stream].ends[side].refused.removeAll { $0 == leg }
        case .ack where end.yielded == leg: try fail(stream, side, "the attempt that gave way is accepted")
        case .denial where isOwnTarget:
            streams[stream].ends[side].target = nil
            streams[stream].ends[side].phase = .settled
            streams[stream].ends[side].isBarred = true
            send(.fin, of: stream, by: side, on: leg)
            sides[side].mover.ended(key(stream), retryAt: nil)
            try judgeHeld(side, run)
        case .ack where isOwnTarget:
            streams[stream].ends[side].phase = .initiating
            if let source = end.source { send(.fin, of: stream, by: side, on: source) }
        case .fin where end.source == leg && end.phase == .initiating:
            if run.plan.mutant != .movesLeftCounted { sides[side].mover.ended(key(stream), retryAt: .zero) }
            streams[stream].moves += 1
            run.tally.completed += 1
            try complete(stream, side, run)
        case .fin where end.source == leg && end.phase == .responding:
            send(.fin, of: stream, by: side, on: leg)
            try complete(stream, side, run)
        default: break
        }
    }

    private mutating func complete(_ stream: Int, _ side: Int, _ run: PathsRun) throws(Violation) {
        let end = streams[stream].ends[side]
        guard let source = end.source, let target = end.target else { return }
        streams[stream].ends[side].finished |= 1 << UInt64(source.wire)
        streams[stream].ends[side].source = target
        streams[stream].ends[side].target = nil
        streams[stream].ends[side].phase = .settled
        if end.phase == .responding { try learn(from: source.link, to: target.link, stream, side, run) }
        try judgeHeld(side, run)
    }

    /// Where the peer moves streams to shows what it prefers (`PeerState.learn`).
    private mutating func learn(
        from source: Int, to target: Int, _ stream: Int, _ side: Int, _ run: PathsRun
    ) throws(Violation) {
        let (source, target) = (id(of: source, at: side), id(of: target, at: side))
        let isWish = sides[side].set?.peerMoved(from: source, to: target, at: .zero) ?? false
        settle(side, run)
        guard isWish else { return }
        streams[stream].ends[side].isChosen = true
        guard run.plan.mutant == .higherMovesWithinClass else {
            throw Violation(.cs12, "\(name(side)) takes a move by policy for the wish of an application")
        }
    }
}
