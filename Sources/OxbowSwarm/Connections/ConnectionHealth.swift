import OxbowCore

/// How well a connection works, as far as this side can tell (CS-11).
///
/// Two signs say that it doesn't: nothing comes although a sign of life was asked for, or each round trip takes very long.
/// A long queue makes round trips long too, so the second sign is a coarse one.
struct ConnectionHealth: Hashable, Sendable {
    /// When a sign of life was asked for that nothing has followed.
    private(set) var askedAt: Instant?
    private(set) var lastHeard: Instant
    /// The shortest round trip so far: what the path takes when nothing waits in front of it.
    private(set) var shortest: Duration?
    private(set) var latest: Duration?
    private var slowSamples = 0
    private(set) var isDegraded = false
    /// Since when a connection that is degraded has been well.
    private var wellSince: Instant?
    private var relapses = 0

    init(at now: Instant) {
        lastHeard = now
    }

    /// A sign of life was asked for.
    mutating func asked(at now: Instant) {
        askedAt = askedAt ?? now
    }

    /// Something came.
    mutating func heard(at time: Instant) {
        lastHeard = max(lastHeard, time)
        if let asked = askedAt, time >= asked { askedAt = nil }
    }

    /// A round trip was measured.
    ///
    /// - Parameter other: the shortest round trip of the best other connection.
    mutating func measured(_ roundTrip: Duration, besides other: Duration?, policy: ConnectionPolicy, at now: Instant) {
        heard(at: now)
        latest = roundTrip
        shortest = min(shortest ?? roundTrip, roundTrip)
        let isSlow = isSlow(roundTrip, besides: other, policy)
        slowSamples = isSlow ? min(slowSamples + 1, policy.slowSamples) : max(slowSamples - 1, 0)
    }

    private func isSlow(_ roundTrip: Duration, besides other: Duration?, _ policy: ConnectionPolicy) -> Bool {
        guard let other, let shortest, roundTrip >= policy.slowRoundTrip else { return false }
        return roundTrip > shortest * policy.slowFactor && roundTrip > other * policy.slowFactor
    }

    /// Draws the conclusion.
    mutating func judge(_ policy: ConnectionPolicy, at now: Instant) {
        let isSilent = askedAt.map { now - $0 >= policy.silenceLimit } ?? false
        let isBad = isSilent || slowSamples >= policy.slowSamples
        guard isDegraded else {
            guard isBad else { return }
            (isDegraded, wellSince) = (true, nil)
            relapses = min(relapses + 1, 8)
            return
        }
        if isBad || slowSamples > 0 {
            wellSince = nil
        } else if askedAt == nil {
            // A question that is under way, for less than the limit, takes nothing back.
            wellSince = wellSince ?? now
        }
        if let wellSince, now >= wellSince + recovery(policy) { isDegraded = false }
    }

    private func recovery(_ policy: ConnectionPolicy) -> Duration {
        policy.recoveryTime * (1 << max(relapses - 1, 0))
    }

    /// When ``judge(_:at:)`` may come to something else.
    func nextDeadline(_ policy: ConnectionPolicy) -> Instant {
        if let askedAt { return isDegraded ? .distantFuture : askedAt + policy.silenceLimit }
        guard let wellSince, isDegraded else { return .distantFuture }
        return wellSince + recovery(policy)
    }
}
