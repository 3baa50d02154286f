public import OxbowCore

/// Refusals of one kind, told together.
public struct RefusalReport: Hashable, Sendable {
    /// The newest of them.
    public let refusal: ResourceRefusal
    /// How many there were since the last report of the kind, this one included.
    public let count: Int
}

/// Counts refusals, and tells of them at a bearable rate: the first of each kind at once, those that follow within
/// ``interval`` together at its end. A kind is a kind of scope with a resource, so that the table has a bound and no
/// peer can make it grow.
public struct RefusalLog: Sendable {
    /// What is counted together.
    public struct Kind: Hashable, Sendable {
        public let scope: ResourceScope.Kind
        public let resource: Resource

        /// The kind of a refusal.
        public init(_ refusal: ResourceRefusal) {
            (scope, resource) = (refusal.scope.kind, refusal.resource)
        }
    }

    private struct Entry: Sendable {
        var total: UInt64 = 0
        var pending = 0
        var newest: ResourceRefusal
        var quietUntil: Instant
    }

    /// How long a kind is quiet behind a report.
    public let interval: Duration
    private var entries: [Kind: Entry] = [:]

    /// An empty log.
    public init(interval: Duration = .seconds(1)) {
        self.interval = interval
    }

    /// How many refusals of each kind there were in all.
    public var totals: [Kind: UInt64] { entries.mapValues(\.total) }

    /// When ``tick(at:)`` has something to tell; nil: never, unless something is refused.
    public var nextDeadline: Instant? {
        entries.values.lazy.filter { $0.pending > 0 }.map(\.quietUntil).min()
    }

    /// Takes a refusal.
    ///
    /// - Returns: what to tell now; nil when it waits for ``nextDeadline``.
    public mutating func record(_ refusal: ResourceRefusal, at now: Instant) -> RefusalReport? {
        let kind = Kind(refusal)
        var entry = entries[kind] ?? Entry(newest: refusal, quietUntil: now)
        entry.total &+= 1
        entry.pending += 1
        entry.newest = refusal
        let report = Self.report(&entry, interval, at: now)
        entries[kind] = entry
        return report
    }

    /// What waited long enough.
    public mutating func tick(at now: Instant) -> [RefusalReport] {
        var reports: [RefusalReport] = []
        for scope in ResourceScope.Kind.allCases {
            for resource in Resource.allCases {
                let kind = Kind(scope, resource)
                guard var entry = entries[kind], let report = Self.report(&entry, interval, at: now) else { continue }
                entries[kind] = entry
                reports.append(report)
            }
        }
        return reports
    }

    private static func report(_ entry: inout Entry, _ interval: Duration, at now: Instant) -> RefusalReport? {
        guard entry.pending > 0, now >= entry.quietUntil else { return nil }
        defer {
            entry.pending = 0
            entry.quietUntil = now + interval
        }
        return RefusalReport(refusal: entry.newest, count: entry.pending)
    }
}

extension RefusalLog.Kind {
    fileprivate init(_ scope: ResourceScope.Kind, _ resource: Resource) {
        (self.scope, self.resource) = (scope, resource)
    }
}
