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

/// What a relay lets through on one circuit (libp2p/specs, circuit-v2, `Limit`).
public struct CircuitLimit: Hashable, Sendable {
    /// How long the circuit may last; nil when that is not bounded.
    public var duration: Duration?
    /// How many bytes it carries in each direction; nil when that is not bounded.
    public var bytes: UInt64?

    /// Bounds of nil don't bound.
    public init(duration: Duration? = nil, bytes: UInt64? = nil) {
        (self.duration, self.bytes) = (duration, bytes)
    }
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

    /// What a relay lets through in all; nil when nothing bounds the connection.
    public internal(set) var limit: CircuitLimit?

    /// Whether the connection runs through a relay.
    public var isRelayed: Bool { remoteAddress?.isRelayed ?? false }
    /// Whether the connection runs through a relay that bounds its bytes or its life.
    public var isLimited: Bool { limit != nil }

    public var description: String {
        let address = remoteAddress?.description ?? "an unknown address"
        let security = security.map { " \($0)" } ?? ""
        return "\(id) \(role == .dialer ? "to" : "from") \(address)\(security)"
    }
}
