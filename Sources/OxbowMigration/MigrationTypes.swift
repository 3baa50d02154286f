/// One of the underlying streams on which a logical stream lives.
public enum Leg: Hashable, Sendable, CaseIterable {
    /// The underlying stream that is current, or was until the migration that is under way.
    case source
    /// The underlying stream to which the logical stream is moving.
    case target
    /// The target of an own attempt that gave way to the peer's in a glare (SM-F4). It never carries bytes.
    case yielded
}

/// Who asked for a migration.
public enum MigrationRole: Hashable, Sendable {
    /// This side opened the target.
    case initiator
    /// This side accepted the peer's target.
    case responder
}

/// Why a logical stream was aborted. Each of them ends both underlying streams (SM-F3, SM-F9).
public enum MigrationFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The underlying stream was reset, or its connection lost, while no hand-off was agreed.
    case lost
    /// An underlying stream was reset, or its connection lost, after the hand-off had been agreed (SM-F3).
    case lostDuringHandOff(Leg)
    /// An end of stream that may be a hand-off which was lost: reported as an error, never as a clean end (SM-F2).
    case endInDoubt
    /// The peer accepted an attempt that had given way to its own (SM-F4).
    case acceptedYieldedAttempt
    /// The peer sent bytes on the target of a stream whose end it had already sent (SM-M7).
    case dataBehindEnd
    /// No progress of a hand-off, or no FIN behind a finished one, within its deadline (SM-F8).
    case handOffTimedOut

    public var description: String {
        switch self {
        case .lost:
            "the stream was reset by the peer, or its connection was lost"
        case .lostDuringHandOff(let leg):
            "the \(leg) of a migration was lost while the stream was handed over; bytes may be missing, so it was reset"
        case .endInDoubt:
            "the stream ended while the outcome of a migration was unknown; bytes may be missing at its end"
        case .acceptedYieldedAttempt:
            "the peer accepted a migration that had given way to its own; it does not follow the rule for glare"
        case .dataBehindEnd:
            "the peer sent data behind the end of the stream"
        case .handOffTimedOut:
            "a migration was agreed, but the peer did not finish its part of it in time"
        }
    }
}

/// Why a migration can't start. The stream is unharmed.
public enum MigrationRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// The stream has no label: the peer doesn't support stream migration, or the protocol opted out (SM-L1, SM-L5).
    case notLabelled
    /// The answer to the stream's own negotiation has not been read yet (SM-M1).
    case notNegotiated
    /// A migration of this stream is under way (SM-M1).
    case underWay
    /// The stream is at its end.
    case ended
    /// The application has not read all that came before the last migration: a further leg would be one window more than
    /// a stream may hold (SM-M6).
    case unread
    /// The peer denied a migration of this stream before (SM-F1).
    case denied
    /// An attempt ended without an answer a moment ago; the next may start after `wait` (SM-F2).
    case tooSoon(wait: Duration)
    /// So many attempts in a row had no answer: this side asks no more for this stream (SM-F2).
    case tooManyFailures(limit: Int)
    /// The bound on concurrent migrations or on labelled streams with the peer is reached (SM-F10).
    case tooMany(limit: Int)
    /// Every id of this side is used up (SM-L2).
    case idsExhausted

    public var description: String {
        switch self {
        case .notLabelled: "the stream has no migration label: the peer or the protocol does not take part in migration"
        case .notNegotiated: "the peer has not answered the stream's negotiation yet; try again once it has"
        case .underWay: "a migration of this stream is under way already"
        case .ended: "the stream has ended"
        case .unread: "what came before the last migration has not been read; try again once it has"
        case .denied: "the peer denied to migrate this stream"
        case .tooSoon(let wait): "an attempt to migrate this stream has just failed; try again in \(wait)"
        case .tooManyFailures(let limit):
            "\(limit) attempts in a row to migrate this stream had no answer; it stays where it is"
        case .tooMany(let limit):
            "\(limit) migrations or labelled streams with this peer, which is the limit; try again later"
        case .idsExhausted: "every stream id for this peer is used up; connect with a new identity"
        }
    }
}

/// How an attempt ended on the side that made it.
public enum AttemptOutcome: Hashable, Sendable {
    /// The peer accepted: the hand-off has begun.
    case accepted
    /// The peer denied: the stream stays where it is (SM-F1).
    case denied
    /// The target was lost, timed out or got a wrong answer: the stream stays, its end is in doubt (SM-F2, SM-F7).
    case failed
    /// The attempt gave way to the peer's own (SM-F4).
    case yielded
}

/// What a machine tells its driver besides its state. The driver compares the rest — where to read, where to write,
/// which leg wants its FIN — by asking for it after each event.
public enum MigrationAction: Hashable, Sendable {
    /// Every byte before was delivered or queued: the application reads its end of stream behind them.
    case deliverEOF
    /// Close the leg both ways without an error: it carries nothing.
    case close(Leg)
    /// Reset the leg.
    case reset(Leg)
    /// An own attempt ended.
    case attemptEnded(AttemptOutcome)
    /// The hand-off is complete: the target is the source from now on and `id` is the stream's id (SM-M8). The old
    /// source belongs to nobody: what still happens to it is ignored.
    case complete(id: UInt64, was: UInt64, role: MigrationRole)
    /// Both directions have ended: the id is finished.
    case finished
    /// The stream is aborted: reset every leg, and the application gets the error.
    case fail(MigrationFailure)
}

/// What to do with a Migrate that the peer sent.
public enum MigrateJudgement: Hashable, Sendable {
    case accept
    case deny
    /// It can't be judged yet: keep it and ask again after the next event (SM-F5).
    case hold
}

/// The waits of a migration, all on the driver's clock (SM-F8).
public struct MigrationConfiguration: Hashable, Sendable {
    /// How long an attempt waits for its answer. Waiting is free: the source goes on carrying bytes.
    public var answerTimeout: Duration = .seconds(60)
    /// How long a hand-off may go without progress after the answer.
    public var handOffTimeout: Duration = .seconds(30)
    /// How long the peer's FIN on the target may take when the stream has ended but for it (SM-M7).
    public var endTimeout: Duration = .seconds(30)
    /// How long a Migrate is held whose `from` is unknown (SM-F6).
    public var unknownFromTimeout: Duration = .seconds(10)
    /// How long after an attempt without an answer the next one may start; each further one in a row doubles it (SM-F2).
    public var retryDelay: Duration = .seconds(1)
    /// The longest such wait.
    public var maximumRetryDelay: Duration = .seconds(60)
    /// Attempts in a row without an answer after which this side asks no more for a stream; nil: it never gives up (SM-F2).
    public var maximumFailures: Int? = 8
    /// Live labelled streams with one peer (SM-F10).
    public var maximumStreams = 1_024
    /// Migrates held for one peer (SM-F10).
    public var maximumHeld = 16
    /// Migrations with one peer under way at once (SM-F10).
    public var maximumConcurrent = 16
    /// Ids of ended streams remembered for one peer (SM-F10).
    public var maximumRemembered = 256

    public init() {}
}
