public import OxbowCore

/// An address that a dial may try.
public struct DialCandidate: Hashable, Sendable {
    public var address: Multiaddr
    /// Whether the application named it for this dial: then it is tried whatever happened to it before.
    public var isExplicit: Bool
    /// How it was learned; nil for what was named for this dial alone.
    public var origin: AddressOrigin?
    /// When it last led to the peer.
    public var lastSuccess: Instant?
    /// How long it is not to be tried again by itself.
    public var backOff: Duration?

    public init(
        _ address: Multiaddr, isExplicit: Bool = false, origin: AddressOrigin? = nil, lastSuccess: Instant? = nil,
        backOff: Duration? = nil
    ) {
        self.address = address
        self.isExplicit = isExplicit
        self.origin = origin
        self.lastSuccess = lastSuccess
        self.backOff = backOff
    }
}

/// What a dial is for.
public enum DialGoal: Hashable, Sendable {
    /// Any connection with the peer.
    case any
    /// One that no relay is part of, though a relayed one may stand.
    case direct
}

/// The addresses of a dial, ranked, with what decides when each has its turn.
///
/// Direct before relayed; of the direct the ones in reach first: this process, this host, a network that both share,
/// the internet, other private networks. Within a rank the last success leads, and the families alternate, beginning
/// with that of the first (RFC 8305, section 4).
public struct DialPlan: Hashable, Sendable {
    /// One address and its place.
    public struct Attempt: Hashable, Sendable {
        public let address: Multiaddr
        public let isRelayed: Bool

        public init(address: Multiaddr, isRelayed: Bool) {
            self.address = address
            self.isRelayed = isRelayed
        }
    }

    /// Why an address has no turn.
    public enum Omission: Hashable, Sendable {
        /// No transport takes it; why.
        case unsupported(String)
        /// It has failed, and is left alone for so long.
        case backingOff(Duration)
        /// It leads to this host and the peer is elsewhere, as far as can be told.
        case loopback
        /// No host can be reached there: an unspecified or reserved address.
        case notAHost
        /// This host listens there itself.
        case ownAddress
        /// A relay is on the way, and the dial is for a direct connection.
        case relayed
        /// The dial has so many addresses before this one.
        case overLimit(Int)
    }

    /// In the order of their turns.
    public let attempts: [Attempt]
    /// What is left out, and why.
    public let omitted: [(address: Multiaddr, why: Omission)]

    /// - Parameters:
    ///   - candidates: in the order in which they were named or found; repetitions are dropped.
    ///   - surroundings: what this host knows of its own place.
    ///   - limit: how many addresses may have a turn.
    ///   - unsupported: why no transport takes an address; nil when one does.
    public init(
        _ candidates: [DialCandidate], goal: DialGoal = .any, surroundings: DialSurroundings = DialSurroundings(),
        limit: Int = 32, unsupported: (Multiaddr) -> String? = { _ in nil }
    ) {
        var omitted: [(address: Multiaddr, why: Omission)] = []
        var ranked: [Ranked] = []
        var seen: Set<Multiaddr> = []
        let sharesHost = candidates.contains { surroundings.isOwnHost($0.address) }
        for candidate in candidates where seen.insert(candidate.address).inserted {
            if let why = Self.omission(candidate, goal, surroundings, sharesHost, unsupported) {
                omitted.append((candidate.address, why))
            } else {
                ranked.append(Ranked(candidate, surroundings, position: ranked.count))
            }
        }
        let groups = Dictionary(grouping: ranked, by: \.rank).sorted { $0.key < $1.key }
        let ordered = groups.flatMap { Self.alternating($0.value.sorted()) }
        for late in ordered.dropFirst(limit) { omitted.append((late.candidate.address, .overLimit(limit))) }
        attempts = ordered.prefix(limit).map {
            Attempt(address: $0.candidate.address, isRelayed: $0.candidate.address.isRelayed)
        }
        self.omitted = omitted
    }

    private static func omission(
        _ candidate: DialCandidate, _ goal: DialGoal, _ surroundings: DialSurroundings, _ sharesHost: Bool,
        _ unsupported: (Multiaddr) -> String?
    ) -> Omission? {
        let address = candidate.address
        if let why = unsupported(address) { return .unsupported(why) }
        if goal == .direct, address.isRelayed { return .relayed }
        if candidate.isExplicit { return nil }
        let isTrusted = candidate.origin.map { $0 <= .given } ?? true
        switch address.host?.scope {
        case .unspecified, .reserved: if !isTrusted { return .notAHost }
        case .loopback: if !isTrusted, !sharesHost { return .loopback }
        case .linkLocal, .privateUse, .global, nil: break
        }
        if surroundings.listensAt(address) { return .ownAddress }
        return candidate.backOff.map { .backingOff($0) }
    }

    /// Interleaves the address families, beginning with that of the first.
    private static func alternating(_ sorted: [Ranked]) -> [Ranked] {
        guard let first = sorted.first else { return [] }
        let same = sorted.filter { $0.isIPv6 == first.isIPv6 }
        let other = sorted.filter { $0.isIPv6 != first.isIPv6 }
        return (0..<max(same.count, other.count)).flatMap { index in
            [same, other].compactMap { index < $0.count ? $0[index] : nil }
        }
    }

    public static func == (lhs: DialPlan, rhs: DialPlan) -> Bool { lhs.attempts == rhs.attempts }

    public func hash(into hasher: inout Hasher) { hasher.combine(attempts) }
}

/// A candidate with what it is sorted by.
private struct Ranked: Comparable {
    let candidate: DialCandidate
    let rank: Rank
    let isIPv6: Bool
    let position: Int

    enum Rank: Int, Comparable {
        case process, host, sharedNetwork, internet, otherNetwork, relay

        static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
    }

    init(_ candidate: DialCandidate, _ surroundings: DialSurroundings, position: Int) {
        self.candidate = candidate
        self.position = position
        let host = candidate.address.host
        if case .ip6 = host { isIPv6 = true } else { isIPv6 = false }
        if candidate.address.isRelayed {
            rank = .relay
        } else {
            switch host?.scope {
            case .loopback: rank = .host
            case .linkLocal, .privateUse:
                rank = surroundings.sharesNetwork(with: candidate.address) ? .sharedNetwork : .otherNetwork
            case .unspecified, .reserved, .global: rank = .internet
            // A name leads to the internet as a rule; without any host it is an address inside of the process.
            case nil: rank = host == nil ? .process : .internet
            }
        }
    }

    static func == (lhs: Self, rhs: Self) -> Bool { lhs.position == rhs.position }

    static func < (lhs: Self, rhs: Self) -> Bool {
        let (left, right) = (lhs.candidate, rhs.candidate)
        if left.isExplicit != right.isExplicit { return left.isExplicit }
        if left.lastSuccess != right.lastSuccess {
            return (left.lastSuccess?.nanoseconds ?? .min) > (right.lastSuccess?.nanoseconds ?? .min)
        }
        return lhs.position < rhs.position
    }
}
