public import OxbowCore

/// How a host finds peers by itself. Nothing is on by default.
public struct DiscoveryConfiguration: Sendable {
    /// Multicast DNS on the local network (libp2p/specs, discovery/mdns): tells this host's addresses to whoever asks
    /// there, and asks for others'; ``SwarmEvent/peerDiscovered(peer:addresses:)`` tells of each. Nil is off.
    public var localNetwork: LocalNetworkDiscovery?
    /// Peers to connect to when the host starts, each with its id behind, such as
    /// `/dns4/example.org/tcp/4001/p2p/12D3…`. They are known for good.
    public var bootstrap: [Multiaddr] = []
    /// So many of them are kept connected.
    public var bootstrapConnections = 1
    /// The local network.
    package var multicast: any MulticastBus = UDPMulticast()

    public init() {}

    /// Why nothing can work with this; nil when it can.
    public var problem: String? {
        bootstrap.first { $0.peerID == nil }.map {
            "the bootstrap address \($0) doesn't say who is there; put /p2p/ and the peer's id behind it"
        }
    }
}

/// How a host is found, and finds others, on the local network.
public struct LocalNetworkDiscovery: Hashable, Sendable {
    /// Whether peers that were found are connected to.
    public var isConnecting = false
    /// The longest time between two questions to the network. The first ones come faster.
    public var interval: Duration = .seconds(300)
    /// How long others may take this host's addresses for good.
    public var lifetime: Duration = .seconds(360)

    public init() {}
}
