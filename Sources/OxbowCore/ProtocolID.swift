/// The name of an application protocol, as multistream-select negotiates it, such as `/ipfs/ping/1.0.0`.
public struct ProtocolID: Hashable, Sendable, CustomStringConvertible {
    /// The longest name that is offered or accepted, in UTF-8 bytes.
    public static let maximumLength = 512

    /// The name without the line feed that ends it on the wire.
    public let rawValue: String

    /// Makes a protocol id, or nil when `rawValue` is empty, longer than ``maximumLength`` bytes or has a line feed,
    /// which multistream-select could not carry.
    public init?(_ rawValue: String) {
        let bytes = rawValue.utf8.span
        guard !bytes.isEmpty, bytes.count <= Self.maximumLength else { return nil }
        for index in bytes.indices where bytes[index] == UInt8(ascii: "\n") { return nil }
        self.rawValue = rawValue
    }

    public var description: String { rawValue }

    /// On the wire names are bytes, and two names are the same when their bytes are. `String` finds more names equal:
    /// an accented letter and the same one composed of two.
    public static func == (lhs: ProtocolID, rhs: ProtocolID) -> Bool {
        lhs.rawValue.utf8.span.isEqual(to: rhs.rawValue.utf8.span)
    }

    public func hash(into hasher: inout Hasher) {
        var text = rawValue
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension ProtocolID: ExpressibleByStringLiteral {
    /// A literal that isn't a valid id is a programmer's mistake and traps.
    public init(stringLiteral value: StaticString) {
        guard let id = ProtocolID("\(value)") else {
            preconditionFailure("not a protocol id of 1 to \(Self.maximumLength) bytes without line feed: \(value)")
        }
        self = id
    }
}
