public import OxbowCore

/// One side of one logical stream, as stream migration sees it.
///
/// The machine knows neither bytes nor connections: events say what was read and framed on a leg, and three
/// properties say what follows: ``readLeg``, ``writeLeg`` and ``wantsFIN(on:)``. They are functions of the state, so
/// a driver applies them as levels after each event and can't miss an edge.
///
/// Life of a stream: `settled` on one leg; `asking` while an own Migrate is unanswered, in which the source carries
/// on both ways (SM-M2); `handingOff` from the Ack on, until this side has sent its FIN on the source and read the
/// peer's (SM-M8), when the target becomes the source and the stream is settled again.
public struct MigrationMachine: Hashable, Sendable {
    enum Phase: Hashable, Sendable {
        case settled
        case asking(Attempt)
        case handingOff(HandOff)
        case ended
    }

    struct Attempt: Hashable, Sendable {
        let target: UInt64
        let deadline: Instant
    }

    struct HandOff: Hashable, Sendable {
        let role: MigrationRole
        let target: UInt64
        var targetFINFramed = false
        var targetFINRead = false
        var hasTargetSpoken = false
        var deadline: Instant
    }

    /// What was seen on the leg that is current.
    struct Source: Hashable, Sendable {
        var finFramed = false
        var finRead = false
        /// The own FIN had been framed when the peer's was read: the peer's may then answer a hand-off (SM-M2).
        var finReadBehindOwn = false
    }

    /// Attempts in a row that ended without an answer (SM-F2).
    struct Retry: Hashable, Sendable {
        var failures = 0
        /// The wait that followed the last of them.
        var delay: Duration?
        /// When the next one may start.
        var notBefore: Instant?
    }

    private let shared: Shared<MigrationConfiguration>
    /// Whether this side's peer id is the lower one: it wins a glare (SM-F4).
    let isLowerPeer: Bool
    /// The stream's current id; nil for a stream without a label, which can't migrate.
    public private(set) var id: UInt64?
    var phase = Phase.settled
    var source = Source()
    /// Whether the answer to the stream's own negotiation was read (SM-M1).
    public internal(set) var isNegotiated: Bool
    var isLocallyClosed = false
    var isEOFDelivered = false
    /// An attempt ended without an answer: the peer may have accepted it and handed over (SM-F2).
    var isTainted = false
    var isDenied = false
    private var trouble = Trouble.none
    /// The last completed migration: whether this side may close the source's connection at once (SM-M9).
    var pruning = PruningRight.none

    /// What only a stream has whose migrations went other than smoothly.
    struct Complication: Hashable, Sendable {
        var retry = Retry()
        /// The own attempt that gave way and has no answer yet.
        var yielded: Attempt?
        /// When the peer's mirrored FIN is due, once nothing else is missing (SM-F8).
        var endDeadline: Instant?
    }

    /// One word, as long as there is nothing to keep: a host has many streams and few of them in trouble. A complication
    /// that is over is none, so that machines that act alike compare alike.
    private indirect enum Trouble: Hashable, Sendable {
        case none
        case some(Complication)
    }

    private var complication: Complication {
        get {
            guard case .some(let complication) = trouble else { return Complication() }
            return complication
        }
        set { trouble = newValue == Complication() ? .none : .some(newValue) }
    }

    enum PruningRight: Hashable, Sendable {
        case none
        case initiatorAwaitsTarget
        case initiatorSawTarget
    }

    /// - Parameters:
    ///   - id: the label, or nil for a stream that can't migrate.
    ///   - isLowerPeer: whether the local peer id is the lower of the two (SM-L2).
    ///   - isNegotiated: false on the side that opened the stream until it has read the answer (SM-M1).
    ///   - configuration: shared by all streams of a host.
    public init(id: UInt64?, isLowerPeer: Bool, isNegotiated: Bool, configuration: Shared<MigrationConfiguration>) {
        self.id = id
        self.isLowerPeer = isLowerPeer
        self.isNegotiated = isNegotiated
        shared = configuration
    }

    /// The same, with a configuration of the machine's own.
    public init(id: UInt64?, isLowerPeer: Bool, isNegotiated: Bool, configuration: MigrationConfiguration = .init()) {
        self.init(id: id, isLowerPeer: isLowerPeer, isNegotiated: isNegotiated, configuration: Shared(configuration))
    }
}

// MARK: - What the extensions work on

extension MigrationMachine {
    var configuration: MigrationConfiguration { shared.value }

    var retry: Retry {
        get { complication.retry }
        set { complication.retry = newValue }
    }

    var yielded: Attempt? {
        get { complication.yielded }
        set { complication.yielded = newValue }
    }

    var endDeadline: Instant? {
        get { complication.endDeadline }
        set { complication.endDeadline = newValue }
    }
}

// MARK: - What follows from the state

extension MigrationMachine {
    /// The leg whose bytes the application gets now. Bytes on the other leg stay parked in its window (SM-M6).
    public var readLeg: Leg {
        guard case .handingOff = phase, source.finRead else { return .source }
        return .target
    }

    /// The leg on which bytes that are not yet framed will be framed (SM-M4, SM-M5).
    public var writeLeg: Leg {
        guard case .handingOff(let handOff) = phase else { return .source }
        switch handOff.role {
        case .initiator: return .target
        case .responder: return source.finRead ? .target : .source
        }
    }

