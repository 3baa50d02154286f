public import OxbowCore
public import OxbowMigration
public import OxbowSwarm

/// Why a stream can't be read or written any more, or could not be opened. An end of stream isn't an error: reading
/// yields nil.
///
/// What is large in it is out of line: each stream has room for an error, and most never have one.
public enum StreamError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The peer reset the stream, with its error code (0 when it gave none).
    case resetByPeer(code: UInt32)
    /// This side reset the stream.
    case resetLocally(code: UInt32)
    /// The connection under the stream is gone.
    indirect case connectionLost(ConnectionError)
    /// A migration of the stream could not be brought to its end without a doubt about its bytes.
    case migration(MigrationFailure)
    /// Written after `StreamOutbound.finish()`.
    case finished
    /// Read after `Stream.close()`: what came was dropped.
    case closed
    /// The peer offers none of the protocols that were asked for.
    case protocolsNotSupported([ProtocolID])
    /// The peer's negotiation of the stream can't be understood.
    case negotiation(String)
    /// The peer didn't answer the negotiation in time.
    case negotiationTimedOut
    /// No more streams fit on the connection: a limit of its multiplexer, or of the peer.
    case refused(String)
    /// A limit of this side refused it.
    indirect case overLimit(ResourceRefusal)
    /// The relay under the connection lets no more bytes through, and the stream can't move to another connection.
    case relayLimitReached(bytes: UInt64)
    /// The stream ended in the middle of what was to be read.
    case endedEarly(missing: Int)
    /// The task that waited was cancelled. Nothing was read or written by the call.
    case cancelled
    /// A second task read while one was waiting: a stream has one reader.
    case concurrentRead

    public var description: String {
        switch self {
        case .resetByPeer(let code): "the peer reset the stream (error code \(code))"
        case .resetLocally(let code): "the stream was reset by this side (error code \(code))"
        case .connectionLost(let error): "the stream's connection was lost: \(error)"
        case .migration(let failure): "the stream was aborted in a migration: \(failure)"
        case .finished: "the stream's write side is closed; nothing can be written after finish()"
        case .closed: "the stream was closed by this side; nothing can be read after close()"
        case .protocolsNotSupported(let protocols):
            "the peer supports none of: \(protocols.map(\.rawValue).joined(separator: ", "))"
        case .negotiation(let what): "the peer broke the stream's negotiation: \(what)"
        case .negotiationTimedOut: "the peer did not answer the stream's negotiation in time"
        case .refused(let why): "the stream could not be opened: \(why)"
        case .overLimit(let refusal): "the stream could not be opened: \(refusal)"
        case .relayLimitReached(let bytes):
            "the relay lets \(bytes) bytes through on this connection, and they are used up; connect directly, or through "
                + "a relay without limits, and open the stream again"
        case .endedEarly(let missing): "the stream ended \(missing) bytes too early"
        case .cancelled: "the task was cancelled while it waited for the stream"
        case .concurrentRead: "another task is reading this stream; a stream has one reader at a time"
        }
    }

    /// Whether the error also takes what had arrived in full, up to the peer's own end of stream, from the reader.
    var spoilsEnd: Bool {
        switch self {
        case .resetLocally, .migration(.dataBehindEnd): true
        default: false
        }
    }
}
