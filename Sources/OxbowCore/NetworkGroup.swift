/// Addresses that one party is likely to hold all of: what counts as one observer, one client or one attacker.
public enum NetworkGroup: Hashable, Sendable {
    /// The upper 24 bits of an IPv4 address.
    case ip4(UInt32)
    /// The upper 56 bits of an IPv6 address: what one customer gets.
    case ip6(UInt64)
    /// A number of a network in memory.
    case memory(UInt64)
    /// All that is known is who it is.
    case peer(PeerID)

    /// The group of the host that an address starts with; nil for a name. Of a relayed address, that is the relay's.
    public init?(_ address: Multiaddr) {
        switch address.host {
        case .ip4(let ip): self.init(ip)
        case .ip6(let ip, _):
            if let mapped = ip.mapped { self.init(mapped) } else { self = .ip6(UInt64(ip.bits >> 72)) }
        case .dns: return nil
        case nil:
            guard case .memory(let number)? = address.components.first else { return nil }
            self = .memory(number)
        }
    }

    private init(_ ip: IPv4Address) {
        self = .ip4(ip.bits >> 8)
    }
}
