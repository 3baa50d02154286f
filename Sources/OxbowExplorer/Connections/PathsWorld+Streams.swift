import OxbowCore
import OxbowMigration
import OxbowSwarm

extension PathsWorld {
    func key(_ stream: Int) -> StreamKey { StreamKey(rawValue: UInt64(stream)) }

    // MARK: Opening (`Swarm.openStream`, `openElsewhere`)

    mutating func open(_ stream: Int, on link: Int?, _ run: PathsRun) throws(Violation) {
        let opener = run.plan.streams[stream].opener
        guard let link = link ?? usable(at: opener).first else { return }
        streams[stream].ends[opener].stage = .sent(to: link)
        if !run.plan.usesLoops { try emerge(stream, run) }
    }

    mutating func emerge(_ stream: Int, _ run: PathsRun) throws(Violation) {
        let opener = run.plan.streams[stream].opener
        guard case .sent(let link) = streams[stream].ends[opener].stage else { return }
        guard links[link].ends[opener].takesStreams else {
            let other = usable(at: opener).first { $0 != link }
            guard let other, run.plan.mutant != .lateOpenFails else {
                streams[stream].ends[opener].stage = .gone
                guard lossesLeft < run.plan.losses, run.plan.mutant != .lateOpenFails else {
                    throw Violation(.cs4, "stream \(stream) finds no connection that takes it")
                }
                (streams[stream].isExcused, streams[stream].ends[1 - opener].stage) = (true, .gone)
                return
            }
            streams[stream].ends[opener].stage = .sent(to: other)
            return
        }
        let leg = addLeg(stream, on: link)
        streams[stream].ends[opener].stage = .live
        streams[stream].ends[opener].source = leg
        streams[stream].ends[opener].isAnswered = false
        send(.syn, of: stream, by: opener, on: leg)
        placed(stream, opener, run)
    }

    mutating func addLeg(_ stream: Int, on link: Int) -> PathsLeg {
        defer { streams[stream].wires += 1 }
        return PathsLeg(link: link, wire: streams[stream].wires)
    }

    /// A stream has begun on a connection: it may be one that streams leave (`Swarm.placed`).
    private mutating func placed(_ stream: Int, _ side: Int, _ run: PathsRun) {
        guard let place = streams[stream].ends[side].place, sides[side].moves[id(of: place.link, at: side)] != nil,
            run.plan.mutant != .lateStreamStays
        else { return }
        sides[side].mover.add(key(stream))
    }

    // MARK: Ending

    /// The application ends a stream.
    mutating func end(_ stream: Int, _ run: PathsRun) {
        streams[stream].hasEnded = true
        leave(stream, run.plan.streams[stream].opener)
    }

    /// A stream is over at a side, which tells the other by each underlying stream that there is.
    mutating func leave(_ stream: Int, _ side: Int) {
        let end = streams[stream].ends[side]
        for leg in end.legs { send(.reset, of: stream, by: side, on: leg) }
        streams[stream].ends[side] = PathsEnd(stage: .gone, refused: end.refused)
        for held in end.held { refuse(held.leg, of: stream, side) }
        sides[side].mover.ended(key(stream), retryAt: nil)
    }

    /// Denies a target, which is there until the other side has ended it, too.
    mutating func refuse(_ leg: PathsLeg, of stream: Int, _ side: Int) {
        streams[stream].ends[side].refused.append(leg)
        send(.denial, of: stream, by: side, on: leg)
    }

    /// A stream is lost at a side: that may only be when a connection was lost that it was on.
    mutating func fail(_ stream: Int, _ side: Int, _ why: String) throws(Violation) {
        guard streams[stream].isExcused || streams[stream].hasEnded else {
            throw Violation(.cs7, "\(name(side)) loses stream \(stream): \(why)")
        }
        leave(stream, side)
    }

    // MARK: Frames of streams

    mutating func deliver(_ frame: PathsFrame, _ link: Int, _ side: Int, _ run: PathsRun) throws(Violation) {
        let stream = Int(frame.stream)
        let leg = PathsLeg(link: link, wire: frame.wire)
        let isLate = links[link].ends[side].answers != nil && run.plan.mutant == .refusesLate
        switch frame.kind {
        case .syn, .migrate:
            if isLate { return send(.reset, of: stream, by: side, on: leg) }
            if frame.kind == .migrate { return try receiveMigrate(stream, leg, from: frame.from, side, run) }
            guard streams[stream].ends[side].stage == .absent else { return }
            streams[stream].ends[side].stage = .live
            streams[stream].ends[side].source = leg
            send(.answer, of: stream, by: side, on: leg)
            placed(stream, side, run)
            try judgeHeld(side, run)
        case .answer: streams[stream].ends[side].isAnswered = true
        case .reset: try receiveReset(stream, leg, side)
        default: try receiveOfMove(frame, stream, leg, side, run)
        }
    }

    private mutating func receiveReset(_ stream: Int, _ leg: PathsLeg, _ side: Int) throws(Violation) {
        let end = streams[stream].ends[side]
        if end.yielded == leg { return streams[stream].ends[side].yielded = nil }
        streams[stream].ends[side].refused.removeAll { $0 == leg }
        if let index = end.held.firstIndex(where: { $0.leg == leg }) {
            streams[stream].ends[side].held.remove(at: index)
            return
        }
        if end.target == leg, end.phase == .asking { return attemptFailed(stream, side) }
        if end.legs.contains(leg) { try fail(stream, side, "its peer has reset it") }
    }

    /// SM-F2: the stream stays where it is.
    mutating func attemptFailed(_ stream: Int, _ side: Int) {
        streams[stream].ends[side].target = nil
        streams[stream].ends[side].phase = .settled
        sides[side].mover.ended(key(stream), retryAt: .zero)
    }
}
