public import OxbowCore
public import OxbowMigration
public import OxbowMux
import OxbowProtocols
public import OxbowSwarm

/// Everything about a swarm that isn't its identity. Each bound has a default that suits a public peer.
public struct SwarmConfiguration: Sendable {
    public var connection = ConnectionLimits()
    public var stream = StreamLimits()
    public var muxer = YamuxConfiguration()
    public var migration = MigrationConfiguration()
    public var limits = SwarmLimits()
    /// Which of a peer's connections is used, when streams move to it and when the others are closed.
    public var policy = ConnectionPolicy()
    /// Whether streams are labelled, and peers' migrations taken.
    public var isMigrationEnabled = true
    /// Protocols whose streams never migrate, besides ``neverMigratable`` (SM-L5).
    public var unmigratableProtocols: Set<ProtocolID> = []
    /// The software's name that identify gives.
    public var agentVersion = Identify.agentVersion
    /// How long a dial may take, from the first address to the last.
    public var dialTimeout: Duration = .seconds(30)
    /// How long the next address waits for the ones before it (RFC 8305, section 5).
    public var dialStagger: Duration = .milliseconds(250)
    /// How peers are dialled, besides.
    public var dialing = DialingConfiguration()
    /// What is remembered of peers.
    public var peerStore = AddressBookConfiguration()
    /// How peers are found.
    public var discovery = DiscoveryConfiguration()
    /// How long identify may take.
    public var identifyTimeout: Duration = .seconds(10)
    /// How the host finds out where it can be reached, and helps others to.
    public var reachability = ReachabilityConfiguration()
    /// Counts what happens.
    package var meter: (any SwarmMeter)?

    public init() {}

    /// Why nothing can work with these bounds; nil when it can.
    public var problem: String? {
        muxer.problem ?? policy.problem ?? reachability.problem ?? discovery.problem
    }
}

/// What a swarm takes on at most.
public struct SwarmLimits: Hashable, Sendable {
    /// Connections that peers opened, upgraded or not.
    public var inboundConnections = 1_024
    /// Connections that stand with one peer.
    public var connectionsPerPeer = 8
    /// Addresses that one dial tries.
    public var addressesPerDial = 32
    /// Dials that run at once.
    public var dials = 256

    public init() {}
}
