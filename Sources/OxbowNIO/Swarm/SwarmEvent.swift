public import OxbowCore
public import OxbowProtocols
public import OxbowSwarm

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
    /// New streams with a peer go to another connection from now on, and those that live move there; nil when none stands.
    case bestConnectionChanged(peer: PeerID, to: ConnectionPath?)
    /// A live stream has moved, whichever side asked.
    case streamMigrated(peer: PeerID, protocolID: ProtocolID?, record: MigrationRecord)
    /// An attempt of either side to move a stream ended otherwise: the record's outcome says how. The protocol is nil
    /// when the peer named no stream that is known here.
    case streamNotMigrated(peer: PeerID, protocolID: ProtocolID?, record: MigrationRecord)
    /// It is known now whether this host can be reached from outside, or not known any more.
    case reachabilityChanged(HostReachability)
    /// Servers of AutoNAT have reached this host at the address, which it announces from now on.
    case externalAddressConfirmed(Multiaddr)
    /// The address can't be reached any more, or nobody sees the host there: it isn't announced any more.
    case externalAddressExpired(Multiaddr)
    /// It is known now what the NAT in front of this host does. With an endpoint-dependent one hole punching mostly fails.
    case natMappingChanged(NATMapping)
    /// An attempt to upgrade a relayed connection with a peer to a direct one has begun, or a peer's is answered.
    case holePunchBegan(peer: PeerID, side: HolePunchSide)
    /// That attempt is over: there is a direct connection, or the record says why there is none.
    case holePunchEnded(peer: PeerID, record: HolePunchRecord)
    /// A limit has refused something: so many of its kind since the last such event, and the newest of them. Of each kind
    /// there is one event in a second at most, however many there are.
    case refused(ResourceRefusal, count: Int)
    /// Something about this host's reservation at a relay has changed.
    case relayReservation(relay: PeerID, change: RelayReservationChange)
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
    /// What the ledger of limits has in its books beyond the connections that are open: streams of multiplexers, and
    /// whatever was not given back.
    public var reservations = 0

    public init() {}

    /// Whether nothing is alive.
    public var isZero: Bool { self == SwarmCensus() }
}
