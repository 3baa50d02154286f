public import OxbowCore

/// Whether something can be reached from outside.
public enum Reachability: String, Hashable, Sendable, CaseIterable {
    /// Not found out.
    case unknown
    case reachable
    case unreachable
}

/// Whether a host can be reached from outside.
public enum HostReachability: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// Not found out.
    case unknown
    /// At one address at least.
    case `public`
    /// At none that was tried: peers need a relay, or a hole.
    case `private`

    public var description: String { rawValue }
}

/// Which addresses of a host can be reached, from what servers of AutoNAT say, and when to ask again.
///
/// A success that is proved counts each time; what is only a server's word, so each failure, counts once for each network
/// that servers are in: nobody alone can talk an address down. An address is judged by the last answers, and changes sides only when as
/// many speak for the other one: a single answer against it does nothing.
public struct ReachabilityTracker: Sendable, Hashable {
    /// The bounds and times.
    public struct Configuration: Hashable, Sendable {
        /// By how many answers one side must be ahead; 2, as others do.
        public var confirmations = 2
        /// The answers that count, the newest ones.
        public var window = 5
        /// Addresses that are looked after.
        public var maximumAddresses = 32
        /// How long new addresses wait, so that one question is asked about all of them.
        public var settleDelay: Duration = .seconds(1)
        /// The least time between two questions while something is unknown; it doubles with each that tells nothing.
        public var retryDelay: Duration = .seconds(5)
        /// The most time between two questions while something is unknown.
        public var maximumRetryDelay: Duration = .seconds(5 * 60)
        /// How long a verdict stands before it is looked at again.
        public var recheckDelay: Duration = .seconds(30 * 60)

        public init() {}
    }

    /// What was found out about one address.
    private struct Entry: Hashable {
        var answers: [Answer] = []
        var verdict = Reachability.unknown
        /// When it is to be asked about again.
        var due: Instant
    }

    private struct Answer: Hashable {
        let isReachable: Bool
        /// Whose word it is; nil for what is proved.
        let witness: NetworkGroup?
    }

    /// A verdict that changed.
    public struct Change: Hashable, Sendable {
        public let address: Multiaddr
        public let verdict: Reachability
    }

    private let configuration: Configuration
    private var entries: [Multiaddr: Entry] = [:]
    /// In the order of their importance.
    private var order: [Multiaddr] = []
    /// Questions in a row that told nothing.
    private var failures = 0
    /// No question before this time.
    private var earliest = Instant(nanoseconds: .min)

    /// Nothing is looked after yet. The confirmations must fit into the window.
    public init(_ configuration: Configuration = Configuration()) {
        precondition(
            configuration.confirmations > 0 && configuration.confirmations <= configuration.window
                && configuration.maximumAddresses > 0, "confirmations fit into the window")
        self.configuration = configuration
    }

    // MARK: What happens

    /// The addresses to look after from now on, the most important first. What is known of others is forgotten.
    ///
    /// - Returns: the addresses that were reachable and aren't looked after any more.
    public mutating func setAddresses(_ addresses: [Multiaddr], at now: Instant) -> [Multiaddr] {
        var seen: Set<Multiaddr> = []
        order = Array(addresses.filter { seen.insert($0).inserted }.prefix(configuration.maximumAddresses))
        let kept = Set(order)
        let gone = entries.filter { !kept.contains($0.key) && $0.value.verdict == .reachable }.keys
        entries = entries.filter { kept.contains($0.key) }
        for address in order where entries[address] == nil {
            entries[address] = Entry(due: now + configuration.settleDelay)
            // What is new is worth a question although others told nothing.
            failures = 0
            earliest = min(earliest, now + configuration.settleDelay)
        }
        return gone.sorted { $0.description < $1.description }
    }

    /// An address was found to be reachable or not.
    ///
    /// - Parameter witness: where the server is whose word it is; nil when it is proved, as AutoNAT v2 proves success.
    /// - Returns: the verdict, if it changed. Nothing, for an address that isn't looked after.
    public mutating func record(
        _ address: Multiaddr, isReachable: Bool, witness: NetworkGroup?, at now: Instant
    ) -> Change? {
        guard var entry = entries[address] else { return nil }
        let answer = Answer(isReachable: isReachable, witness: witness)
        // The same words from the same mouth: whoever asks again hopes for other servers, and should do so less often.
        if witness != nil, entry.answers.contains(answer) {
            recordFailure(at: now)
        } else {
            failures = 0
            earliest = now + configuration.retryDelay
        }
        if witness != nil { entry.answers.removeAll { $0.witness == witness } }
        entry.answers.append(answer)
        if entry.answers.count > configuration.window { entry.answers.removeFirst() }
        let before = entry.verdict
        let successes = entry.answers.count { $0.isReachable }
        let lead = 2 * successes - entry.answers.count
        if lead >= configuration.confirmations { entry.verdict = .reachable }
        if -lead >= configuration.confirmations { entry.verdict = .unreachable }
        let isClear = abs(lead) >= configuration.confirmations && (lead > 0) == (entry.verdict == .reachable)
        entry.due = now + (isClear ? configuration.recheckDelay : configuration.retryDelay)
        entries[address] = entry
        return entry.verdict == before ? nil : Change(address: address, verdict: entry.verdict)
    }

    /// A question told nothing: the next one waits longer.
    public mutating func recordFailure(at now: Instant) {
        let factor = 1 << min(failures, 20)
        failures += 1
        earliest = now + min(configuration.retryDelay * factor, configuration.maximumRetryDelay)
    }

    /// An address behaves in a way that contradicts what is known: all are looked at again soon.
    public mutating func recheck(at now: Instant) {
        for address in order { entries[address]?.due = now + configuration.settleDelay }
    }

    // MARK: What follows from it

    /// What is known of one address.
    public func verdict(of address: Multiaddr) -> Reachability {
        entries[address]?.verdict ?? .unknown
    }

    /// The addresses that can be reached, in the order of their importance.
    public var reachable: [Multiaddr] {
        order.filter { entries[$0]?.verdict == .reachable }
    }

    /// What is known of the host as a whole.
    public var host: HostReachability {
        let verdicts = order.compactMap { entries[$0]?.verdict }
        if verdicts.contains(.reachable) { return .public }
        return verdicts.isEmpty || verdicts.contains(.unknown) ? .unknown : .private
    }

    /// What to ask about now: those with the fewest answers first. Empty when it isn't time.
    public func addressesToProbe(limit: Int, at now: Instant) -> [Multiaddr] {
        guard now >= earliest else { return [] }
        let due = order.filter { address in entries[address].map { $0.due <= now } ?? false }
        // Sorting is stable only by the index.
        return due.enumerated().sorted { left, right in
            let counts = (entries[left.element]?.answers.count ?? 0, entries[right.element]?.answers.count ?? 0)
            return counts.0 != counts.1 ? counts.0 < counts.1 : left.offset < right.offset
        }.prefix(limit).map(\.element)
    }

    /// When ``addressesToProbe(limit:at:)`` has something next; nil when there is nothing to look after.
    public var nextProbe: Instant? {
        entries.values.map(\.due).min().map { max($0, earliest) }
    }
}
