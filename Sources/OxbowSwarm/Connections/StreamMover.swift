public import OxbowCore
public import OxbowMigration

/// Which streams of a peer are to be moved next, and when: a bounded number at once, each at most so often
/// (CS-10).
///
/// It keeps streams that should be elsewhere. Whether they still should, and where, or are gone, is asked when their turn
/// comes.
public struct StreamMover: Hashable, Sendable {
    /// Moves at once.
    public let limit: Int
    /// Streams that wait for their turn, in the order in which they came.
    private var ready: [StreamKey] = []
    private var readyHead = 0
    /// Streams that may not move before a time.
    private var waiting: [StreamKey: Instant] = [:]
    private var running: Set<StreamKey> = []
    private var known: Set<StreamKey> = []

    /// - Parameter limit: moves at once, at least 1.
    public init(limit: Int) {
        precondition(limit > 0)
        self.limit = limit
    }

    /// Streams that wait or move.
    public var count: Int { known.count }
    public var isEmpty: Bool { known.isEmpty }

    /// A stream should be elsewhere.
    public mutating func add(_ key: StreamKey) {
        guard known.insert(key).inserted else { return }
        ready.append(key)
    }

    /// Takes the next stream whose turn it is. It counts as moving until ``ended(_:retryAt:)``.
    public mutating func next(at now: Instant) -> StreamKey? {
        if readyHead == ready.count || ready.isEmpty { wake(at: now) }
        guard running.count < limit, readyHead < ready.count else { return nil }
        let key = ready[readyHead]
        readyHead += 1
        if readyHead == ready.count { (ready, readyHead) = ([], 0) }
        running.insert(key)
        return key
    }

    /// A move has ended, one way or the other.
    ///
    /// - Parameter retryAt: when it is to be looked at again; nil: not by itself.
    public mutating func ended(_ key: StreamKey, retryAt: Instant?) {
        guard running.remove(key) != nil else { return }
        if let retryAt { waiting[key] = retryAt } else { known.remove(key) }
    }

    /// When ``next(at:)`` has something again that it hasn't now; `distantFuture` when that isn't a matter of time.
    public var nextDeadline: Instant {
        guard running.count < limit else { return .distantFuture }
        if readyHead < ready.count { return .zero }
        return waiting.values.min() ?? .distantFuture
    }

    /// Streams that wait for the same moment go in the order of their keys, so that each run does the same.
    private mutating func wake(at now: Instant) {
        guard !waiting.isEmpty else { return }
        let due = waiting.filter { $0.value <= now }.keys.sorted { $0.rawValue < $1.rawValue }
        for key in due { waiting[key] = nil }
        ready += due
    }
}
