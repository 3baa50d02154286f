import OxbowCore
import OxbowMux

extension FuzzTarget {
    static let yamux = [
        FuzzTarget(
            "yamux-header", "the twelve bytes of a header", maximumLength: 16,
            seeds: { [[0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0]] }, yamuxHeader),
        FuzzTarget(
            "yamux-frames", "one session: any frames of a peer, and any calls of a driver", maximumLength: 512,
            seeds: {
                let opening: [UInt8] = [0, 0, 0, 1, 2, 1, 0, 0, 2, 0, 1, 3, 9, 0, 1, 2, 7, 4, 50, 12, 12, 12]
                return [opening, [1] + scheduleSeed(3), [4] + scheduleSeed(5), [9] + scheduleSeed(9)]
            }, yamuxFrames),
        FuzzTarget(
            "yamux-pair", "two sessions and the frames between them, as the input schedules", maximumLength: 512,
            seeds: { [[0] + scheduleSeed(3), [3] + scheduleSeed(5), [6] + scheduleSeed(7), [9] + scheduleSeed(11)] },
            yamuxPair),
    ]

    private static func yamuxHeader(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let bytes = input.rest()
        guard let header = YamuxFrameHeader(bytes.span.bytes) else {
            try require(bytes.count < YamuxFrameHeader.size, "any twelve bytes are a header")
            return .refused
        }
        var encoded: [UInt8] = []
        header.encode(into: &encoded)
        try requireEqual(encoded, Array(bytes.prefix(YamuxFrameHeader.size)), "a header has one form")
        return .accepted
    }

    private static func yamuxFrames(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var scene = YamuxScene(&input)
        while !input.isEmpty, scene.error == nil { try scene.act(&input) }
        try scene.end()
        return scene.hadStream ? .accepted : .refused
    }
}

extension YamuxConfiguration {
    /// Bounds that a short schedule gets to, chosen by one byte.
    static func tight(_ choice: UInt8) -> YamuxConfiguration {
        var configuration = YamuxConfiguration()
        configuration.acceptBacklog = 2 + Int(choice & 3)
        (configuration.maximumInboundStreams, configuration.maximumOutboundStreams) = (6, 6)
        configuration.sessionWindow = initialWindow * (choice & 4 == 0 ? 4 : 64)
        configuration.maximumWindow = initialWindow * (choice & 8 == 0 ? 2 : 16)
        configuration.asksBeforeGrowth = choice & 16 != 0
        configuration.maximumFramePayload = choice & 32 == 0 ? 65_396 : 1_000
        configuration.keepAliveInterval = choice & 64 == 0 ? nil : .seconds(30)
        configuration.maximumSkippedIDs = 4
        return configuration
    }
}

/// One session between a hostile peer and a driver that keeps to the rules.
private struct YamuxScene {
    private struct Stream {
        var delivered = 0
        var consumed = 0
        var isFinishing = false
        var pending = 0
    }

    private var session: YamuxSession
    private var now = Instant.zero
    private var streams: [YamuxStreamID: Stream] = [:]
    private var growthAsked = false
    private(set) var error: YamuxError?
    private(set) var hadStream = false

    init(_ input: inout FuzzInput) {
        let choice = input.byte()
        var configuration = YamuxConfiguration.tight(choice)
        (configuration.maximumEmptyFrames, configuration.maximumQueuedPongs) = (4, 3)
        configuration.maximumQueuedResets = 4
        configuration.resets = YamuxRateLimit(count: 5, period: .seconds(30))
        configuration.streamErrors = YamuxRateLimit(count: 5, period: .seconds(30))
        session = YamuxSession(role: choice & 128 == 0 ? .server : .client, configuration: configuration, now: .zero)
    }

    mutating func act(_ input: inout FuzzInput) throws(FuzzFailure) {
        if input.int(below: 3) > 0 {
            try receive(&input)
        } else {
            try call(&input)
        }
        session.assertInvariants()
        try poll()
    }

    // MARK: The peer

    private mutating func receive(_ input: inout FuzzInput) throws(FuzzFailure) {
        guard session.pendingBody == nil else { return takeBody(input.int(below: 300)) }
        let lengths: [UInt32] = [0, 1, 100, 262_144, 262_145, 1 << 24, 1 << 24 + 1, .max, .max - 262_144, 5]
        let kind = input.byte()
        let header = YamuxFrameHeader(
            version: kind == 255 ? 1 : 0, type: YamuxFrameType(rawValue: kind % 5 == 4 ? kind : kind % 5),
            flags: YamuxFlags(rawValue: UInt16(input.int(below: 16))),
            streamID: YamuxStreamID(rawValue: input.bool() ? UInt32(input.int(below: 16)) : input.uint32() % 0x1_0001),
            length: input.bool() ? input.choice(lengths) : UInt32(input.int(below: 65_536)))
        do { try session.receive(header, at: now) } catch {
            self.error = error
            return
        }
        if input.bool(), let body = session.pendingBody { takeBody(body.remaining) }
    }

