/// Who began a connection or a stream.
public enum ResourceDirection: Hashable, Sendable {
    /// The peer did.
    case inbound
    /// This side did.
    case outbound
}

/// What a ``ResourceLedger`` limits.
public enum Resource: String, Hashable, Sendable, CaseIterable {
    case inboundConnections
    case outboundConnections
    /// Of both directions.
    case connections
    case inboundStreams
    case outboundStreams
    /// Of both directions.
    case streams
    /// In bytes.
    case memory
}

/// How much of each resource is used, or asked for. No count is negative.
public struct ResourceUsage: Hashable, Sendable {
    public internal(set) var inboundConnections = 0
    public internal(set) var outboundConnections = 0
    public internal(set) var inboundStreams = 0
    public internal(set) var outboundStreams = 0
    /// In bytes.
    public internal(set) var memory = 0

    /// Nothing.
    public init() {}

    static func connection(_ direction: ResourceDirection, memory: Int) -> ResourceUsage {
        var usage = ResourceUsage()
        switch direction {
        case .inbound: usage.inboundConnections = 1
        case .outbound: usage.outboundConnections = 1
        }
        usage.memory = memory
        return usage
    }

    static func stream(_ direction: ResourceDirection, memory: Int) -> ResourceUsage {
        var usage = ResourceUsage()
        switch direction {
        case .inbound: usage.inboundStreams = 1
        case .outbound: usage.outboundStreams = 1
        }
        usage.memory = memory
        return usage
    }

    static func memory(_ bytes: Int) -> ResourceUsage {
        var usage = ResourceUsage()
        usage.memory = bytes
        return usage
    }

    /// Of both directions together.
    public var connections: Int { inboundConnections + outboundConnections }
    /// Of both directions together.
    public var streams: Int { inboundStreams + outboundStreams }

    /// How much there is of one resource.
    public subscript(resource: Resource) -> Int {
        switch resource {
        case .inboundConnections: inboundConnections
        case .outboundConnections: outboundConnections
        case .connections: connections
        case .inboundStreams: inboundStreams
        case .outboundStreams: outboundStreams
        case .streams: streams
        case .memory: memory
        }
    }

    /// Whether nothing is used.
    public var isZero: Bool { self == ResourceUsage() }

    static func += (left: inout ResourceUsage, right: ResourceUsage) {
        left.inboundConnections += right.inboundConnections
        left.outboundConnections += right.outboundConnections
        left.inboundStreams += right.inboundStreams
        left.outboundStreams += right.outboundStreams
        left.memory += right.memory
    }

    static func -= (left: inout ResourceUsage, right: ResourceUsage) {
        left.inboundConnections -= right.inboundConnections
        left.outboundConnections -= right.outboundConnections
        left.inboundStreams -= right.inboundStreams
        left.outboundStreams -= right.outboundStreams
        left.memory -= right.memory
        assert(Resource.allCases.allSatisfy { left[$0] >= 0 }, "more was released than reserved")
    }
}
