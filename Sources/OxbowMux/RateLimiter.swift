import OxbowCore

/// Counts events against a ``YamuxRateLimit`` with one number of state: when the allowance will be whole again. Each
/// event moves that by `period / count`; it may not be farther off than `period` (the generic cell rate algorithm).
struct RateLimiter: Hashable, Sendable {
    private let step: Duration
    private let period: Duration
    private var wholeAt: Instant

    init(_ limit: YamuxRateLimit, at now: Instant) {
        period = limit.period
        step = limit.period / limit.count
        wholeAt = now
    }

    /// Counts an event. False when there were too many.
    mutating func admit(at now: Instant) -> Bool {
        let next = max(wholeAt, now) + step
        guard next - now <= period else { return false }
        wholeAt = next
        return true
    }
}
