import OxbowCore
import OxbowMux

extension FuzzTarget {
    /// Two sessions that keep to the rules, however they are scheduled: neither finds fault with the other, bytes arrive in
    /// order and all of them, and at the end both are idle.
    static func yamuxPair(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var pair = YamuxPair(configuration: input.byte(), acceptsLate: input.bool())
        while !input.isEmpty { try pair.act(&input) }
        try pair.settle()
        for side in 0...1 { pair.ends[side].finishAll() }
        try pair.settle()
        try pair.letTimePass()
        try pair.checkEnd()
        return pair.hadBytes ? .accepted : .refused
    }
}

/// A frame on its way. Of its payload, only where it stands in its stream is known: sessions count bytes.
private struct FlyingFrame {
    var header: YamuxFrameHeader
    var payload: Int
    var offset: Int
    var isHeaderRead = false
}

private struct YamuxPair {
    var ends: [YamuxEnd]
    private var now = Instant.zero

    init(configuration choice: UInt8, acceptsLate: Bool) {
        var configuration = YamuxConfiguration.tight(choice)
        // Two that reset each other's streams at the whim of the input are no flood.
        configuration.resets.count = 1_000_000
        configuration.streamErrors.count = 1_000_000
        configuration.pings.count = 1_000_000
        configuration.pingTimeout = .seconds(1 << 32)
        ends = [YamuxRole.client, .server].map { YamuxEnd($0, configuration, acceptsLate: acceptsLate) }
    }

    var hadBytes: Bool { ends.contains { $0.reading.values.contains { $0.delivered > 0 } } }

    mutating func act(_ input: inout FuzzInput) throws(FuzzFailure) {
        let side = input.bool() ? 1 : 0
        switch input.int(below: 16) {
        case 0, 1: ends[side].open(at: now)
        case 2, 3: ends[side].write(&input)
        case 4: ends[side].finish(&input)
        case 5: ends[side].drop(&input, at: now)
        case 6, 7: ends[side].consume(&input, at: now)
        case 8, 9:
            let (count, room) = (1 + input.int(below: 8), input.choice([0, 1, 5_000, 65_396]))
            try ends[side].pull(count, room: room, returning: input.choice([0, 0, 0, 1, 3_000]), at: now)
        case 10, 11, 12: try deliver(to: side, bytes: input.choice([1, 12, 200, 70_000, 1 << 30]))
        case 13:
            now = now + .milliseconds(input.choice([1, 10, 1_000, 400_000]))
            try ends[side].tick(at: now)
        case 14: ends[side].control(&input, at: now)
        default: ends[side].acceptAll()
        }
        ends[side].session.assertInvariants()
        try ends[side].poll()
    }

    /// Carries what the other end has sent, at most so many bytes of payload, which may end within a body.
    private mutating func deliver(to side: Int, bytes: Int) throws(FuzzFailure) {
        var left = bytes
        while left > 0, var frame = ends[1 - side].takeFirst() {
            if !frame.isHeaderRead {
                try ends[side].receive(frame.header, at: now)
                frame.isHeaderRead = true
                left -= YamuxFrameHeader.size
            }
            if frame.payload > 0 {
                let count = min(max(left, 0), frame.payload)
                if count > 0 {
                    try ends[side].receiveBody(count, of: frame.header.streamID, from: frame.offset, at: now)
                }
                (frame.payload, frame.offset) = (frame.payload - count, frame.offset + count)
                left -= count
            }
            if frame.payload > 0 { return ends[1 - side].putBack(frame) }
        }
    }

    /// Lets everything through until nothing moves.
    mutating func settle() throws(FuzzFailure) {
        var rounds = 0
        var before = -1
        while true {
            let moved = ends.reduce(0) { $0 + $1.movements }
            guard moved != before else { return }
            before = moved
            rounds += 1
            try require(rounds < 5_000, "it doesn't come to rest")
            for side in 0...1 {
                ends[side].acceptAll()
                ends[side].consumeAll(at: now)
                try ends[side].pull(.max, room: 65_396, returning: 0, at: now)
                try deliver(to: 1 - side, bytes: .max)
                ends[1 - side].session.assertInvariants()
            }
        }
    }

