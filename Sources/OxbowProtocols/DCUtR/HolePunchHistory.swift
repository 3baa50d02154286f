public import OxbowCore

/// What is kept of the punches with one peer, so that no peer can keep the host busy: each attempt and each answer
/// costs a token.
public struct HolePunchHistory: Hashable, Sendable {
    /// A whole attempt of a peer takes three; one comes back in ten seconds.
    private var tokens = TokenBucket(interval: .seconds(10), burst: 6)
    private var answers = 0
    private var hasFirstCollided = false

    public init() {}

    /// Takes a token, or tells that there is none at this time.
    public mutating func take(at now: Instant) -> Bool { tokens.take(at: now) }

    /// Whether nothing is lost by forgetting the peer.
    public func isForgettable(at now: Instant) -> Bool { tokens.isFull(at: now) }

    /// The part in an answer (``HolePunchPart``).
    public var part: HolePunchPart { hasFirstCollided ? .server : .client }

    /// An answer is over; `hasCollided` tells whether a socket connected and no connection came of it.
    public mutating func answered(hasCollided: Bool) {
        answers += 1
        if answers == 1 { hasFirstCollided = hasCollided }
    }
}
