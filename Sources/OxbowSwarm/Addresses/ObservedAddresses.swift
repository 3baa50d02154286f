public import OxbowCore

/// How a NAT between this host and its peers translates: what decides whether a hole can be punched.
public enum NATMapping: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// Not seen yet: it takes connections to several networks from one port.
    case unknown
    /// There is no translation.
    case none
    /// One port of this host is the same outside for every peer: a peer can be told where to knock (RFC 4787, section
    /// 4.1). A "cone" NAT.
    case endpointIndependent = "endpoint-independent"
    /// Each peer sees another port: none can be foretold, and hole punching fails unless the other side's NAT is better.
    /// A "symmetric" NAT.
    case endpointDependent = "endpoint-dependent"

    public var description: String { rawValue }
}

/// What peers say about where they see this host, and what of it is to be believed.
///
/// One peer can say anything. An address counts when enough networks agree on it: peers in one /24 (IPv4) or /56 (IPv6)
/// are one voice. Observations are kept by connection, for as long as it stands and a while longer.
public struct ObservedAddresses: Sendable, Hashable {
    /// The bounds.
    public struct Configuration: Hashable, Sendable {
        /// How many networks must agree on an address.
        public var requiredObservers = 4
        /// How long an observation counts behind the end of its connection.
        public var timeToLive: Duration = .seconds(30 * 60)
        /// Observations that are kept; the oldest go first.
        public var maximumObservations = 512
        /// Observations that are kept of one network; further ones are dropped.
        public var maximumPerObserver = 8

        public init() {}
    }

    /// What one peer said on one connection.
    public struct Observation: Hashable, Sendable {
        /// Names the connection inside this process.
        public var connection: UInt64
        /// Where the connection ends here; nil when that isn't known.
        public var localAddress: Multiaddr?
        /// Where the peer is.
        public var observer: NetworkGroup
        /// Where the peer sees this host.
        public var observed: Multiaddr
        /// Whether this host dialled: then `observed` is what a NAT made of `localAddress`, else it is what the peer
        /// dialled.
        public var isOutbound: Bool

        public init(
            connection: UInt64, localAddress: Multiaddr?, observer: NetworkGroup, observed: Multiaddr, isOutbound: Bool
        ) {
            self.connection = connection
            self.localAddress = localAddress
            self.observer = observer
            self.observed = observed
            self.isOutbound = isOutbound
        }
    }

    private struct Record: Hashable {
        /// The part of an address in which transports agree ("thin waist"); nil when the connection came from a port
        /// that nobody listens on.
        let local: Multiaddr?
        let external: Multiaddr
        let observer: NetworkGroup
        let isOutbound: Bool
        let number: UInt64
        var expiry: Instant
    }

    private let configuration: Configuration
    private var records: [UInt64: Record] = [:]
    private var nextNumber: UInt64 = 0
    private var listenAddresses: [Multiaddr] = []

    /// Nothing is known yet. The bounds must be positive.
    public init(_ configuration: Configuration = Configuration()) {
        precondition(
            configuration.requiredObservers > 0 && configuration.maximumObservations > 0
                && configuration.maximumPerObserver > 0, "the bounds must be positive")
        self.configuration = configuration
    }

    /// How many observations are kept.
    public var count: Int { records.count }

    // MARK: What happens

    /// Where the host listens from now on.
    public mutating func setListenAddresses(_ addresses: [Multiaddr]) {
        listenAddresses = addresses
    }

    /// A peer has said where it sees this host; what it said before on that connection is replaced.
    ///
    /// - Returns: whether it is kept. An address through a relay, of this host alone or of another kind than the
    ///   connection's says nothing.
    @discardableResult
    public mutating func record(_ observation: Observation) -> Bool {
        records[observation.connection] = nil
        guard let external = Self.waist(of: observation.observed), !observation.observed.isRelayed,
            !observation.observed.isLoopback, !observation.observed.isUnspecified
        else { return false }
        let local = observation.localAddress.flatMap(Self.waist)
        if let local, local.components.map(\.kind) != external.components.map(\.kind) { return false }
        let sameObserver = records.values.count { $0.observer == observation.observer }
        guard sameObserver < configuration.maximumPerObserver else { return false }
        if records.count >= configuration.maximumObservations { dropOldest() }
        let isListening = local.map { local in listenAddresses.contains { Self.waist(of: $0) == local } } ?? false
        records[observation.connection] = Record(
            local: isListening ? local : nil, external: external, observer: observation.observer,
            isOutbound: observation.isOutbound, number: nextNumber, expiry: .distantFuture)
        nextNumber += 1
        return true
    }

    /// A connection is over: what was said on it counts for a while.
    public mutating func connectionClosed(_ connection: UInt64, at now: Instant) {
        records[connection]?.expiry = now + configuration.timeToLive
    }

    /// Drops what has had its time.
    public mutating func expire(at now: Instant) {
        records = records.filter { $0.value.expiry == .distantFuture || $0.value.expiry > now }
    }

    /// When ``expire(at:)`` has something to do; nil when nothing expires.
    public var nextExpiry: Instant? {
        records.values.map(\.expiry).filter { $0 != .distantFuture }.min()
    }

    private mutating func dropOldest() {
        guard let oldest = records.min(by: { $0.value.number < $1.value.number }) else { return }
        records[oldest.key] = nil
    }

