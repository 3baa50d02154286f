public import OxbowCore

/// Names a connection inside this process.
public struct ConnectionID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: UInt64

    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public static func < (lhs: ConnectionID, rhs: ConnectionID) -> Bool { lhs.rawValue < rhs.rawValue }

    public var description: String { "#\(rawValue)" }
}

/// Who began a connection.
public enum ConnectionRole: Hashable, Sendable {
    case dialer
    case listener
}

/// Where a connection runs and what it is made of: what a person wants to see of it.
public struct ConnectionPath: Hashable, Sendable, CustomStringConvertible {
    public let id: ConnectionID
    public let role: ConnectionRole
    public let localAddress: Multiaddr?
    public let remoteAddress: Multiaddr?
    /// The security protocol, as it was negotiated.
    public internal(set) var security: ProtocolID?
    /// Whether the multiplexer was agreed on in the security handshake, which saves a round trip.
    public internal(set) var isMuxerEarly = false

    init(id: ConnectionID, role: ConnectionRole, localAddress: Multiaddr?, remoteAddress: Multiaddr?) {
        self.id = id
        self.role = role
        self.localAddress = localAddress
        self.remoteAddress = remoteAddress
    }

    /// Whether the connection runs through a relay.
    public var isRelayed: Bool { remoteAddress?.isRelayed ?? false }

    public var description: String {
        let address = remoteAddress?.description ?? "an unknown address"
        let security = security.map { " \($0)" } ?? ""
        return "\(id) \(role == .dialer ? "to" : "from") \(address)\(security)"
    }
}
