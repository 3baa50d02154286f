import OxbowCore
import OxbowMux
import OxbowSeeds
import Testing

extension Instant {
    static func seconds(_ seconds: Int) -> Instant { .zero + .seconds(seconds) }
}

let initialWindow = YamuxConfiguration.initialWindow

func data(_ id: YamuxStreamID, _ length: Int = 0, _ flags: YamuxFlags = []) -> YamuxFrameHeader {
    YamuxFrameHeader(type: .data, flags: flags, streamID: id, length: UInt32(length))
}

func update(_ id: YamuxStreamID, _ delta: UInt32 = 0, _ flags: YamuxFlags = []) -> YamuxFrameHeader {
    YamuxFrameHeader(type: .windowUpdate, flags: flags, streamID: id, length: delta)
}

func ping(_ value: UInt32, _ flags: YamuxFlags) -> YamuxFrameHeader {
    YamuxFrameHeader(type: .ping, flags: flags, streamID: .session, length: value)
}

func goAway(_ code: UInt32) -> YamuxFrameHeader {
    YamuxFrameHeader(type: .goAway, streamID: .session, length: code)
}

extension YamuxConfiguration {
    /// No pings of its own, so that a test sees only the frames that it caused.
    static var quiet: YamuxConfiguration {
        var configuration = YamuxConfiguration()
        configuration.keepAliveInterval = nil
        return configuration
    }
}

extension YamuxSession {
    static func quiet(
        _ role: YamuxRole, _ configure: (inout YamuxConfiguration) -> Void = { _ in }
    ) -> YamuxSession {
        var configuration = YamuxConfiguration.quiet
        configure(&configuration)
        return YamuxSession(role: role, configuration: configuration, now: .zero)
    }

    mutating func allEvents() -> [YamuxEvent] {
        var events: [YamuxEvent] = []
        while let event = nextEvent() { events.append(event) }
        return events
    }

    /// All that it has to send, as long as the windows let it.
    mutating func allFrames(maximumPayload: Int = 65_384, at now: Instant = .zero) -> [YamuxFrameHeader] {
        var frames: [YamuxFrameHeader] = []
        while let frame = nextFrame(maximumPayload: maximumPayload, at: now) { frames.append(frame.header) }
        #expect(!hasOutput)
        assertInvariants()
        return frames
    }

    /// Takes a header and all of its body, and gives the events.
    @discardableResult
    mutating func take(_ header: YamuxFrameHeader, at now: Instant = .zero) throws(YamuxError) -> [YamuxEvent] {
        try receive(header, at: now)
        if let body = pendingBody { _ = receiveBody(body.remaining, at: now) }
        assertInvariants()
        return allEvents()
    }

    /// Opens a stream that the peer has acknowledged.
    mutating func openAcknowledged() throws -> YamuxStreamID {
        let id = try open(at: .zero)
        _ = allFrames()
        try take(update(id, 0, .ack))
        return id
    }
}

/// What a driver does around a session, with real bytes.
struct Endpoint {
    struct Writing: Equatable {
        var written = 0
        var framed = 0
        var finished = false
    }
    struct Reading: Equatable {
        var delivered = 0
        var consumed = 0
        var ended = false
    }

    var session: YamuxSession
    var writing: [YamuxStreamID: Writing] = [:]
    var reading: [YamuxStreamID: Reading] = [:]
    /// Streams that ended otherwise than by both FINs.
    var broken: Set<YamuxStreamID> = []
    var closed: Set<YamuxStreamID> = []
    var goAwayCode: UInt32?
    var input: [UInt8] = []
    var output: [UInt8] = []

    init(_ session: YamuxSession) {
        self.session = session
    }

    /// What the side with `role` sends on a stream from `offset` on: a part of a long random pattern.
    static func bytes(_ role: YamuxRole, _ id: YamuxStreamID, _ offset: Int, _ count: Int) -> ArraySlice<UInt8> {
        let salt = Int(id.rawValue) * 1009 + (role == .client ? 17 : 91)
        let start = (offset + salt) % period
        return pattern[start..<start + count]
    }

    private static let period = 65_521
    private static let pattern: [UInt8] = {
        var randomness = SplitMix64(seed: 1)
        let once = (0..<period).map { _ in UInt8(truncatingIfNeeded: randomness.next()) }
        return once + once
    }()

    mutating func open(at now: Instant) -> YamuxStreamID? {
        guard let id = try? session.open(at: now) else { return nil }
        writing[id] = Writing()
        reading[id] = Reading()
        return id
    }

    mutating func write(_ id: YamuxStreamID, _ count: Int) {
        guard let state = writing[id], !state.finished, session.isOpen(id) else { return }
        writing[id]?.written += count
        session.setPending(id, bytes: state.written + count - state.framed)
    }