    /// An abandoned stream takes what it had granted and no more: what its peer still has to write ends by the clock.
    mutating func letTimePass() throws(FuzzFailure) {
        now = now + ends[0].session.configuration.closeTimeout
        for side in 0...1 {
            try ends[side].tick(at: now)
            try ends[side].poll()
        }
        try settle()
    }

    func checkEnd() throws(FuzzFailure) {
        for side in 0...1 {
            let (sender, receiver) = (ends[side], ends[1 - side])
            try require(sender.session.isIdle, "\(sender.session.streamCount) streams are left")
            try require(!sender.session.hasOutput && sender.wire.isEmpty, "something is left to be sent")
            try require(sender.session.windowGrowth == 0, "windows are left that nobody uses")
            for (id, writing) in sender.writing where !sender.broken.contains(id) && !receiver.broken.contains(id) {
                try require(sender.closed.contains(id) && receiver.closed.contains(id), "stream \(id) is closed")
                let reading = receiver.reading[id]
                // An abandoned stream discards what comes.
                if receiver.abandoned.contains(id) { continue }
                try requireEqual(reading?.delivered, writing.written, "the bytes of stream \(id) have arrived")
                try require(reading?.hasEnded == true, "the end of stream \(id) has arrived")
            }
        }
    }
}

/// One end of the pair: a session and what its driver keeps.
private struct YamuxEnd {
    struct Writing {
        var written = 0
        var framed = 0
        var isFinished = false
    }
    struct Reading {
        var delivered = 0
        var consumed = 0
        var hasEnded = false
    }

    var session: YamuxSession
    var writing: [YamuxStreamID: Writing] = [:]
    var reading: [YamuxStreamID: Reading] = [:]
    /// Streams that ended otherwise than by both FINs; that this side let go of; that ended in order.
    var broken: Set<YamuxStreamID> = []
    var abandoned: Set<YamuxStreamID> = []
    var closed: Set<YamuxStreamID> = []
    private(set) var wire: [FlyingFrame] = []
    private var wireHead = 0
    private var toAccept: [YamuxStreamID] = []
    private let acceptsLate: Bool
    private(set) var movements = 0

    init(_ role: YamuxRole, _ configuration: YamuxConfiguration, acceptsLate: Bool) {
        session = YamuxSession(role: role, configuration: configuration, now: .zero)
        self.acceptsLate = acceptsLate
    }

    private func stream(_ input: inout FuzzInput) -> YamuxStreamID? {
        let open = writing.keys.filter(session.isOpen).sorted()
        return open.isEmpty ? nil : input.choice(open)
    }

    // MARK: The application

    mutating func open(at now: Instant) {
        guard let id = try? session.open(at: now) else { return }
        (writing[id], reading[id]) = (Writing(), Reading())
    }

    mutating func write(_ input: inout FuzzInput) {
        let count = input.choice([1, 100, 60_000, 400_000, 0])
        guard let id = stream(&input), var state = writing[id], !state.isFinished else { return }
        // Nothing: what isn't framed goes elsewhere from now on, as when a stream moves.
        state.written = count == 0 ? state.framed : state.written + count
        writing[id] = state
        session.setPending(id, bytes: state.written - state.framed)
    }

    mutating func finish(_ input: inout FuzzInput) {
        guard let id = stream(&input) else { return }
        writing[id]?.isFinished = true
        session.finish(id)
    }

    mutating func drop(_ input: inout FuzzInput, at now: Instant) {
        let kind = input.int(below: 3)
        guard let id = stream(&input) else { return }
        if kind == 0 {
            session.reset(id, code: UInt32(input.int(below: 2)))
            broken.insert(id)
        } else {
            abandoned.insert(id)
            writing[id]?.isFinished = true
            session.abandon(id, at: now)
        }
    }

    mutating func consume(_ input: inout FuzzInput, at now: Instant) {
        let limit = input.choice([1, 1_000, 140_000, Int.max])
        guard let id = stream(&input) else { return }
        consume(id, limit, at: now)
    }

    private mutating func consume(_ id: YamuxStreamID, _ limit: Int, at now: Instant) {
        guard let state = reading[id], session.isOpen(id) else { return }
        let count = min(limit, state.delivered - state.consumed)
        reading[id]?.consumed += count
        movements += count
        session.consumed(id, bytes: count, at: now)
    }