    // MARK: What follows from it

    /// The addresses that enough networks agree on, the one with the most observers first; at most three for each address
    /// that the host listens on.
    public var confirmed: [Multiaddr] {
        addresses(by: configuration.requiredObservers)
    }

    /// The best guesses at where this host can be seen, the best first: what is ``confirmed``, then what any peer has
    /// said, then the ports that the host listens on at the IP addresses that peers see.
    public func guesses(limit: Int = 16) -> [Multiaddr] {
        var seen: Set<Multiaddr> = []
        let all = confirmed + addresses(by: 1) + samePortAddresses(by: 1)
        return Array(all.filter { seen.insert($0).inserted }.prefix(limit))
    }

    /// The IP addresses that enough networks see, with the ports that the host listens on there: a port that is forwarded
    /// or kept has the same number outside.
    public var samePort: [Multiaddr] {
        samePortAddresses(by: configuration.requiredObservers)
    }

    /// What the NAT does, as far as outbound connections from listening ports tell.
    public var mapping: NATMapping {
        var isTranslated = false
        var isKept = false
        var verdict = NATMapping.unknown
        let outbound = Dictionary(grouping: records.values.filter { $0.isOutbound && $0.local != nil }) { $0.local }
        for (local, records) in outbound {
            let groups = Dictionary(grouping: records) { $0.external }.mapValues { Set($0.map(\.observer)) }
            let untouched = local.flatMap { groups[$0] }?.count ?? 0
            if untouched >= 2 { isKept = true }
            let translated = groups.filter { $0.key != local }
            isTranslated = isTranslated || !translated.isEmpty
            // Two networks that see one port; or each of two sees its own.
            let most = translated.values.map(\.count).max() ?? 0
            let observers = translated.values.reduce(into: Set<NetworkGroup>()) { $0.formUnion($1) }
            if observers.count >= 2, most * 2 <= observers.count {
                verdict = .endpointDependent
            } else if most >= 2, verdict == .unknown {
                verdict = .endpointIndependent
            }
        }
        return verdict == .unknown && isKept && !isTranslated ? .none : verdict
    }

    /// The external forms of all listen addresses that at least `count` networks agree on.
    private func addresses(by count: Int) -> [Multiaddr] {
        var observers: [Multiaddr: [Multiaddr: Set<NetworkGroup>]] = [:]
        for record in records.values {
            guard let local = record.local else { continue }
            observers[local, default: [:]][record.external, default: []].insert(record.observer)
        }
        return ranked(
            listenAddresses.flatMap { address -> [(Multiaddr, Int)] in
                guard let waist = Self.waist(of: address), let externals = observers[waist] else { return [] }
                let best = externals.filter { $0.value.count >= count }.map { ($0.key, $0.value.count) }
                return ranked(best).prefix(Self.maximumPerListenAddress).compactMap { external in
                    guard let full = Self.replaceWaist(of: address, with: external) else { return nil }
                    return (full, externals[external]?.count ?? 0)
                }
            })
    }

    /// Ports of listen addresses at IP addresses that at least `count` networks see.
    private func samePortAddresses(by count: Int) -> [Multiaddr] {
        var observers: [Multiaddr.Component: Set<NetworkGroup>] = [:]
        for record in records.values where record.isOutbound {
            guard let host = record.external.components.first, host.kind != .memory else { continue }
            observers[host, default: []].insert(record.observer)
        }
        let hosts = observers.filter { $0.value.count >= count }.sorted { left, right in
            left.value.count != right.value.count
                ? left.value.count > right.value.count : left.key.description < right.key.description
        }.prefix(Self.maximumPerListenAddress)
        return ranked(
            listenAddresses.filter { !$0.isLoopback && !$0.isRelayed }.flatMap { address -> [(Multiaddr, Int)] in
                var components = address.components
                return hosts.compactMap { host, observers in
                    guard components.count > 1, components[0].kind == host.kind else { return nil }
                    components[0] = host
                    guard let full = try? Multiaddr(components: components) else { return nil }
                    return (full, observers.count)
                }
            })
    }

    private static let maximumPerListenAddress = 3

    /// By the number of observers, then by the text, so that the order is the same each time; each address once.
    private func ranked(_ addresses: [(Multiaddr, Int)]) -> [Multiaddr] {
        var seen: Set<Multiaddr> = []
        return addresses.sorted { left, right in
            left.1 != right.1 ? left.1 > right.1 : left.0.description < right.0.description
        }.map(\.0).filter { seen.insert($0).inserted }
    }

    /// The IP address and port that an address starts with, or its number in memory; nil when it is of neither kind.
    private static func waist(of address: Multiaddr) -> Multiaddr? {
        let components = address.components
        switch (components.first, components.dropFirst().first) {
        case (.memory, _): return try? Multiaddr(components: components.prefix(1))
        case (.ip4, .tcp), (.ip4, .udp), (.ip6, .tcp), (.ip6, .udp):
            return try? Multiaddr(components: components.prefix(2))
        default: return nil
        }
    }

    private static func replaceWaist(of address: Multiaddr, with external: Multiaddr) -> Multiaddr? {
        try? Multiaddr(components: external.components + address.components.dropFirst(external.components.count))
    }
}
