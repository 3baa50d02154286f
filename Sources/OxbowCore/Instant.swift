/// A point on a monotonic clock, in nanoseconds since an origin that the clock's owner chose.
///
/// Machines have no clock of their own: whoever drives them says what time it is, so that the same machine runs on
/// wall time in a program and on virtual time in a simulation. Arithmetic saturates: a remote number that is added
/// to an instant can't trap or wrap.
public struct Instant: Hashable, Sendable, Comparable {
    /// Nanoseconds since the origin.
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// The clock's origin.
    public static let zero = Instant(nanoseconds: 0)
    /// Later than every deadline: the deadline of what never expires.
    public static let distantFuture = Instant(nanoseconds: .max)

    public static func < (lhs: Instant, rhs: Instant) -> Bool {
        lhs.nanoseconds < rhs.nanoseconds
    }

    public static func + (lhs: Instant, rhs: Duration) -> Instant {
        let (sum, overflow) = lhs.nanoseconds.addingReportingOverflow(rhs.saturatingNanoseconds)
        guard overflow else { return Instant(nanoseconds: sum) }
        return rhs < .zero ? Instant(nanoseconds: .min) : .distantFuture
    }

    public static func - (lhs: Instant, rhs: Instant) -> Duration {
        let (difference, overflow) = lhs.nanoseconds.subtractingReportingOverflow(rhs.nanoseconds)
        guard overflow else { return .nanoseconds(difference) }
        return .nanoseconds(lhs < rhs ? Int64.min : Int64.max)
    }
}

extension Duration {
    /// The duration in nanoseconds, clamped to what 64 bits hold (292 years either way).
    public var saturatingNanoseconds: Int64 {
        // `components` itself traps past 64 bits of seconds: what doesn't fit is sorted out before it is asked.
        if self >= .nanoseconds(Int64.max) { return .max }
        if self <= .nanoseconds(Int64.min) { return .min }
        let (seconds, attoseconds) = components
        // Where the parts overflow, the whole would only by its fraction.
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carried) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        guard !overflow, !carried else { return seconds < 0 ? .min : .max }
        return sum
    }

    /// The duration, clamped likewise: what the standard library's clocks can add to a time without a trap.
    public var saturated: Duration { .nanoseconds(saturatingNanoseconds) }
}