    mutating func consumeAll(at now: Instant) {
        for id in reading.keys.sorted() { consume(id, .max, at: now) }
    }

    mutating func finishAll() {
        for id in writing.keys.sorted() where session.isOpen(id) {
            writing[id]?.isFinished = true
            session.finish(id)
        }
    }

    mutating func acceptAll() {
        for id in toAccept { session.accept(id) }
        toAccept = []
    }

    mutating func control(_ input: inout FuzzInput, at now: Instant) {
        switch input.int(below: 8) {
        case 0: session.goAway(takesLateStreams: input.bool())
        case 1...3: session.ping(at: now)
        case 4, 5: session.allowGrowth(to: session.windowGrowth + 65_536 * input.int(below: 64))
        default: session.refuseGrowth(until: now + .seconds(1))
        }
    }

    // MARK: The driver

    mutating func tick(at now: Instant) throws(FuzzFailure) {
        do { try session.tick(at: now) } catch { throw FuzzFailure("time ends a session that is well: \(error)") }
    }

    /// - Parameter returning: how many bytes of each frame went elsewhere before it could be written, as when a stream moves.
    mutating func pull(_ count: Int, room: Int, returning: Int, at now: Instant) throws(FuzzFailure) {
        var pulled = 0
        while pulled < count, let frame = session.nextFrame(maximumPayload: room, at: now) {
            pulled += 1
            movements += 1
            let id = frame.header.streamID
            let unsent = min(returning, frame.payload)
            var header = frame.header
            if frame.payload > 0 {
                header.length -= UInt32(unsent)
                session.returnUnsent(id, bytes: unsent)
                writing[id]?.written -= unsent
            }
            let payload = frame.payload - unsent
            let offset = writing[id]?.framed ?? 0
            if payload > 0 { writing[id]?.framed += payload }
            // A frame that has nothing left to say isn't written.
            if payload > 0 || unsent == 0 || header.flags.contains(.fin) {
                wire.append(FlyingFrame(header: header, payload: payload, offset: offset))
            }
            try poll()
        }
    }

    mutating func takeFirst() -> FlyingFrame? {
        guard wireHead < wire.count else {
            (wire, wireHead) = ([], 0)
            return nil
        }
        defer { wireHead += 1 }
        return wire[wireHead]
    }

    mutating func putBack(_ frame: FlyingFrame) {
        wireHead -= 1
        wire[wireHead] = frame
    }

    mutating func receive(_ header: YamuxFrameHeader, at now: Instant) throws(FuzzFailure) {
        movements += 1
        do { try session.receive(header, at: now) } catch {
            throw FuzzFailure("a session finds fault with another of its kind: \(error), \(header)")
        }
        try poll()
    }

    mutating func receiveBody(
        _ count: Int, of id: YamuxStreamID, from offset: Int, at now: Instant
    ) throws(FuzzFailure) {
        guard let action = session.receiveBody(count, at: now) else { throw FuzzFailure("the body is pending") }
        guard case .deliver(let owner, let taken, _) = action else { return try poll() }
        try require(owner == id && taken == count, "\(count) bytes of stream \(id) are given to \(owner)")
        try requireEqual(reading[id]?.delivered, offset, "the bytes of stream \(id) come in order")
        try require(reading[id]?.hasEnded == false, "nothing comes behind the end of stream \(id)")
        reading[id]?.delivered += count
        let unread = (reading[id]?.delivered ?? 0) - (reading[id]?.consumed ?? 0)
        try require(unread <= session.configuration.maximumWindow, "no more waits than a window holds")
        try poll()
    }

    mutating func poll() throws(FuzzFailure) {
        while let event = session.nextEvent() {
            switch event {
            case .streamOpened(let id):
                try require(reading[id] == nil, "a stream is opened once")
                (writing[id], reading[id]) = (Writing(), Reading())
                if acceptsLate { toAccept.append(id) } else { session.accept(id) }
            case .finRead(let id): reading[id]?.hasEnded = true
            case .streamReset(let id, _, _), .streamUnopened(let id): broken.insert(id)
            case .streamClosed(let id):
                // An abandoned stream that ran out of time is reset.
                if reading[id]?.hasEnded != true { broken.insert(id) }
                closed.insert(id)
            case .goAway, .acknowledged, .roundTrip, .growthWanted: break
            }
        }
    }
}
