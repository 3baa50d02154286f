extension Multiaddr {
    /// One protocol of an address, with its value.
    ///
    /// A name, zone or path is checked when the component becomes part of an address. Components are equal when their
    /// binary forms are.
    public enum Component: Sendable, CustomStringConvertible {
        case ip4(IPv4Address)
        case ip6(IPv6Address)
        /// The interface, in front of the link-local address that needs it.
        case ip6zone(String)
        /// The length of the network's prefix.
        case ipcidr(UInt8)
        case dns(String)
        case dns4(String)
        case dns6(String)
        case dnsaddr(String)
        case tcp(UInt16)
        case udp(UInt16)
        case quic
        case quicV1
        case webtransport
        case webrtc
        case webrtcDirect
        /// The hash of a certificate that the peer will show.
        case certhash(Multihash)
        case tls
        case sni(String)
        case noise
        case ws
        case wss
        case http
        case https
        case p2p(PeerID)
        case p2pCircuit
        /// An address within a process, for tests.
        case memory(UInt64)
        /// An absolute path, with the slash in front.
        case unix(String)

        public var description: String { raw.description }
    }
}

extension Multiaddr.Component: Hashable {
    public static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.kind == rhs.kind && lhs.value == rhs.value
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(kind)
        hasher.combine(value)
    }
}

extension Multiaddr.Component {
    /// Which protocol it is of: its name and code (multiformats/multicodec).
    public var kind: AddressProtocol {
        switch self {
        case .ip4: .ip4
        case .ip6: .ip6
        case .ip6zone: .ip6zone
        case .ipcidr: .ipcidr
        case .dns: .dns
        case .dns4: .dns4
        case .dns6: .dns6
        case .dnsaddr: .dnsaddr
        case .tcp: .tcp
        case .udp: .udp
        case .quic: .quic
        case .quicV1: .quicV1
        case .webtransport: .webtransport
        case .webrtc: .webrtc
        case .webrtcDirect: .webrtcDirect
        case .certhash: .certhash
        case .tls: .tls
        case .sni: .sni
        case .noise: .noise
        case .ws: .ws
        case .wss: .wss
        case .http: .http
        case .https: .https
        case .p2p: .p2p
        case .p2pCircuit: .p2pCircuit
        case .memory: .memory
        case .unix: .unix
        }
    }

    private var value: [UInt8] {
        switch self {
        case .ip4(let address): bigEndian(address.bits)
        case .ip6(let address): bigEndian(address.bits)
        case .ipcidr(let length): [length]
        case .tcp(let port), .udp(let port): bigEndian(port)
        case .memory(let number): bigEndian(number)
        case .ip6zone(let name), .dns(let name), .dns4(let name), .dns6(let name), .dnsaddr(let name), .sni(let name),
            .unix(let name):
            [UInt8](name.utf8)
        case .p2p(let peer): peer.multihash
        case .certhash(let hash): hash.binary
        case .quic, .quicV1, .webtransport, .webrtc, .webrtcDirect, .tls, .noise, .ws, .wss, .http, .https, .p2pCircuit:
            []
        }
    }

    var raw: RawComponent { RawComponent(kind: kind, value: value[...], offset: 0) }

    /// The component that `raw` is; nil only for a value that its protocol can't have.
    init?(_ raw: RawComponent) {
        var name: String { String(decoding: raw.value, as: UTF8.self) }
        switch raw.kind {
        case .ip4: self = .ip4(IPv4Address(bits: readBigEndian(raw.value)))
        case .ip6: self = .ip6(IPv6Address(bits: readBigEndian(raw.value)))
        case .ip6zone: self = .ip6zone(name)
        case .ipcidr: self = .ipcidr(readBigEndian(raw.value))
        case .dns: self = .dns(name)
        case .dns4: self = .dns4(name)
        case .dns6: self = .dns6(name)
        case .dnsaddr: self = .dnsaddr(name)
        case .tcp: self = .tcp(readBigEndian(raw.value))
        case .udp: self = .udp(readBigEndian(raw.value))
        case .quic: self = .quic
        case .quicV1: self = .quicV1
        case .webtransport: self = .webtransport
        case .webrtc: self = .webrtc
        case .webrtcDirect: self = .webrtcDirect
        case .tls: self = .tls
        case .sni: self = .sni(name)
        case .noise: self = .noise
        case .ws: self = .ws
        case .wss: self = .wss
        case .http: self = .http
        case .https: self = .https
        case .p2pCircuit: self = .p2pCircuit
        case .memory: self = .memory(readBigEndian(raw.value))
        case .unix: self = .unix(name)
        case .p2p:
            guard let peer = try? PeerID(multihash: raw.value) else { return nil }
            self = .p2p(peer)
        case .certhash:
            guard let hash = try? Multihash(binary: raw.value) else { return nil }
            self = .certhash(hash)
        }
    }
}
