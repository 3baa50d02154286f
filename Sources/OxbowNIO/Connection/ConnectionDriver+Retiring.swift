import OxbowCore
import OxbowMux

/// How far a connection has come in being given up without a loss (CS-7).
///
/// The peer may have opened streams before it read the GoAway; those are still served. A ping that goes out behind the
/// GoAway is answered by a peer that has read it and opens no more; what it had opened before came before the answer, or
/// comes with the frames of the same turn. So after a further ping, no stream can be under way: when there is none then,
/// closing loses nothing.
struct Retirement {
    /// Answers to pings since the GoAway. The first may belong to an earlier ping.
    var answers = 0
    /// When to ask once more.
    var nextPing: Instant?

    static let answersNeeded = 3
}

extension ConnectionDriver {
    /// Takes no new streams and closes the connection once nothing is on it, or under way to it. Nothing is lost by it,
    /// however long that takes: streams that live here go on.
    func retire() {
        guard failure == nil, session != nil, !isDraining, retirement == nil else { return }
        retirement = Retirement()
        giveUpNewStreams()
        session?.goAway(takesLateStreams: true)
        session?.ping(at: now)
    }

    /// A ping was answered.
    func retiringPingAnswered() {
        guard retirement != nil else { return }
        retirement?.answers += 1
        guard let answers = retirement?.answers, answers >= Retirement.answersNeeded else {
            session?.ping(at: now)
            return
        }
        guard underlyingStreams > 0 else { return end(.retired) }
        // Not idle: the next look is for later, with a ping of its own in front of the end.
        retirement?.answers = Retirement.answersNeeded - 1
        retirement?.nextPing = now + limits.retirementPause
    }

    func tickRetirement() {
        guard let next = retirement?.nextPing, now >= next else { return }
        retirement?.nextPing = nil
        session?.ping(at: now)
    }
}