    private mutating func takeBody(_ available: Int) {
        guard case .deliver(let id, let count, _) = session.receiveBody(available, at: now) else { return }
        streams[id]?.delivered += count
    }

    // MARK: The driver

    private mutating func call(_ input: inout FuzzInput) throws(FuzzFailure) {
        let operation = input.int(below: 14)
        let ids = streams.keys.sorted()
        // Calls about streams that are gone do nothing.
        let id = ids.isEmpty || input.int(below: 16) == 0 ? YamuxStreamID(rawValue: 9_999) : input.choice(ids)
        switch operation {
        case 0:
            guard let opened = try? session.open(at: now) else { return }
            streams[opened] = Stream()
        case 1: session.accept(id)
        case 2:
            guard var stream = streams[id], !stream.isFinishing else { return }
            stream.pending = input.choice([0, 1, 3_000, 300_000])
            streams[id] = stream
            session.setPending(id, bytes: stream.pending)
        case 3:
            streams[id]?.isFinishing = true
            session.finish(id)
        case 4:
            session.reset(id, code: UInt32(input.int(below: 2)))
            streams[id] = nil
        case 5:
            session.abandon(id, at: now)
            streams[id]?.isFinishing = true
        case 6, 7:
            guard let stream = streams[id] else { return }
            let count = min(stream.delivered - stream.consumed, input.choice([1, 200, 140_000, .max]))
            streams[id]?.consumed += count
            session.consumed(id, bytes: count, at: now)
        case 8: session.ping(at: now)
        case 9: session.goAway(takesLateStreams: input.bool())
        case 10: answerGrowth(&input)
        case 11:
            now = now + .milliseconds(input.choice([1, 400, 9_000, 31_000, 301_000]))
            do { try session.tick(at: now) } catch { self.error = error }
        case 12: do { try session.countStreamError(at: now) } catch { self.error = error }
        default:
            let room = input.choice([0, 1, 4_000, 65_396])
            try pull(input.int(below: 6), room: room, returning: input.choice([0, 0, 1, 2_000]))
        }
    }

    private mutating func answerGrowth(_ input: inout FuzzInput) {
        guard growthAsked else { return }
        growthAsked = false
        if input.bool() {
            session.allowGrowth(to: session.windowGrowth + 1_000 * input.int(below: 1_000))
        } else {
            session.refuseGrowth(until: now + .seconds(1))
        }
    }

    /// - Parameter returning: how many bytes of each frame went elsewhere before it could be written.
    private mutating func pull(_ count: Int, room: Int, returning: Int) throws(FuzzFailure) {
        for _ in 0..<count {
            let hadOutput = session.hasOutput
            guard let frame = session.nextFrame(maximumPayload: room, at: now) else {
                return try require(!hadOutput || room == 0, "what has output gives a frame")
            }
            try require(hadOutput, "a frame is announced as output")
            try require(frame.payload <= room, "a frame fits into the room for it")
            try require(frame.header.version == 0 && frame.header.type.rawValue < 4, "a frame is one of the spec's")
            guard frame.payload > 0 else { continue }
            let pending = streams[frame.header.streamID]?.pending ?? 0
            try require(pending >= frame.payload, "no more is sent than there is")
            streams[frame.header.streamID]?.pending -= frame.payload
            session.returnUnsent(frame.header.streamID, bytes: min(returning, frame.payload))
            try poll()
        }
    }

    // MARK: What came of it

    private mutating func poll() throws(FuzzFailure) {
        while let event = session.nextEvent() {
            switch event {
            case .streamOpened(let id):
                hadStream = true
                try require(streams[id] == nil, "a stream is opened once")
                streams[id] = Stream()
            case .streamReset(let id, _, _), .streamClosed(let id), .streamUnopened(let id): streams[id] = nil
            case .growthWanted(let count):
                try require(count > 0 && !growthAsked, "growth is asked for once")
                growthAsked = true
            case .roundTrip(let time): try require(time >= .zero, "a round trip takes time")
            case .acknowledged, .finRead, .goAway: break
            }
        }
        guard error == nil else { return }
        try requireEqual(session.streamCount, streams.count, "driver and session know the same streams")
    }

    /// Behind a failure there is one GoAway to send, and nothing else; otherwise all that is owed goes out.
    mutating func end() throws(FuzzFailure) {
        var frames = 0
        while session.nextFrame(maximumPayload: 65_396, at: now) != nil {
            frames += 1
            try require(frames < 10_000, "output ends")
        }
        try require(!session.hasOutput, "all output was taken")
        guard let error else { return }
        try require(
            session.isIdle && session.failure == error && session.pendingBody == nil, "a failed session is empty")
        try require(frames <= 1, "\(frames) frames behind a failure")
        try require((try? session.open(at: now)) == nil, "nothing is opened behind a failure")
    }
}
