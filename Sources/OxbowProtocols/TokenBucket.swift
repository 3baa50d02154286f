public import OxbowCore

/// A rate limit: one token per interval, at most `burst` saved up. It starts full.
///
/// Kept as the one instant at which the bucket will be full again (the "generic cell rate algorithm"), so that there
/// is nothing to refill, no fraction to lose, and a remote or virtual clock that jumps can't overflow anything.
public struct TokenBucket: Sendable, Hashable {
    private let interval: Duration
    private let tolerance: Duration
    private var fullAgain = Instant(nanoseconds: .min)

    /// - Parameters:
    ///   - interval: the time in which one token comes back; more than zero.
    ///   - burst: how many tokens a full bucket holds; at least one.
    public init(interval: Duration, burst: Int) {
        precondition(interval > .zero && burst > 0, "a bucket that never gives a token isn't a rate limit")
        self.interval = interval
        tolerance = interval * (burst - 1)
    }

    /// Takes a token, or tells that there is none at this time.
    public mutating func take(at now: Instant) -> Bool {
        guard fullAgain <= now + tolerance else { return false }
        fullAgain = max(fullAgain, now) + interval
        return true
    }

    /// Whether nothing would be lost by forgetting this bucket: a table of buckets drops these first.
    public func isFull(at now: Instant) -> Bool {
        fullAgain <= now
    }

    /// What one source may push of identify: 0.2 a second, ten at once. Kept per /24 of the remote address.
    public static var identifyPush: TokenBucket { TokenBucket(interval: .seconds(5), burst: 10) }
}
