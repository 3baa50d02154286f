/// Which end of a connection we are. In TLS the initiator is the client.
public enum SecurityRole: Hashable, Sendable {
    /// The end that dialled.
    case initiator
    /// The end that listened.
    case responder
}
