/// What a driver learns from a session besides bytes. Polled with ``YamuxSession/nextEvent()``.
public enum YamuxEvent: Hashable, Sendable {
    /// The peer opened a stream.
    case streamOpened(YamuxStreamID)
    /// The peer knows the stream that we opened: `open` may work again after ``YamuxOpenError/backlogFull``.
    case acknowledged(YamuxStreamID)
    /// The peer sends no more on this stream, and all that it sent was handed out.
    case finRead(YamuxStreamID)
    /// A stream of ours of which nothing was sent: the peer had announced that it takes no more. It is gone.
    case streamUnopened(YamuxStreamID)
    /// The stream is gone. The peer reset it (`byPeer`; the code when it gave one), or broke its rules, or takes no new
    /// streams. Nothing else comes about it, ``streamClosed(_:)`` neither.
    case streamReset(YamuxStreamID, code: UInt32?, byPeer: Bool)
    /// Both sides have ended the stream, or an abandoned one ran out of time: its id means nothing from now on.
    case streamClosed(YamuxStreamID)
    /// The peer takes no new streams, with a code of ``YamuxGoAwayCode``.
    case goAway(UInt32)
    /// A ping was answered after this time.
    case roundTrip(Duration)
    /// Windows could use so many bytes more than ``YamuxSession/allowGrowth(to:)`` allows. Asked once, until that or
    /// ``YamuxSession/refuseGrowth(until:)`` answers.
    case growthWanted(Int)
}

/// A data frame's body that is still to come, in part or whole.
public struct YamuxBody: Hashable, Sendable {
    /// What is to be done with the bytes.
    public enum Disposition: Hashable, Sendable {
        case deliver(YamuxStreamID)
        case discard
    }

    /// Whose bytes they are.
    public var disposition: Disposition
    /// How many bytes are to come before the next header.
    public var remaining: Int

    public init(disposition: Disposition, remaining: Int) {
        self.disposition = disposition
        self.remaining = remaining
    }
}

/// What to do with the next `count` bytes of input.
public enum YamuxBodyAction: Hashable, Sendable {
    /// They belong to this stream; `endOfFrame` when the next byte is a header's.
    case deliver(YamuxStreamID, count: Int, endOfFrame: Bool)
    /// They belong to nobody any more.
    case discard(count: Int, endOfFrame: Bool)
}

/// A frame to write: the header, and behind it `payload` bytes from the stream's own queue.
public struct YamuxOutboundFrame: Hashable, Sendable {
    public var header: YamuxFrameHeader

    /// How many bytes of the stream `header.streamID` follow; 0 for all but data frames.
    public var payload: Int {
        header.type == .data ? Int(header.length) : 0
    }
}

/// Counts since the session began. They decide nothing.
public struct YamuxStatistics: Hashable, Sendable {
    public var framesReceived = 0
    public var framesSent = 0
    /// Payload bytes of data frames that were announced to us.
    public var bytesReceived = 0
    public var bytesSent = 0
    /// Payload bytes that belonged to no stream.
    public var bytesDiscarded = 0
    public var streamsOpened = 0
    public var streamsAccepted = 0
    public var streamsRefused = 0
    public var resetsReceived = 0
    public var resetsSent = 0
    /// Frames for streams that were closed, or never open.
    public var strayFrames = 0
    public var windowUpdatesSent = 0
}
