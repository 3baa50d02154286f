public import OxbowCore

/// How long a dial that failed isn't made again by itself.
public struct BackOffConfiguration: Hashable, Sendable {
    /// The wait behind the first failure.
    public var base: Duration = .seconds(5)
    /// The longest wait. Each failure in a row doubles the one before it.
    public var maximum: Duration = .seconds(300)
    /// Addresses and peers that are remembered; past it those are forgotten whose wait ends first.
    public var entries = 1_024

    public init() {}

    /// The wait behind so many failures in a row.
    func wait(after failures: Int) -> Duration {
        guard failures < 32 else { return maximum }
        return min(maximum, .nanoseconds(base.saturatingNanoseconds).saturatedTimes(1 << (failures - 1)))
    }
}

/// Which peers and addresses have failed lately: a machine. Each failure in a row doubles the wait, up to a bound; a
/// success ends it.
public struct BackOff: Sendable {
    /// Of what a failure is remembered.
    public enum Key: Hashable, Sendable {
        case peer(PeerID)
        case address(Multiaddr, of: PeerID)
    }

    /// Its times and bounds.
    public let configuration: BackOffConfiguration
    private var entries: [Key: Entry] = [:]

    private struct Entry {
        var failures: Int
        var until: Instant
    }

    public init(configuration: BackOffConfiguration = BackOffConfiguration()) {
        self.configuration = configuration
    }

    /// How many keys are remembered.
    public var count: Int { entries.count }

    /// How long to wait still; nil when there is nothing to wait for.
    public func remaining(_ key: Key, at now: Instant) -> Duration? {
        guard let entry = entries[key], entry.until > now else { return nil }
        return entry.until - now
    }

    /// A dial has failed. While the wait behind an earlier failure lasts, that says nothing more.
    public mutating func failed(_ key: Key, at now: Instant) {
        var failures = 0
        // What was quiet for as long as the longest wait begins anew.
        if let known = entries[key], known.until + configuration.maximum > now { failures = known.failures }
        // One failure per wait: attempts that ended together are one piece of evidence.
        if let known = entries[key], known.until > now { return }
        if entries[key] == nil { makeRoom(at: now) }
        failures = min(failures + 1, 32)
        entries[key] = Entry(failures: failures, until: now + configuration.wait(after: failures))
    }

    /// A dial has led to the peer: nothing is waited for any more.
    public mutating func succeeded(_ key: Key) {
        entries[key] = nil
    }

    private mutating func makeRoom(at now: Instant) {
        guard entries.count >= configuration.entries else { return }
        entries = entries.filter { $0.value.until + configuration.maximum > now }
        while entries.count >= max(1, configuration.entries) {
            guard let first = entries.min(by: { $0.value.until < $1.value.until })?.key else { return }
            entries[first] = nil
        }
    }
}

extension Duration {
    fileprivate func saturatedTimes(_ factor: Int64) -> Duration {
        let (product, overflow) = saturatingNanoseconds.multipliedReportingOverflow(by: factor)
        return .nanoseconds(overflow ? .max : product)
    }
}
