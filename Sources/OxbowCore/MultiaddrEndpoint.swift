/// The host that an address starts with.
public enum EndpointHost: Hashable, Sendable, CustomStringConvertible {
    case ip4(IPv4Address)
    /// `zone` names the interface of a link-local address.
    case ip6(IPv6Address, zone: String?)
    case dns(name: String, family: DNSFamily)

    /// Which addresses of a name are wanted.
    public enum DNSFamily: Hashable, Sendable {
        case any, ip4, ip6
    }

    /// Where packets to the host may go; nil for a name, which must be resolved first.
    public var scope: IPScope? {
        switch self {
        case .ip4(let address): address.scope
        case .ip6(let address, _): address.scope
        case .dns: nil
        }
    }

    public var description: String {
        switch self {
        case .ip4(let address): "\(address)"
        case .ip6(let address, let zone): zone.map { "\(address)%\($0)" } ?? "\(address)"
        case .dns(let name, _): name
        }
    }
}

/// What a TCP socket connects or binds to.
public struct TCPEndpoint: Hashable, Sendable, CustomStringConvertible {
    public var host: EndpointHost
    public var port: UInt16

    public init(host: EndpointHost, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// The customary text, such as `192.0.2.1:4001` or `[fe80::1%eth0]:4001`.
    public var description: String {
        if case .ip6 = host { return "[\(host)]:\(port)" }
        return "\(host):\(port)"
    }
}

extension Multiaddr {
    /// The host that the address starts with: an IP address, with a zone or not, or a name to resolve.
    ///
    /// Of a relayed address, that is the relay's.
    public var host: EndpointHost? { hostAndRest?.host }

    /// The host and port of a plain TCP address: `/ip4`, `/ip6`, `/ip6zone/…/ip6`, `/dns`, `/dns4` or `/dns6`, then
    /// `/tcp`, then nothing or the peer's id. Nil for every other address, so also for a relayed one or a WebSocket.
    public var tcpEndpoint: TCPEndpoint? {
        guard let (host, rest) = hostAndRest, case .tcp(let port)? = rest.first else { return nil }
        switch (rest.count, rest.last) {
        case (1, _), (2, .p2p): return TCPEndpoint(host: host, port: port)
        default: return nil
        }
    }

    /// Whether the address starts with an IP address of this host.
    public var isLoopback: Bool { host?.scope == .loopback }

    /// Whether the address starts with an IP address that stands for every interface.
    public var isUnspecified: Bool { host?.scope == .unspecified }

    /// Whether the address starts with an IP address of a link, a site or a provider's customers. Loopback isn't one.
    public var isPrivate: Bool { host?.scope == .privateUse || host?.scope == .linkLocal }

    /// Whether the address starts with an IP address that all the internet may reach.
    public var isGlobal: Bool { host?.scope == .global }

    private var hostAndRest: (host: EndpointHost, rest: ArraySlice<Component>)? {
        let components = components
        let rest = components.dropFirst()
        switch components.first {
        case .ip4(let address): return (.ip4(address), rest)
        case .ip6(let address): return (.ip6(address, zone: nil), rest)
        case .dns(let name): return (.dns(name: name, family: .any), rest)
        case .dns4(let name): return (.dns(name: name, family: .ip4), rest)
        case .dns6(let name): return (.dns(name: name, family: .ip6), rest)
        case .ip6zone(let zone):
            guard case .ip6(let address)? = rest.first else { return nil }
            return (.ip6(address, zone: zone), rest.dropFirst())
        default: return nil
        }
    }
}
