/// Codes of GoAway: the three of the Yamux spec, and those of libp2p's connection errors that are used here.
public enum YamuxGoAwayCode {
    public static let normal: UInt32 = 0
    public static let protocolError: UInt32 = 1
    public static let internalError: UInt32 = 2
    /// The peer cost more than it may (libp2p connection error "rate limited").
    public static let rateLimited: UInt32 = 0x1002
}

/// Codes that a reset carries in the length of a window update with RST: libp2p's stream errors that are used here.
public enum YamuxResetCode {
    /// No reason given.
    public static let none: UInt32 = 0
    /// There are too many streams already.
    public static let resourceLimitExceeded: UInt32 = 0x1002
    public static let protocolViolation: UInt32 = 0x1004
    /// The session takes no new streams.
    public static let shutdown: UInt32 = 0x1007
}

/// What a peer did too much of.
public enum YamuxAbuse: Hashable, Sendable {
    /// Streams opened and reset (CVE-2023-44487).
    case resets
    /// Frames that made us reset a stream, or that belong to none (CVE-2025-8671).
    case streamErrors
    /// Frames in a row that change nothing.
    case emptyFrames
    case pings
    /// Streams that we refused, while it didn't read the refusals (CVE-2024-32984).
    case unreadResets
}

/// Why a session has to end. The connection is to be closed once the GoAway is written that
/// ``YamuxSession/nextFrame(maximumPayload:at:)`` gives.
public enum YamuxError: Error, Hashable, Sendable {
    case unsupportedVersion(UInt8)
    case unknownFrameType(UInt8)
    /// A stream's frame with id 0, or a session's frame with another id.
    case wrongScope(YamuxFrameHeader)
    /// A SYN with an id of our parity.
    case wrongParity(YamuxStreamID)
    /// A SYN for a stream that is open.
    case duplicateStream(YamuxStreamID)
    /// A SYN for a stream that was open once.
    case reusedStream(YamuxStreamID)
    /// More data than the window has left.
    case windowExceeded(YamuxStreamID, length: UInt32, window: Int)
    /// A data frame longer than ``YamuxConfiguration/maximumDataLength``.
    case frameTooLong(UInt32)
    case tooMany(YamuxAbuse)
    /// A ping wasn't answered within ``YamuxConfiguration/pingTimeout``, and nothing else came.
    case pingTimeout

    /// The code of the GoAway that tells the peer.
    public var goAwayCode: UInt32 {
        switch self {
        case .tooMany: YamuxGoAwayCode.rateLimited
        case .pingTimeout: YamuxGoAwayCode.internalError
        default: YamuxGoAwayCode.protocolError
        }
    }
}

extension YamuxError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unsupportedVersion(let version): "Yamux: the peer speaks version \(version); only 0 exists"
        case .unknownFrameType(let type): "Yamux: the peer sent a frame of unknown type \(type)"
        case .wrongScope(let header):
            "Yamux: the peer sent a frame of type \(header.type.rawValue) with stream id \(header.streamID)"
        case .wrongParity(let id): "Yamux: the peer opened stream \(id), whose parity is ours"
        case .duplicateStream(let id): "Yamux: the peer opened stream \(id), which is open"
        case .reusedStream(let id): "Yamux: the peer opened stream \(id) again"
        case .windowExceeded(let id, let length, let window):
            "Yamux: the peer sent \(length) bytes on stream \(id), whose window had \(window) left"
        case .frameTooLong(let length): "Yamux: the peer announced a frame of \(length) bytes"
        case .tooMany(let what):
            "Yamux: the peer sent too many \(what); raise the limit in YamuxConfiguration if it is trusted"
        case .pingTimeout: "Yamux: the peer answers no ping"
        }
    }
}

/// Why no stream can be opened now.
public enum YamuxOpenError: Error, Hashable, Sendable {
    /// ``YamuxConfiguration/acceptBacklog`` streams wait for the peer: try again after ``YamuxEvent/acknowledged(_:)``.
    case backlogFull
    /// ``YamuxConfiguration/maximumOutboundStreams`` are open: try again after one has closed.
    case tooManyStreams
    /// All ids are used: a new connection is needed.
    case streamIDsExhausted
    /// We announced that the session ends.
    case localGoAway
    /// The peer announced, with this code, that the session ends.
    case remoteGoAway(UInt32)
    /// The session has failed.
    case failed(YamuxError)
}

extension YamuxOpenError {
    /// Whether one side has announced that the session ends: another connection may take the stream.
    public var isGoAway: Bool {
        switch self {
        case .localGoAway, .remoteGoAway: true
        case .backlogFull, .tooManyStreams, .streamIDsExhausted, .failed: false
        }
    }
}

extension YamuxOpenError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .backlogFull: "Yamux: too many streams wait for the peer to accept them; open another once it did"
        case .tooManyStreams: "Yamux: too many streams are open; close one, or raise maximumOutboundStreams"
        case .streamIDsExhausted: "Yamux: the connection has used up its stream ids; open a new connection"
        case .localGoAway: "Yamux: this session takes no new streams since goAway was called"
        case .remoteGoAway(let code): "Yamux: the peer takes no new streams (GoAway \(code))"
        case .failed(let error): "Yamux: the session has failed: \(error)"
        }
    }
}
