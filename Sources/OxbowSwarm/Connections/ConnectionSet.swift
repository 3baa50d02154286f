public import OxbowCore

/// The connections to one peer: which of them is best, where streams should be, and which may be closed
/// (`Specs/connections.md`, CS-1 to CS-12).
///
/// **Agreement.** Connections are in classes on which both peers agree (``ConnectionRanking``). Within a class, of two
/// connections that the peers dialled to each other that of the lower peer is better, and both know it; of several that
/// one peer dialled, only that peer closes any, or moves streams between them. So of any two connections only one can be
/// closed in favour of the other, by whichever side, whatever each knows at the moment: the best of all is never closed. Nor can streams move in a
/// circle: across classes they move to the better, within one as both see it or as one alone wants it.
///
/// **When it acts.** Only for a connection that is *confirmed*: that the peer, too, surely has open (CS-2). The peer
/// with the higher id leaves moving to the other for ``ConnectionPolicy/stepInDelay``, so that two Migrates for one stream seldom
/// meet (SM-F4).
///
/// A connection that has *degraded* ranks behind the others until it is well again; it isn't closed for it.
public struct ConnectionSet: Sendable {
    /// A connection's number, ``ConnectionFacts/id``.
    public typealias ID = UInt64

    struct Entry: Hashable, Sendable {
        var facts: ConnectionFacts
        var rank: Int
        /// The peer has it open too: something of its own came.
        var isConfirmed = false
        /// This side has announced its end, or the peer has: no new streams.
        var isRetiring = false
        var isLeaving = false
        /// The peer, which dialled it, has moved a stream away from it within its class.
        var isDemoted = false
        /// Since when no stream has been on it, as far as is known.
        var idleSince: Instant?
        var health: ConnectionHealth
        /// When the driver is asked next whether it is idle, and when for a sign of life.
        var inspectAt: Instant?
        /// How often in a row it was not idle: the looks come less and less often.
        var busyLooks = 0
        var probeAt: Instant?

        var isUsable: Bool { !isRetiring && !isLeaving }
    }

    /// Whether this side's peer id is the lower one.
    public let isLowerPeer: Bool
    /// How it decides.
    public let policy: ConnectionPolicy
    /// In the order in which they opened.
    var entries: [Entry] = []
    /// Where new streams go.
    public private(set) var best: ID?
    /// Since when ``best`` has been confirmed and best.
    var bestSince: Instant?

    /// - Parameter isLowerPeer: whether this side's peer id is the lower one.
    public init(isLowerPeer: Bool, policy: ConnectionPolicy) {
        self.isLowerPeer = isLowerPeer
        self.policy = policy
    }

    // MARK: What happens

    /// A connection stands, as far as this side knows.
    public mutating func opened(_ facts: ConnectionFacts, at now: Instant) {
        precondition(!entries.contains { $0.facts.id == facts.id }, "the connection is known already")
        entries.append(
            Entry(facts: facts, rank: policy.ranking.rank(of: facts), health: ConnectionHealth(at: now)))
        choose(at: now)
    }

    /// A round trip was measured on a connection: the peer has it open, too.
    public mutating func measured(_ id: ID, roundTrip: Duration, at now: Instant) {
        let other = entries.filter { $0.facts.id != id && $0.isUsable }.compactMap(\.health.shortest).min()
        change(id, at: now) { entry, policy in
            entry.isConfirmed = true
            entry.health.measured(roundTrip, besides: other, policy: policy, at: now)
        }
    }

    /// Something came on a connection at `time`, which may lie back.
    public mutating func heard(_ id: ID, at time: Instant, now: Instant) {
        change(id, at: now) { entry, _ in entry.health.heard(at: time) }
    }

    /// The peer has announced the end of a connection.
    public mutating func peerRetired(_ id: ID, at now: Instant) {
        change(id, at: now) { entry, _ in entry.isLeaving = true }
    }

    /// A connection is over.
    public mutating func closed(_ id: ID, at now: Instant) {
        entries.removeAll { $0.facts.id == id }
        choose(at: now)
    }

    /// The application wants to keep a connection, or doesn't any more.
    public mutating func pin(_ id: ID, _ isPinned: Bool, at now: Instant) {
        change(id, at: now) { entry, _ in entry.facts.isPinned = isPinned }
    }

    /// The peer has moved a stream from one connection to another. Between connections that it dialled itself, that shows
    /// which it prefers.
    ///
    /// - Returns: whether this side sees no reason for it. Then it is the wish of the peer's application, and the stream
    ///   should be left where it is (CS-12).
    public mutating func peerMoved(from source: ID, to target: ID, at now: Instant) -> Bool {
        // Either side takes streams away from a connection that is given up.
        guard let old = self[source], let new = self[target], old.rank == new.rank, old.isUsable else { return false }
        let isPeers = [old, new].allSatisfy { $0.facts.isDialedByLowerPeer != isLowerPeer }
        guard isPeers else { return precedes(old, new) }
        change(source, at: now) { entry, _ in entry.isDemoted = true }
        change(target, at: now) { entry, _ in entry.isDemoted = false }
        return false
    }

