/// How much of each resource one scope may use at once. `Int.max` doesn't limit.
///
/// A total (``connections``, ``streams``) holds besides the limits of the directions.
public struct ScopeLimits: Hashable, Sendable {
    public var inboundConnections: Int
    public var outboundConnections: Int
    /// Of both directions together.
    public var connections: Int
    public var inboundStreams: Int
    public var outboundStreams: Int
    /// Of both directions together.
    public var streams: Int
    /// In bytes: what connections and streams cost at rest, and receive windows past their first 256 KiB.
    public var memory: Int

    /// Limits what is named, and nothing else.
    public init(
        inboundConnections: Int = .max, outboundConnections: Int = .max, connections: Int = .max,
        inboundStreams: Int = .max, outboundStreams: Int = .max, streams: Int = .max, memory: Int = .max
    ) {
        self.inboundConnections = inboundConnections
        self.outboundConnections = outboundConnections
        self.connections = connections
        self.inboundStreams = inboundStreams
        self.outboundStreams = outboundStreams
        self.streams = streams
        self.memory = memory
    }

    /// No limit at all.
    public static let unlimited = ScopeLimits()
    /// Nothing is let in or out.
    public static let nothing = ScopeLimits(connections: 0, streams: 0, memory: 0)

    /// The limit of one resource.
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

    /// What would be too much if `request` came on top of what is used; nil when it fits.
    func exceeded(by request: ResourceUsage, over used: ResourceUsage) -> Resource? {
        // A difference of counts that aren't negative can't overflow, as a sum could.
        func isOver(_ wanted: Int, _ limit: Int, _ used: Int) -> Bool { wanted > 0 && wanted > limit - used }
        // In the order of Resource.allCases, and written out: each stream is judged by the limits of five scopes.
        if isOver(request.inboundConnections, inboundConnections, used.inboundConnections) {
            return .inboundConnections
        }
        if isOver(request.outboundConnections, outboundConnections, used.outboundConnections) {
            return .outboundConnections
        }
        if isOver(request.connections, connections, used.connections) { return .connections }
        if isOver(request.inboundStreams, inboundStreams, used.inboundStreams) { return .inboundStreams }
        if isOver(request.outboundStreams, outboundStreams, used.outboundStreams) { return .outboundStreams }
        if isOver(request.streams, streams, used.streams) { return .streams }
        if isOver(request.memory, memory, used.memory) { return .memory }
        return nil
    }

    /// Why no ledger can work with it; nil when one can.
    var problem: String? {
        let negative = Resource.allCases.first { self[$0] < 0 }
        return negative.map { "a limit of \(self[$0]) \($0.rawValue) is negative; the smallest is 0" }
    }
}
