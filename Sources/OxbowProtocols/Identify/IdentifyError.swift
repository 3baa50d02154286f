public import OxbowCore
public import OxbowWire

/// Facts of identify (libp2p/specs identify/README.md).
public enum Identify {
    /// The opener asks, the other side tells about itself.
    public static let protocolID: ProtocolID = "/ipfs/id/1.0.0"
    /// The opener tells what has changed about itself.
    public static let pushProtocolID: ProtocolID = "/ipfs/id/push/1.0.0"
    /// What we send as our protocol version: the family that public libp2p nodes name.
    public static let protocolVersion = "ipfs/0.1.0"
    /// What we send as our agent version unless the application has a name of its own.
    public static let agentVersion = "oxbow/0.1.0"
    /// How much of a remote version text is kept, in UTF-8 bytes.
    public static let maximumVersionLength = 256
    /// The size above which an identification is sent in several messages, in bytes. Some readers take no more than
    /// 4 KiB, and only the first message.
    public static let splitSize = 4 << 10
}

/// Why an identification was refused, or can't be sent. Its scope is the stream; a wrong key is a lie about who the
/// peer is, and reason enough to close the connection.
public enum IdentifyError: Error, Hashable, Sendable {
    /// A message is too long, malformed, or its lists are over their bounds together with those before.
    case message(WireError)
    /// More messages than an identification may have.
    case tooManyMessages(limit: Int)
    /// The stream ended before the first message, or in the middle of one.
    case endedEarly
    /// The public key in the message can't be read.
    case malformedKey
    /// The public key in the message is another than the one that the connection was authenticated with.
    case wrongKey
    /// What we would say of ourselves doesn't fit into the messages that a peer reads.
    case tooLargeToSend(messages: Int, limit: Int)
    /// Our signed peer record doesn't fit into a message.
    case recordTooLargeToSend(size: Int, limit: Int)
}

extension IdentifyError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .message(let error):
            "identify: \(error)"
        case .tooManyMessages(let limit):
            "identify: the peer sent more than \(limit) messages"
        case .endedEarly:
            "identify: the peer ended the stream before its message did"
        case .malformedKey:
            "identify: the peer's public key cannot be read"
        case .wrongKey:
            "identify: the peer sent another public key than the one it was authenticated with"
        case .tooLargeToSend(let messages, let limit):
            "identify: our protocols and addresses need \(messages) messages, peers read \(limit): announce fewer"
        case .recordTooLargeToSend(let size, let limit):
            "identify: our signed peer record has \(size) bytes, peers read \(limit): announce fewer addresses"
        }
    }
}
