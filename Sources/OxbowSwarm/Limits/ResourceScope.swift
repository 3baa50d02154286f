public import OxbowCore

/// Whom or what a limit is about. What a stream uses counts in each scope that it is part of.
public enum ResourceScope: Hashable, Sendable {
    /// Everything, but for what is ``allowlisted``.
    case system
    /// Connections of allowed addresses and peers: they have limits of their own, so that a flood can't lock them out.
    case allowlisted
    /// Connections whose peer isn't authenticated, and streams whose protocol isn't known.
    case transient
    /// The block of addresses that an inbound connection comes from.
    case address(IPPrefix)
    /// Inbound connections from a block of addresses whose peer isn't authenticated.
    case handshakes(IPPrefix)
    case peer(PeerID)
    /// Streams of one peer whose protocol isn't known.
    case negotiations(PeerID)
    /// One connection with all its streams, by the number that its owner gave it.
    case connection(UInt64)
    /// One stream, by the number that its owner gave it.
    case stream(UInt64)
    case `protocol`(ProtocolID)
    case protocolOfPeer(ProtocolID, PeerID)

    /// What kind of scope it is.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case system
        case allowlisted
        case transient
        case address
        case handshakes
        case peer
        case negotiations
        case connection
        case stream
        case `protocol`
        case protocolOfPeer
    }

    /// What kind of scope it is.
    public var kind: Kind {
        switch self {
        case .system: .system
        case .allowlisted: .allowlisted
        case .transient: .transient
        case .address: .address
        case .handshakes: .handshakes
        case .peer: .peer
        case .negotiations: .negotiations
        case .connection: .connection
        case .stream: .stream
        case .protocol: .protocol
        case .protocolOfPeer: .protocolOfPeer
        }
    }

    /// Whether one peer alone fills it: then a refusal is that peer's own doing.
    public var isOfOnePeer: Bool {
        switch self {
        case .peer, .negotiations, .connection, .stream, .protocolOfPeer: true
        case .system, .allowlisted, .transient, .address, .handshakes, .protocol: false
        }
    }
}

/// A limit has refused something; nothing was changed by the attempt.
public struct ResourceRefusal: Error, Hashable, Sendable {
    /// Whose limit it is.
    public let scope: ResourceScope
    /// Of which resource there is too much.
    public let resource: Resource
    /// How much of it the scope may use.
    public let limit: Int
    /// How much of it the scope used.
    public let used: Int
    /// How much more was asked for.
    public let requested: Int

    init(scope: ResourceScope, resource: Resource, limit: Int, used: Int, requested: Int) {
        self.scope = scope
        self.resource = resource
        self.limit = limit
        self.used = used
        self.requested = requested
    }
}

extension ResourceRefusal: CustomStringConvertible {
    /// Which limit, how far it is used, and which setting raises it.
    public var description: String {
        let amount = requested == 1 ? "" : ", \(requested) more were asked for"
        return "the limit of \(limit) \(resource.words) \(scope.words) is reached (\(used) in use\(amount)); "
            + "raise \(setting) to allow more"
    }

    private var setting: String {
        switch scope.kind {
        case .address: "ResourceLimits.addresses, or put the address into allowedAddresses,"
        case .handshakes: "ResourceLimits.addresses (handshakes)"
        case .system, .allowlisted, .transient, .peer, .negotiations, .connection, .stream, .protocol, .protocolOfPeer:
            "ResourceLimits.\(scope.kind.property).\(resource.rawValue)"
        }
    }
}

extension ResourceScope.Kind {
    /// The property of ``ResourceLimits`` that has its limits.
    fileprivate var property: String {
        switch self {
        case .system: "system"
        case .allowlisted: "allowlisted"
        case .transient: "transient"
        case .address, .handshakes: "addresses"
        case .peer: "peer"
        case .negotiations: "negotiations"
        case .connection: "connection"
        case .stream: "stream"
        case .protocol: "protocol"
        case .protocolOfPeer: "protocolOfPeer"
        }
    }
}

extension Resource {
    fileprivate var words: String {
        switch self {
        case .inboundConnections: "inbound connections"
        case .outboundConnections: "outbound connections"
        case .connections: "connections"
        case .inboundStreams: "inbound streams"
        case .outboundStreams: "outbound streams"
        case .streams: "streams"
        case .memory: "bytes of memory"
        }
    }
}

extension ResourceScope {
    fileprivate var words: String {
        switch self {
        case .system: "of this host"
        case .allowlisted: "of the allowed addresses and peers"
        case .transient: "that are still being set up"
        case .address(let prefix): "from \(prefix)"
        case .handshakes(let prefix): "from \(prefix) that are still being set up"
        case .peer(let peer): "with \(peer)"
        case .negotiations(let peer): "with \(peer) that are still being set up"
        case .connection(let number): "of connection #\(number)"
        case .stream: "of one stream"
        case .protocol(let id): "of \(id.rawValue)"
        case .protocolOfPeer(let id, let peer): "of \(id.rawValue) with \(peer)"
        }
    }
}