    /// Whether a FIN is to be framed on `leg` behind what is framed or bound to it already: the end of the
    /// application's bytes on the leg that carries them, and the hand-off on the leg that did (SM-M4, SM-M5, SM-M7).
    public func wantsFIN(on leg: Leg) -> Bool {
        leg == writeLeg ? isLocallyClosed : leg == .source
    }

    /// Whether a migration is under way, or an own attempt has no answer yet.
    public var isMigrating: Bool {
        switch phase {
        case .asking, .handingOff: true
        case .settled, .ended: yielded != nil
        }
    }

    /// Whether the stream has ended or was aborted.
    public var isEnded: Bool { phase == .ended }

    /// Whether ``dataRead(on:at:)`` has to be told of reads: a hand-off makes progress by them, data behind an end is
    /// a violation (SM-M7, SM-F7), and the initiator's right to prune depends on one (SM-M9).
    public var watchesData: Bool {
        if case .handingOff = phase { return true }
        return isEOFDelivered || source.finRead || pruning == .initiatorAwaitsTarget
    }

    /// The id of the target of the migration that is under way.
    public var targetID: UInt64? {
        switch phase {
        case .asking(let attempt): attempt.target
        case .handingOff(let handOff): handOff.target
        case .settled, .ended: nil
        }
    }

    /// The id of the target of an own attempt that gave way and has no answer yet (SM-F4).
    public var yieldedID: UInt64? { yielded?.target }

    /// Every id that names this stream, or names the target of an attempt of its own.
    public var ids: [UInt64] { [id, targetID, yielded?.target].compactMap { $0 } }

    /// Whether a hand-off is under way: from the Ack on, losing a leg aborts the stream (SM-F3).
    public var isHandingOff: Bool {
        if case .handingOff = phase { return true }
        return false
    }

    /// Whether the connection of the last migration's source may be closed abruptly, as far as this stream goes: only
    /// by the initiator, and only when it has read a byte or FIN from the responder on the target (SM-M9).
    public var mayCloseSourceAbruptly: Bool { pruning == .initiatorSawTarget }

    /// When ``tick(at:isReaderStalled:)`` is due.
    public var nextDeadline: Instant? {
        var next = min(yielded?.deadline ?? .distantFuture, endDeadline ?? .distantFuture)
        switch phase {
        case .asking(let attempt): next = min(next, attempt.deadline)
        case .handingOff(let handOff): next = min(next, handOff.deadline)
        case .settled, .ended: break
        }
        return next == .distantFuture ? nil : next
    }
}

// MARK: - The application

extension MigrationMachine {
    /// The application closes its write side: ``wantsFIN(on:)`` says where the FIN goes (SM-M2, SM-M7).
    public mutating func closeWrite() {
        isLocallyClosed = true
    }

    /// The answer to the stream's own negotiation was read (SM-M1).
    public mutating func negotiated() {
        isNegotiated = true
    }

    /// The stream loses its label: the peer turned out not to take part (SM-L1), or gave it a wrong one (SM-L4).
    public mutating func forgetLabel() {
        precondition(!isMigrating, "a migrating stream has a label")
        id = nil
    }

    /// The application, the peer's reset or a lost connection ends the stream; the driver resets every leg (SM-F9).
    public mutating func abort() {
        phase = .ended
        yielded = nil
        endDeadline = nil
    }

    /// An attempt starts: its Migrate(`target`, ``id``) is about to be sent (SM-M1).
    public mutating func begin(target: UInt64, at now: Instant) throws(MigrationRefusal) {
        guard let id else { throw .notLabelled }
        precondition(target != id, "a stream does not migrate to itself")
        if phase == .ended { throw .ended }
        guard phase == .settled, yielded == nil else { throw .underWay }
        guard isNegotiated else { throw .notNegotiated }
        guard !isDenied else { throw .denied }
        if let limit = configuration.maximumFailures, retry.failures >= limit { throw .tooManyFailures(limit: limit) }
        if let due = retry.notBefore, now < due { throw .tooSoon(wait: due - now) }
        phase = .asking(Attempt(target: target, deadline: now + configuration.answerTimeout))
    }

    /// Time passed. A wait because the local application doesn't read doesn't count (SM-F8).
    public mutating func tick(at now: Instant, isReaderStalled: Bool) -> [MigrationAction] {
        var actions: [MigrationAction] = []
        if let attempt = yielded, now >= attempt.deadline {
            yielded = nil
            actions.append(.reset(.yielded))
        }
        if let due = endDeadline, now >= due {
            guard isReaderStalled else { return actions + fail(.handOffTimedOut) }
            endDeadline = now + configuration.endTimeout
        }
        switch phase {
        case .asking(let attempt) where now >= attempt.deadline:
            actions += attemptFailed(resetTarget: true, at: now)
        case .handingOff(let handOff) where now >= handOff.deadline:
            if isReaderStalled { progress(at: now) } else { actions += fail(.handOffTimedOut) }
        default:
            break
        }
        return actions
    }

    mutating func fail(_ failure: MigrationFailure) -> [MigrationAction] {
        abort()
        return [.fail(failure)]
    }

    mutating func rename(to newID: UInt64) {
        id = newID
    }
}
