/// Which end of the connection a session is: it decides the parity of stream ids.
public enum YamuxRole: Hashable, Sendable {
    /// The dialer: opens streams with odd ids.
    case client
    /// The listener: opens streams with even ids.
    case server
}

/// At most `count` events in a burst; after that, the count comes back evenly over `period`.
public struct YamuxRateLimit: Hashable, Sendable {
    public var count: Int
    public var period: Duration

    public init(count: Int, period: Duration) {
        self.count = count
        self.period = period
    }
}

/// The bounds of a ``YamuxSession``. Each has a default that suits a public peer.
public struct YamuxConfiguration: Hashable, Sendable {
    /// What each side may send on a new stream before it gets a window update, in bytes. The protocol fixes it.
    public static let initialWindow = 256 * 1024
    /// The longest data frame that is accepted, in bytes, whatever the windows allow.
    public static let maximumDataLength = 16 * 1024 * 1024

    /// How far the receive window of one stream may grow, in bytes; at least ``initialWindow``.
    public var maximumWindow = 16 * 1024 * 1024
    /// How far growth may take the sum of all receive windows, in bytes. A new stream has its ``initialWindow`` even
    /// beyond that, since the protocol grants it; the sum is never more than this plus ``initialWindow`` for each
    /// stream. While it is past this, windows that had grown are halved as they are read.
    public var sessionWindow = 64 * 1024 * 1024
    /// Whether windows grow past their ``initialWindow`` only as far as ``YamuxSession/allowGrowth(to:)`` said: the
    /// session asks with ``YamuxEvent/growthWanted(_:)``.
    public var asksBeforeGrowth = false
    /// The longest payload of a data frame that is sent, in bytes. With its header, the default fills a record of 65,408
    /// bytes: the multiple of 128 that ciphers like. Behind a window update, which goes first, a frame is shorter.
    public var maximumFramePayload = 65_396
    /// How many streams either side may have open that the other hasn't acknowledged (libp2p yamux, "ACK backlog").
    public var acceptBacklog = 256
    /// How many streams the peer may have open.
    public var maximumInboundStreams = 512
    /// How many streams we may have open.
    public var maximumOutboundStreams = 512
    /// How many ids that the peer skipped are remembered, so that their SYN may still come. Peers number a stream when
    /// it is opened and send its SYN later, so that SYNs overtake each other.
    public var maximumSkippedIDs = 256

    /// How often the round trip is measured and the peer's life proved, or nil for never. The first ping goes out at
    /// once.
    public var keepAliveInterval: Duration? = .seconds(30)
    /// How long a ping may be unanswered while nothing else arrives either.
    public var pingTimeout: Duration = .seconds(10)
    /// How long an abandoned stream waits for the peer's FIN before it is reset.
    public var closeTimeout: Duration = .seconds(300)

    /// How often the peer may reset streams that it had opened (CVE-2023-44487).
    public var resets = YamuxRateLimit(count: 200, period: .seconds(30))
    /// How often the peer may do to a stream what makes us reset or ignore it (CVE-2025-8671).
    public var streamErrors = YamuxRateLimit(count: 200, period: .seconds(30))
    /// How often the peer may ping.
    public var pings = YamuxRateLimit(count: 1000, period: .seconds(30))
    /// How many frames in a row may change nothing: no data, no credit, no flag that matters.
    public var maximumEmptyFrames = 64
    /// How many answers to pings may wait; past that the oldest is dropped (CVE-2024-32984).
    public var maximumQueuedPongs = 64
    /// How many resets may wait for a peer that doesn't read, when it opens yet another stream (CVE-2024-32984).
    public var maximumQueuedResets = 10_000

    public init() {}

    /// Why no session can work with these bounds; nil when one can.
    public var problem: String? {
        let rates = [resets, streamErrors, pings]
        let isRateSound = rates.allSatisfy { $0.count > 0 && $0.period > .zero }
        let areTimesSound = pingTimeout > .zero && closeTimeout > .zero && keepAliveInterval ?? .seconds(1) > .zero
        if maximumWindow < Self.initialWindow { return "a window can't shrink below the protocol's 256 KiB" }
        if maximumWindow > Int(UInt32.max) { return "a window update carries 32 bits" }
        if maximumFramePayload <= 0 || maximumFramePayload > Self.maximumDataLength { return "a frame has a payload" }
        if acceptBacklog <= 0 || maximumInboundStreams < 0 || maximumOutboundStreams < 0 {
            return "a count of streams isn't negative"
        }
        if maximumSkippedIDs < 0 || maximumEmptyFrames <= 0 || maximumQueuedPongs <= 0 {
            return "a bound allows something"
        }
        if !areTimesSound { return "a time is longer than nothing" }
        return isRateSound ? nil : "a rate limit allows something"
    }

    func validate() {
        if let problem { preconditionFailure(problem) }
    }
}