    mutating func finish(_ id: YamuxStreamID) {
        guard writing[id] != nil else { return }
        writing[id]?.finished = true
        session.finish(id)
    }

    mutating func consume(_ id: YamuxStreamID, atMost limit: Int, at now: Instant) {
        guard let state = reading[id] else { return }
        let count = min(limit, state.delivered - state.consumed)
        reading[id]?.consumed += count
        session.consumed(id, bytes: count, at: now)
    }

    mutating func reset(_ id: YamuxStreamID, code: UInt32) {
        session.reset(id, code: code)
        broken.insert(id)
    }

    mutating func pull(frames: Int = .max, maximumPayload: Int, at now: Instant) {
        var count = 0
        while count < frames, let frame = session.nextFrame(maximumPayload: maximumPayload, at: now) {
            count += 1
            frame.header.encode(into: &output)
            if frame.payload > 0 {
                let id = frame.header.streamID
                let start = writing[id]?.framed ?? 0
                output += Self.bytes(session.role, id, start, frame.payload)
                writing[id]?.framed += frame.payload
            }
            poll()
        }
    }

    mutating func receive(_ bytes: ArraySlice<UInt8>, at now: Instant) throws {
        input += bytes
        var rest = input[...]
        while !rest.isEmpty {
            if let action = session.receiveBody(rest.count, at: now) {
                rest = rest.dropFirst(take(action, rest))
            } else {
                guard let header = YamuxFrameHeader(Array(rest.prefix(12)).span.bytes) else { break }
                rest = rest.dropFirst(12)
                try session.receive(header, at: now)
            }
            session.assertInvariants()
            poll()
        }
        input = Array(rest)
    }

    private mutating func take(_ action: YamuxBodyAction, _ bytes: ArraySlice<UInt8>) -> Int {
        switch action {
        case .discard(let count, _): return count
        case .deliver(let id, let count, _):
            let sender: YamuxRole = session.role == .client ? .server : .client
            let start = reading[id]?.delivered ?? 0
            let expected = Self.bytes(sender, id, start, count)
            // The pattern is random and a piece is contiguous: a piece that is out of place shows at its ends.
            let piece = bytes.prefix(count)
            let isRight =
                piece.prefix(8).elementsEqual(expected.prefix(8)) && piece.suffix(8).elementsEqual(expected.suffix(8))
            #expect(isRight, "wrong bytes on stream \(id) from \(start)")
            #expect(reading[id]?.ended == false, "bytes behind a FIN")
            reading[id]?.delivered += count
            return count
        }
    }

    mutating func poll() {
        while let event = session.nextEvent() {
            switch event {
            case .streamOpened(let id):
                writing[id] = Writing()
                reading[id] = Reading()
                session.accept(id)
            case .finRead(let id): reading[id]?.ended = true
            case .streamReset(let id, _, _), .streamUnopened(let id): broken.insert(id)
            case .streamClosed(let id): closed.insert(id)
            case .goAway(let code): goAwayCode = code
            case .acknowledged, .roundTrip, .growthWanted: break
            }
        }
    }
}

/// Two endpoints and the bytes between them.
struct Pair {
    var client: Endpoint
    var server: Endpoint
    var now = Instant.zero

    init(client: YamuxConfiguration = YamuxConfiguration(), server: YamuxConfiguration = YamuxConfiguration()) {
        self.client = Endpoint(YamuxSession(role: .client, configuration: client, now: .zero))
        self.server = Endpoint(YamuxSession(role: .server, configuration: server, now: .zero))
    }

    /// Carries `count` bytes at most from one end to the other.
    mutating func carryToServer(_ count: Int = .max, frames: Int = .max, maximumPayload: Int = 65_384) throws {
        client.pull(frames: frames, maximumPayload: maximumPayload, at: now)
        let part = client.output.prefix(count)
        client.output.removeFirst(part.count)
        try server.receive(part, at: now)
    }

    mutating func carryToClient(_ count: Int = .max, frames: Int = .max, maximumPayload: Int = 65_384) throws {
        server.pull(frames: frames, maximumPayload: maximumPayload, at: now)
        let part = server.output.prefix(count)
        server.output.removeFirst(part.count)
        try client.receive(part, at: now)
    }

    /// Reads and carries until nothing moves.
    mutating func settle() throws {
        var before: [Int] = []
        while true {
            for id in client.reading.keys.sorted() { client.consume(id, atMost: .max, at: now) }
            for id in server.reading.keys.sorted() { server.consume(id, atMost: .max, at: now) }
            try carryToServer()
            try carryToClient()
            let after = [client, server].flatMap { end in
                [end.session.statistics.framesReceived, end.reading.values.reduce(0) { $0 + $1.consumed }]
            }
            if after == before { return }
            before = after
        }
    }
}
