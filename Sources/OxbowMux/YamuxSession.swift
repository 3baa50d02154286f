public import OxbowCore

/// One end of a Yamux connection (`/yamux/1.0.0`; the Yamux spec, with libp2p's notes on the ACK backlog and go-yamux's
/// error codes), without I/O: it counts bytes and holds none.
///
/// **Input.** With what it has, the driver calls ``receiveBody(_:at:)`` and does as the answer says. Where that is nil, a
/// header comes next: with twelve bytes at hand it calls ``receive(_:at:)``. After each of them
/// (and after ``nextFrame(maximumPayload:at:)`` and ``tick(at:)``) it polls ``nextEvent()`` until that is nil.
///
/// **Output.** The driver keeps a queue of bytes per stream and says how much is in it with
/// ``setPending(_:bytes:)``. While ``hasOutput``, it pulls ``nextFrame(maximumPayload:at:)``, writes the header and
/// takes the payload from that stream's queue.
///
/// A stream's id means nothing once ``YamuxEvent/streamClosed(_:)`` or ``YamuxEvent/streamReset(_:code:byPeer:)`` came
/// or ``reset(_:code:)`` was called. Since the driver may learn that a little later, calls with such an id do nothing.
///
/// Two facts about peers shape what is sent: older py-libp2p reads no body behind a header with SYN or ACK, and knows FIN
/// and RST only on data frames. So SYN and ACK travel in window updates, FIN on data frames, and RST on a data frame unless
/// it carries a code.
public struct YamuxSession: Hashable, Sendable {
    /// A reset that waits to be sent.
    struct PendingReset: Hashable, Sendable {
        var id: YamuxStreamID
        var code: UInt32
    }

    /// The body that is coming in.
    struct Body: Hashable, Sendable {
        /// Nil when the bytes are to be discarded. They are also once the stream is gone; ids don't come again.
        var stream: YamuxStreamID?
        var remaining: Int
        var endsStream: Bool
    }

    struct Ping: Hashable, Sendable {
        /// The value of the next ping.
        var next: UInt32 = 0
        /// When the next is due.
        var dueAt: Instant
        /// One is to be sent, or unanswered.
        var isActive = false
        /// When the active one was sent; nil while it waits to be.
        var sentAt: Instant?
        /// When the active one was asked for, or sent.
        var since: Instant
        /// Smoothed over the last pings.
        var roundTrip: Duration?
    }

    /// Which end of the connection this is: it decides the parity of our stream ids.
    public let role: YamuxRole
    /// The bounds, as they were when the session began.
    public var configuration: YamuxConfiguration { sharedConfiguration.value }
    // Out of line: a session is handed from call to call as a whole.
    private let sharedConfiguration: Shared<YamuxConfiguration>

    var streams = StreamTable()
    /// 64 bits, so that the id after the last one has a value.
    var nextID: UInt64
    var inboundIDs: InboundIDs
    var inboundCount = 0
    var outboundCount = 0
    /// Our streams that the peer hasn't answered.
    var unansweredCount = 0
    /// The peer's streams that our application hasn't taken.
    var unacceptedCount = 0
    /// The sum of the streams' windows.
    var windowSum = 0
    /// How far the windows may have grown in all.
    var growthLimit: Int
    /// The driver was asked for more growth and has not answered.
    var isAskingForGrowth = false
    /// Before this there is no point in asking.
    var nextGrowthRequest: Instant

    var body: Body?
    var events = Ring<YamuxEvent>()
    var pongs = Ring<UInt32>()
    var resets = Ring<PendingReset>()
    var controlQueue = StreamQueue()
    var dataQueue = StreamQueue()
    /// How many streams have a control frame to send, and how many a data frame.
    var controlCount = 0
    var dataCount = 0
    /// Abandoned streams in the order of their deadlines.
    var abandonedQueue = StreamQueue()

    var ping: Ping
    /// When something came from the peer last.
    public internal(set) var lastReceivedAt: Instant
    /// The GoAway that is to be sent.
    var pendingGoAway: UInt32?
    public internal(set) var localGoAway: UInt32?
    public internal(set) var remoteGoAway: UInt32?
    /// Why the session has ended, if it has.
    public internal(set) var failure: YamuxError?

    var resetLimiter: RateLimiter
    var streamErrorLimiter: RateLimiter
    var pingLimiter: RateLimiter
    var emptyFrames = 0
    /// What innocent peers may still have on the way to streams that ended here: data they had credit for, and other
    /// frames. What goes beyond is counted as stream errors.
    var strayBytes = 0
    var strayFrames = 0
    /// Streams that an innocent peer may still open before it knows of our GoAway, and whether they are welcome.
    var lateStreams = 0
    var takesLateStreams = false

    var counts = Uncompared(YamuxStatistics())

