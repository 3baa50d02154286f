/// A protobuf message as a plain Swift value.
///
/// Decoding is total: whatever the bytes are, the result is a value or a ``WireError``. The size is checked against
/// ``maximumSize`` before the parser sees a byte, nesting is bounded by the schema, and unknown fields are skipped.
public protocol WireMessage: Hashable, Sendable {
    /// What errors call the message.
    static var name: String { get }

    /// The most bytes that are decoded, without a length prefix. Encoding doesn't check it.
    static var maximumSize: Int { get }

    /// Decodes one whole message, without a length prefix.
    init(decoding bytes: ArraySlice<UInt8>) throws(WireError)

    /// The message in ascending order of its fields, without a length prefix.
    func encoded() -> [UInt8]
}

extension WireMessage {
    /// Decodes one whole message, without a length prefix.
    public init(decoding bytes: [UInt8]) throws(WireError) {
        try self.init(decoding: bytes[...])
    }

    /// Takes one message behind its length from the front of `input`.
    ///
    /// - Returns: nil when `input` ends before the message does; `input` is then untouched.
    public static func decodeDelimited(from input: inout ArraySlice<UInt8>) throws(WireError) -> Self? {
        guard let body = try LengthDelimited.decode(from: &input, limit: maximumSize, message: name) else { return nil }
        return try Self(decoding: body)
    }

    /// The message behind its length as an unsigned varint.
    public func encodedDelimited() -> [UInt8] {
        LengthDelimited.encode(encoded())
    }
}
