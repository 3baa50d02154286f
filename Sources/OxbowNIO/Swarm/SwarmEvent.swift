public import OxbowCore
public import OxbowProtocols

/// What happens to a host's connections and streams, for those who want to watch.
public enum SwarmEvent: Sendable {
    /// A connection stands: its peer is authenticated and its multiplexer runs.
    case connectionOpened(peer: PeerID, path: ConnectionPath)
    /// A connection that had stood is over.
    case connectionClosed(peer: PeerID, path: ConnectionPath, error: ConnectionError)
    /// A peer's connection was not accepted, or broke off before it stood.
    case inboundFailed(path: ConnectionPath, error: ConnectionError)
    /// identify, or a push, told about a peer.
    case identified(peer: PeerID, info: IdentifyInfo)
    /// A peer was found on the local network, or is at other addresses there now.
    case peerDiscovered(peer: PeerID, addresses: [Multiaddr])
    /// A live stream has moved, whichever side asked.
    case streamMigrated(peer: PeerID, protocolID: ProtocolID?, record: MigrationRecord)
    /// An attempt of either side to move a stream ended otherwise: the record's outcome says how. The protocol is nil
    /// when the peer named no stream that is known here.
    case streamNotMigrated(peer: PeerID, protocolID: ProtocolID?, record: MigrationRecord)
}

/// How much is alive in a host. All zero when it has nothing to do: whatever is left then is a leak.
public struct SwarmCensus: Hashable, Sendable {
    /// Connections, upgraded or not, until their transport is closed.
    public var connections = 0
    public var peers = 0
    /// Logical streams that have not ended.
    public var streams = 0
    /// Ids in the tables of labels.
    public var labels = 0
    /// Migrates of peers that wait to be judged, and migrations under way.
    public var heldMigrates = 0
    public var migrations = 0
    /// Timers of migrations.
    public var timers = 0
    public var dials = 0

    public init() {}

    /// Whether nothing is alive.
    public var isZero: Bool { self == SwarmCensus() }
}