    /// The driver has looked how many streams are on a connection: the answer to ``ConnectionSetAction/inspect(_:)``.
    public mutating func inspected(_ id: ID, streams: Int, at now: Instant) {
        change(id, at: now) { entry, policy in
            entry.idleSince = streams == 0 ? entry.idleSince ?? now : nil
            entry.busyLooks = streams == 0 ? 0 : min(entry.busyLooks + 1, Self.mostBusyLooks)
            entry.inspectAt = now + policy.pruneGrace * (1 << entry.busyLooks)
        }
    }

    private static let mostBusyLooks = 3

    /// The driver is about to give a connection up: the answer to ``ConnectionSetAction/retire(_:)``. Between the decision
    /// and this moment a stream may have come, or the connection that was better may have gone
    /// (CS-8).
    ///
    /// - Returns: whether to go on.
    public mutating func retires(_ id: ID, streams: Int, at now: Instant) -> Bool {
        let isLast = !entries.contains { $0.facts.id != id && $0.isUsable }
        guard streams > 0 || isLast else { return true }
        change(id, at: now) { entry, _ in entry.isRetiring = false }
        inspected(id, streams: streams, at: now)
        return false
    }

    private mutating func change(_ id: ID, at now: Instant, _ body: (inout Entry, ConnectionPolicy) -> Void) {
        guard let index = entries.firstIndex(where: { $0.facts.id == id }) else { return }
        body(&entries[index], policy)
        choose(at: now)
    }

    // MARK: Looking at it

    /// No connection stands.
    public var isEmpty: Bool { entries.isEmpty }
    /// The connections that take new streams, best first; behind them those that the peer may not have yet, or refuse
    /// (CS-4).
    public var usable: [ID] {
        // Most peers have one, and it is asked for with each stream that is opened.
        if entries.count == 1 { return entries[0].isUsable ? [entries[0].facts.id] : [] }
        let candidates = entries.filter(\.isUsable)
        let sure = candidates.filter(\.isConfirmed).sorted(by: precedes)
        return (sure + candidates.filter { !$0.isConfirmed }.sorted(by: precedes)).map(\.facts.id)
    }
    /// Whether a connection has degraded.
    public func isDegraded(_ id: ID) -> Bool { self[id]?.health.isDegraded ?? false }
    /// The latest round trip of a connection.
    public func roundTrip(_ id: ID) -> Duration? { self[id]?.health.latest }

    subscript(_ id: ID) -> Entry? { entries.first { $0.facts.id == id } }

    // MARK: The order

    /// Judges the health of each connection and chooses the best one anew.
    mutating func choose(at now: Instant) {
        for index in entries.indices { entries[index].health.judge(policy, at: now) }
        let candidates = entries.filter(\.isUsable)
        // CS-4: what the peer may not have yet is for new streams only when nothing else is there.
        let sure = candidates.filter(\.isConfirmed)
        let chosen = (sure.isEmpty ? candidates : sure).min(by: precedes)
        let isSure = chosen?.isConfirmed ?? false
        if chosen?.facts.id != best { bestSince = nil }
        best = chosen?.facts.id
        if isSure { bestSince = bestSince ?? now } else { bestSince = nil }
        for index in entries.indices where entries[index].facts.id == best { entries[index].idleSince = nil }
    }

    /// A total order: of two connections one comes first.
    func precedes(_ one: Entry, _ other: Entry) -> Bool {
        if one.health.isDegraded != other.health.isDegraded { return other.health.isDegraded }
        if one.rank != other.rank { return one.rank < other.rank }
        if one.facts.isDialedByLowerPeer != other.facts.isDialedByLowerPeer { return one.facts.isDialedByLowerPeer }
        if one.isDemoted != other.isDemoted { return other.isDemoted }
        let (here, there) = (one.paceClass, other.paceClass)
        if one.facts.isDialedByLowerPeer == isLowerPeer, here != there { return here < there }
        return one.facts.id < other.facts.id
    }
}

extension ConnectionSet.Entry {
    /// The power of four of microseconds that the shortest round trip is at most: only a clearly shorter one counts, and
    /// comparing classes keeps the order total, which comparing by "clearly less" would not.
    var paceClass: Int {
        guard let shortest = health.shortest else { return Int.max }
        let microseconds = max(shortest.saturatingNanoseconds / 1_000, 0)
        return (Int64.bitWidth - microseconds.leadingZeroBitCount + 1) / 2
    }
}

extension ConnectionSet: Hashable {
    public static func == (lhs: ConnectionSet, rhs: ConnectionSet) -> Bool {
        lhs.isLowerPeer == rhs.isLowerPeer && lhs.entries == rhs.entries && lhs.best == rhs.best
            && lhs.bestSince == rhs.bestSince
    }

    /// The policy is the same all the time and takes no part.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(entries)
        hasher.combine(best)
        hasher.combine(bestSince)
    }
}
