public import OxbowCore

/// How much a server of AutoNAT does for others.
public struct AutoNATServerLimits: Hashable, Sendable {
    /// Requests that are served at once, of all clients.
    public var concurrentRequests = 16
    /// Requests of one client that are served at once.
    public var concurrentRequestsPerPeer = 2
    /// Requests a minute, of all clients.
    public var requestsPerMinute = 60
    /// Requests a minute of one client, and of one /24 (IPv4) or /56 (IPv6).
    public var requestsPerMinutePerPeer = 12
    /// Dials a minute of other hosts than the one that asks.
    public var foreignDialsPerMinute = 12
    /// Clients and networks that are remembered.
    public var rememberedClients = 2_048

    public init() {}

    /// Why nothing can work with these limits; nil when it can.
    public var problem: String? {
        let all = [
            concurrentRequests, concurrentRequestsPerPeer, requestsPerMinute, requestsPerMinutePerPeer,
            foreignDialsPerMinute, rememberedClients,
        ]
        return all.allSatisfy { $0 > 0 } ? nil : "each limit of the AutoNAT server must be at least 1"
    }
}

/// Decides which requests a server of AutoNAT takes: by client, by network, and in all. Its memory is bounded: a client
/// that is not remembered and finds no room is refused.
public struct AutoNATLimiter: Sendable, Hashable {
    private let limits: AutoNATServerLimits
    private var all: TokenBucket
    private var foreign: TokenBucket
    private var peers: [PeerID: TokenBucket] = [:]
    private var networks: [NetworkGroup: TokenBucket] = [:]
    private var running: [PeerID: Int] = [:]
    private var runningCount = 0

    /// Nobody is served yet. The limits must be positive.
    public init(_ limits: AutoNATServerLimits = AutoNATServerLimits()) {
        precondition(limits.problem == nil, "the limits must be positive")
        self.limits = limits
        all = Self.bucket(limits.requestsPerMinute)
        foreign = Self.bucket(limits.foreignDialsPerMinute)
    }

    /// Whether a request is served. Each that is must be reported to ``end(_:)`` once.
    ///
    /// - Parameter network: where the client comes from; nil when that isn't known.
    public mutating func begin(_ peer: PeerID, from network: NetworkGroup?, at now: Instant) -> Bool {
        guard runningCount < limits.concurrentRequests,
            running[peer, default: 0] < limits.concurrentRequestsPerPeer
        else { return false }
        let limit = limits.requestsPerMinutePerPeer
        guard Self.take(peer, from: &peers, limit, room: limits.rememberedClients, at: now) else { return false }
        if let network {
            guard Self.take(network, from: &networks, limit, room: limits.rememberedClients, at: now) else {
                return false
            }
        }
        guard all.take(at: now) else { return false }
        running[peer, default: 0] += 1
        runningCount += 1
        return true
    }

    /// A request that was served is over.
    public mutating func end(_ peer: PeerID) {
        guard let count = running[peer] else { preconditionFailure("a request ends once") }
        running[peer] = count == 1 ? nil : count - 1
        runningCount -= 1
    }

    /// Whether another host than the client's own may be dialled now.
    public mutating func takeForeignDial(at now: Instant) -> Bool {
        foreign.take(at: now)
    }

    /// How many requests are served at this time.
    public var runningRequests: Int { runningCount }

    private static func bucket(_ perMinute: Int) -> TokenBucket {
        TokenBucket(interval: .seconds(60) / perMinute, burst: perMinute)
    }

    private static func take<Key: Hashable>(
        _ key: Key, from table: inout [Key: TokenBucket], _ perMinute: Int, room: Int, at now: Instant
    ) -> Bool {
        if table[key] == nil, table.count >= room {
            table = table.filter { !$0.value.isFull(at: now) }
            guard table.count < room else { return false }
        }
        return table[key, default: bucket(perMinute)].take(at: now)
    }
}
