public import OxbowCore
public import OxbowMigration

/// How a migration, or an attempt at one, ended on this side.
public enum MigrationOutcome: Hashable, Sendable, CustomStringConvertible {
    /// The stream lives on the target.
    case completed
    /// The responder said no: the stream stays where it is (SM-F1).
    case denied
    /// This side's attempt gave way to the peer's (SM-F4), which has a record of its own.
    case yielded
    /// The attempt came to nothing; the stream stays where it is (SM-F2, SM-F7).
    case failed(MigrationAttemptFailure)
    /// The stream ended with an error before the migration was over, because of it or not: the error says.
    case aborted(StreamError)

    /// The outcome in one word: the value of the metrics' dimension `outcome`.
    public var name: String {
        switch self {
        case .completed: "completed"
        case .denied: "denied"
        case .yielded: "yielded"
        case .failed: "failed"
        case .aborted: "aborted"
        }
    }

    public var description: String {
        switch self {
        case .completed, .denied, .yielded: name
        case .failed(let why): "failed: \(why)"
        case .aborted(let error): "aborted: \(error)"
        }
    }
}

/// Why an attempt to migrate came to nothing.
public enum MigrationAttemptFailure: Hashable, Sendable, CustomStringConvertible {
    /// No target could be opened: the peer never learned of it.
    case notOpened(StreamError)
    /// The target was reset, or its connection lost, before the answer.
    case targetLost(StreamError)
    /// No answer came in time (SM-F8).
    case timedOut
    /// What came on the target is no answer (SM-F7).
    case wrongAnswer
    /// As responder: the peer's Migrate named no stream that this side got to know in time (SM-F6).
    case unknownStream
    /// As responder: a bound was reached, or the target's id was in use (SM-L4, SM-F10).
    case refused

    public var description: String {
        switch self {
        case .notOpened(let error): "its target could not be opened: \(error)"
        case .targetLost(let error): "its target was lost before the answer: \(error)"
        case .timedOut: "the peer did not answer in time; perhaps its application has to read first"
        case .wrongAnswer: "the peer's answer is none"
        case .unknownStream: "the peer named a stream that is not known here"
        case .refused: "a limit of this side was reached, or the peer used an id twice"
        }
    }
}

/// One migration of a stream, or one attempt, as this side saw it. Each ends in exactly one record, on either side.
public struct MigrationRecord: Hashable, Sendable {
    /// Counts the stream's records from 1; 0 in a record that belongs to no stream of this side.
    public internal(set) var number = 0
    /// How it ended.
    public internal(set) var outcome = MigrationOutcome.completed
    /// Which side asked: this one, as `MigrationRole.initiator`, or the peer.
    public internal(set) var role = MigrationRole.initiator
    /// The stream's id before, and the one that the target gives it.
    public internal(set) var fromID: UInt64 = 0
    public internal(set) var toID: UInt64 = 0
    /// From where, and to where.
    public internal(set) var from: ConnectionPath?
    public internal(set) var to: ConnectionPath?
    /// When the Migrate was queued, or arrived, and when the record was made: for a completed migration, when both
    /// FINs had passed on the source. On the clock of the event loops, which is monotonic and alike for all hosts of
    /// one machine.
    public internal(set) var started = Instant.zero
    public internal(set) var ended = Instant.zero
    /// From the start to the peer's Ack or denial, or on the responder's side to its own: it holds a Migrate that it
    /// can't judge yet (SM-F5, SM-F6). Nil when there was no answer.
    public internal(set) var timeToAnswer: Duration?
    /// The longest time in which nothing arrived for the application, between the start and the first delivery on the
    /// target. Each side sees its own reading direction.
    public internal(set) var longestGap = Duration.zero
    /// Whether ``longestGap`` is final. A migration can be complete before anything has arrived on the target; the
    /// record that `migrate` returns and the event carries then has the gap so far, and the stream's list gets the final
    /// one with the first delivery. When nothing arrives until the next migration or the end, it stays as it is.
    public internal(set) var isGapFinal = true
    /// Application bytes that arrived on the source and were framed there, all the time that the stream was on it.
    public internal(set) var bytesRead: UInt64 = 0
    public internal(set) var bytesWritten: UInt64 = 0
    /// The same on the target, until the record was made.
    public internal(set) var bytesReadOnTarget: UInt64 = 0
    public internal(set) var bytesWrittenOnTarget: UInt64 = 0

    public init() {}

    /// From the start to the end.
    public var duration: Duration { ended - started }
    /// Whether the stream has moved.
    public var isCompleted: Bool { outcome == .completed }

    /// The connections between which it was, where both are known.
    var connections: (from: ConnectionID, to: ConnectionID)? {
        guard let from, let to else { return nil }
        return (from.id, to.id)
    }
}

/// How often each outcome came, over a stream's life.
public struct MigrationTotals: Hashable, Sendable {
    public internal(set) var completed = 0
    public internal(set) var denied = 0
    public internal(set) var yielded = 0
    public internal(set) var failed = 0
    public internal(set) var aborted = 0

    public init() {}

    /// Every migration and attempt.
    public var all: Int { completed + denied + yielded + failed + aborted }

    mutating func count(_ outcome: MigrationOutcome) {
        switch outcome {
        case .completed: completed += 1
        case .denied: denied += 1
        case .yielded: yielded += 1
        case .failed: failed += 1
        case .aborted: aborted += 1
        }
    }
}

/// What a stream carried on one of the underlying streams that it lived on.
public struct PathBytes: Hashable, Sendable {
    /// Where that underlying stream ran.
    public let path: ConnectionPath?
    /// Application bytes that arrived there, and that were framed there.
    public let read: UInt64
    public let written: UInt64
}
