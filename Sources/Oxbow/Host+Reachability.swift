public import OxbowCore
public import OxbowSwarm

// Where the host can be reached from outside.

extension Host {
    /// Whether peers can connect to this host from outside, as servers of AutoNAT say
    /// (`SwarmConfiguration.reachability`).
    public var reachability: HostReachability { swarm.reachability }

    /// The addresses at which servers of AutoNAT have reached this host.
    public var reachableAddresses: [Multiaddr] { swarm.reachableAddresses }

    /// What the NAT in front of this host does, as far as peers' observations tell.
    public var natMapping: NATMapping { swarm.natMapping }
}
