/// The number of a stream within one Yamux session. Clients (dialers) count odd numbers, servers even ones.
public struct YamuxStreamID: RawRepresentable, Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// The session itself: the id of pings and of GoAway.
    public static let session = YamuxStreamID(rawValue: 0)

    public static func < (lhs: YamuxStreamID, rhs: YamuxStreamID) -> Bool {
        lhs.rawValue < rhs.rawValue
    }

    public var description: String { "\(rawValue)" }
}

extension YamuxStreamID: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: UInt32) {
        self.init(rawValue: value)
    }
}

/// What a frame is (Yamux spec, "Type Field"). A value that the spec doesn't name is kept: ``YamuxSession`` refuses it.
public struct YamuxFrameType: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// `length` bytes of a stream follow the header.
    public static let data = YamuxFrameType(rawValue: 0)
    /// `length` is how many more bytes of the stream the receiver of this frame may send, or an error code with RST.
    public static let windowUpdate = YamuxFrameType(rawValue: 1)
    /// `length` is an opaque value that is echoed.
    public static let ping = YamuxFrameType(rawValue: 2)
    /// `length` is a code of ``YamuxGoAwayCode``.
    public static let goAway = YamuxFrameType(rawValue: 3)
}

/// The flags of a frame (Yamux spec, "Flag Field"). Unknown bits are kept and ignored.
public struct YamuxFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// The first frame of a stream.
    public static let syn = YamuxFlags(rawValue: 1)
    /// The receiver of a SYN has taken the stream, or answers a ping.
    public static let ack = YamuxFlags(rawValue: 2)
    /// The sender writes no more on the stream.
    public static let fin = YamuxFlags(rawValue: 4)
    /// The stream is over at once, both ways.
    public static let rst = YamuxFlags(rawValue: 8)
}

/// The twelve bytes before each frame: version (8 bits), type (8), flags (16), stream id (32), length (32), each in
/// network order (Yamux spec, "Framing"). Any twelve bytes are a header; whether it makes sense, the session decides.
public struct YamuxFrameHeader: Hashable, Sendable {
    /// The size of a header in bytes.
    public static let size = 12

    /// 0; the session refuses anything else.
    public var version: UInt8
    /// What the frame is.
    public var type: YamuxFrameType
    /// What else it says of its stream, or of the ping.
    public var flags: YamuxFlags
    /// Whose frame it is; ``YamuxStreamID/session`` for pings and GoAway.
    public var streamID: YamuxStreamID
    /// Bytes of payload, bytes of window, a ping's value or an error code: ``type`` says which.
    public var length: UInt32

    public init(
        version: UInt8 = 0, type: YamuxFrameType, flags: YamuxFlags = [], streamID: YamuxStreamID, length: UInt32
    ) {
        self.version = version
        self.type = type
        self.flags = flags
        self.streamID = streamID
        self.length = length
    }

    /// Makes a header of its three words, as they are read in network order.
    public init(firstWord: UInt32, secondWord: UInt32, thirdWord: UInt32) {
        version = UInt8(truncatingIfNeeded: firstWord >> 24)
        type = YamuxFrameType(rawValue: UInt8(truncatingIfNeeded: firstWord >> 16))
        flags = YamuxFlags(rawValue: UInt16(truncatingIfNeeded: firstWord))
        streamID = YamuxStreamID(rawValue: secondWord)
        length = thirdWord
    }

    /// Parses the first twelve bytes, or nil when there are fewer.
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= Self.size else { return nil }
        func word(_ offset: Int) -> UInt32 {
            UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
        self.init(firstWord: word(0), secondWord: word(4), thirdWord: word(8))
    }

    /// Version, type and flags: the first of the three words that are written in network order, before the stream id
    /// and the length.
    public var firstWord: UInt32 {
        UInt32(version) << 24 | UInt32(type.rawValue) << 16 | UInt32(flags.rawValue)
    }

    /// Appends the twelve bytes to `output`.
    public func encode(into output: inout [UInt8]) {
        for word in [firstWord, streamID.rawValue, length] {
            for shift in [24, 16, 8, 0] {
                output.append(UInt8(truncatingIfNeeded: word >> UInt32(shift)))
            }
        }
    }
}
