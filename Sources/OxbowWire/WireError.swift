public import OxbowCore

/// Why bytes from a peer aren't the message that was expected. None of these harms the reader: the scope of the
/// damage (stream or connection) is the caller's to decide.
public enum WireError: Error, Hashable, Sendable {
    /// The message is, or its length prefix promises, more bytes than the bound for its type. Nothing was parsed.
    case tooLarge(message: String, size: UInt64, limit: Int)
    /// The length prefix isn't a varint.
    case badLengthPrefix(VarintError)
    /// Not protobuf, a field of the wrong wire type, or a required field is missing.
    case malformed(message: String)
    /// A oneof without any member that is known.
    case typeNotSet(message: String)
    /// Well-formed, but another member of a oneof than the one that has to come now.
    case unexpectedType(message: String)
    /// A repeated field with more elements than we keep.
    case tooMany(field: String, count: Int, limit: Int)
    /// A text field that isn't UTF-8.
    case notUTF8(field: String)
}

extension WireError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tooLarge(let message, let size, let limit):
            "the peer's \(message) message is \(size) bytes long; at most \(limit) are accepted"
        case .badLengthPrefix(.tooLong):
            "the peer's length prefix is longer than nine bytes"
        case .badLengthPrefix(.notMinimal):
            "the peer's length prefix is longer than its value needs"
        case .malformed(let message):
            "the peer's \(message) message isn't valid protobuf or lacks a required field"
        case .typeNotSet(let message):
            "the peer's \(message) message has no type that is known here"
        case .unexpectedType(let message):
            "the peer's \(message) message is of a type that must not come at this point"
        case .tooMany(let field, let count, let limit):
            "the peer sent \(count) entries in \(field); at most \(limit) are accepted"
        case .notUTF8(let field):
            "the peer's \(field) isn't UTF-8 text"
        }
    }
}
