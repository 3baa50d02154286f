public import OxbowCore
public import OxbowMigration
public import OxbowMux
public import OxbowProtocols
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
    /// Whether dials come from the port that the host listens on, where they can: peers then observe the address at
    /// which it can be reached, and holes can be punched.
    public var dialsFromListeningPort = true
    /// Upgrades of relayed connections to direct ones.
    public var holePunch = HolePunchConfiguration()
    /// How this host uses relays.
    public var relayClient = RelayClientConfiguration()
    /// What this host grants as a relay; nil: it is none.
    public var relayServer: RelayServerConfiguration?
    /// Counts what happens.
    package var meter: (any SwarmMeter)?

    public init() {}

    /// Why nothing can work with these bounds; nil when it can.
    public var problem: String? {
        muxer.problem ?? limits.problem ?? policy.problem ?? reachability.problem ?? discovery.problem
    }
}

/// What a swarm takes on at most.
public struct SwarmLimits: Hashable, Sendable {
    /// Connections, streams and memory: of the host, a peer, an address, a protocol, and so on. The defaults are for the
    /// memory that the machine or its container has.
    public var resources = ResourceLimits(memory: MachineMemory.bytes)
    /// Addresses that one dial tries.
    public var addressesPerDial = 32
    /// Dials that run at once.
    public var dials = 256

    public init() {}

    /// Why nothing can work with these limits; nil when it can.
    public var problem: String? { resources.problem }

    /// Connections that peers opened, upgraded or not: short for the number in ``resources``.
    public var inboundConnections: Int {
        get { resources.system.inboundConnections }
        set {
            resources.system.inboundConnections = newValue
            resources.system.connections = max(resources.system.connections, newValue)
        }
    }

    /// Connections with one peer, whoever opened them: short for the number in ``resources``.
    public var connectionsPerPeer: Int {
        get { resources.peer.connections }
        set { resources.peer.connections = newValue }
    }
}
