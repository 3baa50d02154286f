public import OxbowMux
public import OxbowSwarm
public import OxbowUpgrade

/// Why a connection ended, or never stood.
public enum ConnectionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// This side closed it.
    case closedLocally
    /// This side closed it because a better one stands and no stream was on it any more.
    case retired
    /// The peer announced the end with Yamux's GoAway (0: an orderly one).
    case closedByPeer(code: UInt32)
    /// The transport ended without the multiplexer's own end: the peer crashed, or somebody cut the line. Never taken
    /// for an end of stream.
    case transportEnded
    /// The transport failed, in the operating system's words.
    case transportFailed(String)
    /// The peer could not be authenticated, or spoke something else than was asked.
    indirect case upgrade(UpgradeError)
    /// The handshake did not end in time; where it stood.
    case handshakeTimedOut(UpgradePhase)
    /// The peer broke the security channel after the handshake.
    case security(String)
    /// The peer broke the multiplexer's rules, or answered no ping.
    case muxer(YamuxError)
    /// This side refused it.
    case refused(String)
    /// A limit of this side refused it.
    indirect case overLimit(ResourceRefusal)

    public var description: String {
        switch self {
        case .closedLocally: "this side closed the connection"
        case .retired: "nothing used the connection any more, and a better one stands"
        case .closedByPeer(let code): "the peer closed the connection (GoAway code \(code))"
        case .transportEnded: "the connection was cut without the multiplexer's goodbye; the peer may have crashed"
        case .transportFailed(let reason): "the network failed: \(reason)"
        case .upgrade(let error): error.description
        case .handshakeTimedOut(let phase):
            "the peer did not finish the handshake in time; it stopped answering during \(phase)"
        case .security(let reason): "the peer broke the encrypted channel: \(reason)"
        case .muxer(let error): error.description
        case .refused(let why): "the connection was refused: \(why)"
        case .overLimit(let refusal): "the connection was refused: \(refusal)"
        }
    }
}
