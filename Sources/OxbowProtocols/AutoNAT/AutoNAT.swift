public import OxbowCore
public import OxbowWire

/// Facts of AutoNAT (libp2p/specs autonat/autonat-v1.md and autonat/autonat-v2.md).
public enum AutoNAT {
    /// Version 1: a peer is asked to dial this host as a whole.
    public static let protocolID: ProtocolID = "/libp2p/autonat/1.0.0"
    /// Version 2: a peer is asked to dial one address.
    public static let dialRequestProtocolID: ProtocolID = "/libp2p/autonat/2/dial-request"
    /// Version 2: on the connection that the peer made, it shows the nonce.
    public static let dialBackProtocolID: ProtocolID = "/libp2p/autonat/2/dial-back"
    /// How many bytes a server asks for before it dials another host than the one that asks: more than a handshake
    /// costs, so that nothing is gained by it (section "Amplification Attack Prevention").
    public static let dialDataRange = 30_000...100_000
    /// The least bytes in a message of dial data that isn't the last: a server's work per byte stays bounded.
    public static let minimumDialData = 100
    /// The most addresses in one request of ours.
    public static let maximumRequestAddresses = 10
    /// The most addresses that a server dials for one request of version 1.
    public static let maximumDials = 8
}

/// Why a stream of AutoNAT failed. Its scope is the stream: reset it.
public enum AutoNATError: Error, Hashable, Sendable {
    case message(WireError)
    /// A message that must not come at this point.
    case unexpectedMessage
    /// The peer named an address that the request doesn't have.
    case unknownAddress(index: UInt64)
    /// The server asks for more bytes than this host gives.
    case tooMuchDialData(UInt64, limit: Int)
    /// A message of dial data has less bytes than ``AutoNAT/minimumDialData``, or more than one may have.
    case dialDataSize(Int)
    /// The peer ended the stream before its message did.
    case endedEarly
}

extension AutoNATError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .message(let error): "AutoNAT: \(error)"
        case .unexpectedMessage: "AutoNAT: the peer sent a message that must not come at this point"
        case .unknownAddress(let index): "AutoNAT: the peer named address \(index), which was not in the request"
        case .tooMuchDialData(let count, let limit):
            "AutoNAT: the server wants \(count) bytes before it dials; at most \(limit) are given"
        case .dialDataSize(let count): "AutoNAT: the peer sent \(count) bytes of dial data in one message"
        case .endedEarly: "AutoNAT: the peer ended the stream before its message did"
        }
    }
}

/// What came of asking one server.
public enum AutoNATAnswer: Hashable, Sendable {
    /// The address was reached. `isProved` says that the server's dial was seen here, by its nonce; else it is the
    /// server's word.
    case reachable(Multiaddr, isProved: Bool)
    /// These addresses were dialled without success: the server's word.
    case unreachable([Multiaddr])
    /// The server would not dial any of the addresses.
    case refused
    /// The server takes no request now.
    case rejected
    /// The answer contradicts itself or what was seen here: it says nothing.
    case void
}

/// Which addresses AutoNAT and what belongs to it may dial or ask to be dialled at. The default takes what the whole
/// internet can reach, by IP address alone: a name could lead a server to what it would not dial by number.
public struct ReachableAddressPolicy: Hashable, Sendable {
    /// Whether addresses of a site and of this host count too: for a laboratory, never for a public server, which would
    /// be made to knock at doors of its own network.
    public var allowsPrivate = false
    /// Whether `/memory` addresses count: for simulations.
    public var allowsMemory = false
    /// Whether IPv4 addresses count: false on a host that has no way to them.
    public var allowsIPv4 = true
    /// Whether IPv6 addresses count: false on a host that has no way to them.
    public var allowsIPv6 = true

    /// What the whole internet can reach, and what is allowed besides.
    public init(allowsPrivate: Bool = false, allowsMemory: Bool = false) {
        (self.allowsPrivate, self.allowsMemory) = (allowsPrivate, allowsMemory)
    }

    /// Whether the address is one that may be dialled: no relay on the way, and in a scope that counts.
    public func allows(_ address: Multiaddr) -> Bool {
        let components = address.components
        if case .memory? = components.first { return allowsMemory && !address.isRelayed }
        guard let endpoint = address.tcpEndpoint, endpoint.port != 0 else { return false }
        switch endpoint.host {
        case .ip4: guard allowsIPv4 else { return false }
        case .ip6(_, let zone): guard allowsIPv6, zone == nil else { return false }
        case .dns: return false
        }
        switch endpoint.host.scope {
        case .global: return true
        case .loopback, .linkLocal, .privateUse: return allowsPrivate
        case .unspecified, .reserved, nil: return false
        }
    }

    /// Whether both addresses are of one host, so that dialling the one in answer to the other reaches nobody else.
    public func isSameHost(_ left: Multiaddr, _ right: Multiaddr) -> Bool {
        guard let left = Self.host(left) else { return false }
        return left == Self.host(right)
    }

    private static func host(_ address: Multiaddr) -> Multiaddr.Component? {
        guard !address.isRelayed else { return nil }
        switch address.host {
        case .ip4(let ip): return .ip4(ip)
        case .ip6(let ip, _): return ip.mapped.map { .ip4($0) } ?? .ip6(ip)
        case .dns: return nil
        case nil:
            guard case .memory(let number)? = address.components.first else { return nil }
            return .memory(number)
        }
    }
}

extension WireMessage {
    /// Takes one message from the front of `input`, with the error that AutoNAT's machines throw.
    static func next(from input: inout ArraySlice<UInt8>) throws(AutoNATError) -> Self? {
        do { return try decodeDelimited(from: &input) } catch { throw .message(error) }
    }
}
