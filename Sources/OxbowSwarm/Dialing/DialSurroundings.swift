public import OxbowCore

/// A network of IP addresses: those that share the first bits.
public struct IPNetwork: Hashable, Sendable {
    private let bits: UInt128
    private let length: Int
    private let isIPv6: Bool

    /// - Parameter prefixLength: 0 to 32; what is more counts as 32.
    public init(_ address: IPv4Address, prefixLength: Int) {
        self.init(bits: UInt128(address.bits) << 96, min(max(prefixLength, 0), 32), isIPv6: false)
    }

    /// - Parameter prefixLength: 0 to 128; what is more counts as 128.
    public init(_ address: IPv6Address, prefixLength: Int) {
        self.init(bits: address.bits, min(max(prefixLength, 0), 128), isIPv6: true)
    }

    private init(bits: UInt128, _ length: Int, isIPv6: Bool) {
        // A shift by all of the width is zero: the network of every address.
        self.bits = bits & ~(UInt128.max >> UInt128(length))
        self.length = length
        self.isIPv6 = isIPv6
    }

    /// Whether the address is one of the network's.
    public func contains(_ host: EndpointHost) -> Bool {
        switch host {
        case .ip4(let address): !isIPv6 && IPNetwork(address, prefixLength: length) == self
        case .ip6(let address, _): isIPv6 && IPNetwork(address, prefixLength: length) == self
        case .dns: false
        }
    }
}

/// What a host knows of its own place in the networks.
public struct DialSurroundings: Hashable, Sendable {
    /// The networks of its interfaces.
    public var networks: [IPNetwork]
    /// The addresses of its interfaces.
    public var hosts: Set<EndpointHost>
    /// Where it listens itself.
    public var listening: Set<Multiaddr>

    public init(networks: [IPNetwork] = [], hosts: Set<EndpointHost> = [], listening: Set<Multiaddr> = []) {
        self.networks = networks
        self.hosts = hosts
        self.listening = listening
    }

    /// Whether a peer with this address runs on this very host.
    func isOwnHost(_ address: Multiaddr) -> Bool {
        !address.isRelayed && !address.isLoopback && address.host.map(hosts.contains) == true
    }

    func sharesNetwork(with address: Multiaddr) -> Bool {
        guard let host = address.host else { return false }
        return networks.contains { $0.contains(host) }
    }

    func listensAt(_ address: Multiaddr) -> Bool {
        address.withoutPeerID.map(listening.contains) == true
    }
}
