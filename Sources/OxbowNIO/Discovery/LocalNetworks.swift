import NIOCore
import OxbowCore
import OxbowSwarm

/// The networks that this host is in, as the operating system tells.
enum LocalNetworks {
    static func surroundings() -> DialSurroundings {
        var surroundings = DialSurroundings()
        for device in (try? System.enumerateDevices()) ?? [] {
            guard let host = EndpointHost(device.address) else { continue }
            surroundings.hosts.insert(host)
            guard let network = IPNetwork(host, netmask: device.netmask) else { continue }
            surroundings.networks.append(network)
        }
        return surroundings
    }
}

extension EndpointHost {
    /// The IP address of a socket's address, without its zone; nil for one of another kind.
    init?(_ address: SocketAddress?) {
        switch Multiaddr(address)?.host {
        case .ip4(let address)?: self = .ip4(address)
        case .ip6(let address, _)?: self = .ip6(address, zone: nil)
        case .dns?, nil: return nil
        }
    }
}

extension IPNetwork {
    init?(_ host: EndpointHost, netmask: SocketAddress?) {
        switch (host, netmask?.ipAddress) {
        case (.ip4(let address), let mask?):
            guard let mask = IPv4Address(mask) else { return nil }
            self.init(address, prefixLength: (~mask.bits).leadingZeroBitCount)
        case (.ip6(let address, _), let mask?):
            guard let mask = IPv6Address(mask) else { return nil }
            self.init(address, prefixLength: (~mask.bits).leadingZeroBitCount)
        case (.dns, _), (_, nil): return nil
        }
    }
}