    /// Starts a session on a fresh connection. The dialer is the client.
    public init(role: YamuxRole, configuration: YamuxConfiguration = YamuxConfiguration(), now: Instant) {
        configuration.validate()
        self.role = role
        sharedConfiguration = Shared(configuration)
        nextID = role == .client ? 1 : 2
        inboundIDs = InboundIDs(bound: configuration.maximumSkippedIDs)
        ping = Ping(dueAt: now, since: now)
        lastReceivedAt = now
        growthLimit = configuration.asksBeforeGrowth ? 0 : .max
        nextGrowthRequest = now
        resetLimiter = RateLimiter(configuration.resets, at: now)
        streamErrorLimiter = RateLimiter(configuration.streamErrors, at: now)
        pingLimiter = RateLimiter(configuration.pings, at: now)
        if configuration.keepAliveInterval != nil { self.ping(at: now) }
    }

    // MARK: Looking at it

    /// How many streams are open, in either direction.
    public var streamCount: Int { streams.count }
    public var inboundStreamCount: Int { inboundCount }
    public var outboundStreamCount: Int { outboundCount }
    /// No stream is open.
    public var isIdle: Bool { streams.isEmpty }
    /// The smoothed round trip, once a ping was answered.
    public var roundTrip: Duration? { ping.roundTrip }
    public var statistics: YamuxStatistics { counts.value }

    /// How many bytes the peer lets us send on a stream; 0 when there is no such stream.
    public func sendWindow(_ id: YamuxStreamID) -> Int {
        streams[id]?.sendWindow ?? 0
    }

    /// How many bytes at a time the peer may have in flight or unread on a stream; 0 when there is no such stream.
    public func receiveWindow(_ id: YamuxStreamID) -> Int {
        streams[id]?.window ?? 0
    }

    /// By how many bytes all receive windows together have grown past what streams begin with.
    public var windowGrowth: Int { windowSum - streams.count * YamuxConfiguration.initialWindow }

    /// Whether the stream exists.
    public func isOpen(_ id: YamuxStreamID) -> Bool {
        streams[id] != nil
    }

    /// Takes the oldest event.
    public mutating func nextEvent() -> YamuxEvent? {
        events.popFirst()
    }

    // MARK: Records

    /// Whether this side chose the id.
    func isOurs(_ id: YamuxStreamID) -> Bool {
        (id.rawValue & 1 == 1) == (role == .client)
    }

    /// Brings queues and counts in line with a record that was changed.
    mutating func refresh(_ index: StreamIndex) {
        let id = streams.key(at: index)
        let record = streams[at: index]
        var state = record.state
        if record.wantsControl != state.contains(.countedForControl) {
            controlCount += record.wantsControl ? 1 : -1
            state.toggle(.countedForControl)
        }
        if record.wantsControl, state.set(.inControlQueue) { controlQueue.append(id) }
        if record.wantsData != state.contains(.countedForData) {
            dataCount += record.wantsData ? 1 : -1
            state.toggle(.countedForData)
        }
        if record.wantsData, state.set(.inDataQueue) { dataQueue.append(id) }
        streams[at: index].state = state
        streams[at: index].assertInvariants(maximumWindow: configuration.maximumWindow)
    }

    mutating func insert(_ id: YamuxStreamID, _ record: StreamRecord) {
        let index = streams.insert(record, forKey: id)
        windowSum += record.window
        if record.state.contains(.inbound) {
            inboundCount += 1
            unacceptedCount += 1
        } else {
            outboundCount += 1
            unansweredCount += 1
        }
        refresh(index)
    }

    /// Forgets a stream.
    mutating func drop(_ index: StreamIndex) {
        let record = streams.remove(at: index)
        windowSum -= record.window
        let waits = record.state.contains(.accepted) ? 0 : 1
        if record.state.contains(.inbound) {
            inboundCount -= 1
            unacceptedCount -= waits
        } else {
            outboundCount -= 1
            unansweredCount -= waits
        }
        if record.state.contains(.countedForControl) { controlCount -= 1 }
        if record.state.contains(.countedForData) { dataCount -= 1 }
        if record.state.contains(.inControlQueue) { controlQueue.leaveBehind(streams) }
        if record.state.contains(.inDataQueue) { dataQueue.leaveBehind(streams) }
        if record.state.contains(.abandoned) { abandonedQueue.leaveBehind(streams) }
        guard record.state.contains(.announced) else { return }
        strayFrames = min(strayFrames + Self.strayFramesPerStream, Self.maximumStrayFrames)
        if !record.state.contains(.finReceived) { strayBytes += record.credit }
    }

    /// How many frames an innocent peer may have on the way to a stream when it ends: window updates, above all. Some
    /// implementations send one per read.
    static let strayFramesPerStream = 64
    static let maximumStrayFrames = 1 << 20

    /// Ends a stream that both sides have finished.
    mutating func closeIfEnded(_ index: StreamIndex) -> Bool {
        guard streams[at: index].isEnded else { return false }
        events.append(.streamClosed(streams.key(at: index)))
        drop(index)
        return true
    }
}

/// A value that takes no part in comparing and hashing what holds it: states that differ only in it act alike.
struct Uncompared<Value: Sendable>: Hashable, Sendable {
    var value: Value

    init(_ value: Value) {
        self.value = value
    }

    static func == (lhs: Uncompared, rhs: Uncompared) -> Bool { true }

    func hash(into hasher: inout Hasher) {}
}
