public import OxbowCore

/// Facts of `/ipfs/ping/1.0.0` (libp2p/specs ping/ping.md).
public enum Ping {
    public static let protocolID: ProtocolID = "/ipfs/ping/1.0.0"
    /// The bytes of one ping and of its echo.
    public static let payloadLength = 32
    /// How many ping streams a responder takes from one peer at a time; the specification's own bound.
    public static let maximumInboundStreams = 2
}

/// Why a ping stream failed. Its scope is the stream: reset it.
public enum PingError: Error, Hashable, Sendable {
    /// The echo isn't what was sent.
    case mismatch
    /// Bytes came from the responder with no ping under way.
    case unexpectedBytes
    /// No whole echo came in time.
    case timedOut(after: Duration)
    /// The peer ended the stream in the middle of a block, or before its echo.
    case endedEarly
}

extension PingError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .mismatch: "ping: the echo differs from what was sent"
        case .unexpectedBytes: "ping: the peer sent bytes though no ping was under way"
        case .timedOut(let after): "ping: no echo within \(after)"
        case .endedEarly: "ping: the peer ended the stream in the middle of a ping"
        }
    }
}

/// The side that echoes.
public struct PingResponder: Sendable, Hashable {
    public init() {}

    /// Takes whole blocks from the front of `input` and returns their echo.
    ///
    /// - Parameter room: how many bytes the caller can queue now. What doesn't fit stays in `input`: a peer that sends
    ///   pings and never reads stops being read, it can't fill our memory.
    public mutating func receive(_ input: inout ArraySlice<UInt8>, room: Int) -> [UInt8] {
        let blocks = min(input.count, max(room, 0)) / Ping.payloadLength
        let echo = Array(input.prefix(blocks * Ping.payloadLength))
        input.removeFirst(echo.count)
        return echo
    }

    /// The peer ended its side; `rest` is what ``receive(_:room:)`` has left. Answer by ending ours.
    public mutating func receiveEnd(_ rest: ArraySlice<UInt8>) throws(PingError) {
        guard rest.isEmpty else { throw .endedEarly }
    }
}

/// The side that measures: one ping at a time, any number on one stream.
public struct PingClient: Sendable, Hashable {
    /// What came of the input so far.
    public enum Step: Sendable, Hashable {
        /// The echo isn't all there.
        case needMore
        /// The echo was right, and took this long.
        case roundTrip(Duration)
    }

    private struct Outstanding: Hashable {
        var payload: [UInt8]
        var sentAt: Instant
    }

    private var outstanding: Outstanding?
    private let timeout: Duration

    /// - Parameter timeout: how long one echo may take.
    public init(timeout: Duration = .seconds(10)) {
        self.timeout = timeout
    }

    /// When ``checkTimeout(at:)`` is to be called; nil while no ping is under way.
    public var deadline: Instant? { outstanding.map { $0.sentAt + timeout } }

    /// Begins a ping and returns the bytes to send.
    ///
    /// - Parameter payload: 32 bytes that the peer can't guess.
    public mutating func start(payload: [UInt8], at now: Instant) -> [UInt8] {
        precondition(payload.count == Ping.payloadLength, "a ping has \(Ping.payloadLength) bytes")
        precondition(outstanding == nil, "one ping at a time")
        outstanding = Outstanding(payload: payload, sentAt: now)
        return payload
    }

    /// Takes the echo from the front of `input` when it is all there.
    public mutating func receive(_ input: inout ArraySlice<UInt8>, at now: Instant) throws(PingError) -> Step {
        try checkTimeout(at: now)
        guard !input.isEmpty else { return .needMore }
        guard let ping = outstanding else { throw .unexpectedBytes }
        let echo = input.prefix(Ping.payloadLength)
        guard ping.payload.starts(with: echo) else { throw .mismatch }
        guard echo.count == Ping.payloadLength else { return .needMore }
        input.removeFirst(echo.count)
        outstanding = nil
        return .roundTrip(max(now - ping.sentAt, .zero))
    }

    /// Throws ``PingError/timedOut(after:)`` once the ping under way has waited as long as it may.
    public mutating func checkTimeout(at now: Instant) throws(PingError) {
        guard let deadline, now >= deadline else { return }
        outstanding = nil
        throw .timedOut(after: timeout)
    }

    /// The peer ended its side: an error when an echo is still owed.
    public mutating func receiveEnd() throws(PingError) {
        guard outstanding == nil else { throw .endedEarly }
    }
}
