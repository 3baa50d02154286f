public import OxbowCore

/// Which addresses are sent to a peer for a hole punch, and which of a peer's are dialled.
///
/// What a peer sends is its word alone: the relay hides where it really is. A host that dialled whatever it is told
/// would be a tool for attacks on others (rust-libp2p #2438), and for looking around in its own network. So only plain
/// TCP to IP addresses of the scopes below is dialled: no names, no relays, and only few addresses, of one host only few
/// ports.
public struct HolePunchAddressPolicy: Hashable, Sendable {
    /// The scopes of IP addresses that count. Add `IPScope.privateUse` for hosts that shall meet inside one site;
    /// peers can then make this host dial there.
    public var scopes: Set<IPScope> = [.global]
    /// Addresses that are sent, or dialled, in one try.
    public var maximumAddresses = 8
    /// Of those, addresses with the same IP address.
    public var maximumPortsPerHost = 2
    /// Whether addresses of the network in memory count too, for simulations.
    package var takesMemory = false

    public init() {}

    /// Of the host's own addresses those that are worth to be sent, the first ones first, without peer ids.
    public func sendable(_ own: [Multiaddr]) -> [Multiaddr] {
        limited(own.lazy.compactMap { $0.withoutPeerID })
    }

    /// Of a peer's addresses those that are dialled, without peer ids.
    ///
    /// - Parameters:
    ///   - peer: addresses that name another one are dropped.
    ///   - own: the host's own addresses, which lead nowhere else.
    public func dialable(_ addresses: [Multiaddr], of peer: PeerID, own: [Multiaddr]) -> [Multiaddr] {
        let own = Set(own.compactMap { $0.withoutPeerID })
        return limited(
            addresses.lazy.filter { $0.peerID == nil || $0.peerID == peer }.compactMap { $0.withoutPeerID }
                .filter { !own.contains($0) })
    }

    /// Whether the address is of a kind and scope that counts.
    public func isUsable(_ address: Multiaddr) -> Bool {
        if let endpoint = address.tcpEndpoint {
            return endpoint.port != 0 && endpoint.host.scope.map(scopes.contains) == true
        }
        guard takesMemory, case .memory? = address.components.first else { return false }
        return !address.isRelayed
    }

    private func limited(_ addresses: some Sequence<Multiaddr>) -> [Multiaddr] {
        var seen: Set<Multiaddr> = []
        var ports: [EndpointHost: Int] = [:]
        var result: [Multiaddr] = []
        for address in addresses where result.count < maximumAddresses && isUsable(address) {
            guard seen.insert(address).inserted else { continue }
            if let host = address.host {
                guard ports[host, default: 0] < maximumPortsPerHost else { continue }
                ports[host, default: 0] += 1
            }
            result.append(address)
        }
        return result
    }
}
