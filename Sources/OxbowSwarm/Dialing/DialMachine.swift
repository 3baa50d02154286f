public import OxbowCore

/// The times and bounds of a dial.
public struct DialTiming: Hashable, Sendable {
    /// How long the whole dial may take.
    public var timeout: Duration = .seconds(30)
    /// How long the next address waits for the one before it (RFC 8305, section 5).
    public var stagger: Duration = .milliseconds(250)
    /// How long relayed addresses wait, at least, where there are direct ones.
    public var relayDelay: Duration = .milliseconds(500)
    /// Attempts that run at once.
    public var concurrentAttempts = 8
    /// Attempts of one dial, with all that callers add to it.
    public var attempts = 64

    public init() {}
}

/// One dial to a peer, from the first attempt to its outcome: a machine.
///
/// Addresses start one after the other, each a little behind the one before or as soon as that has failed; the first
/// success wins and the rest is given up. Several callers may share a dial; it ends when the last has left. Exactly one
/// ``Action/finish(_:)`` comes, at the deadline at the latest, and with it every attempt that runs is told to end.
public struct DialMachine: Hashable, Sendable {
    /// An attempt, by its place in the order of turns.
    public typealias AttemptID = Int

    /// What the dial has come to.
    public enum Outcome: Hashable, Sendable {
        case connected(AttemptID)
        /// No address is left.
        case allFailed
        /// ``DialTiming/timeout`` was over first.
        case timedOut
        /// Nobody waits for it any more.
        case cancelled
    }

    /// What the driver has to do.
    public enum Action: Hashable, Sendable {
        case start(AttemptID)
        /// The attempt is to end; its end is told all the same.
        case cancel(AttemptID)
        /// The attempt has led to the peer, but too late: its connection is one too many.
        case discard(AttemptID)
        /// Tell all callers. Comes once.
        case finish(Outcome)
    }

    /// What an attempt is at.
    public enum Stage: Hashable, Sendable {
        case waiting
        case running
        case failed
        case connected
        /// The dial is over: it ran then, or had no turn.
        case givenUp
    }

    /// Its times and bounds.
    public let timing: DialTiming
    /// In the order of their turns. What has had its turn keeps its place.
    public private(set) var attempts: [DialPlan.Attempt]
    /// What each attempt is at.
    public private(set) var stages: [Stage]
    /// What came of the dial; nil while it runs.
    public private(set) var outcome: Outcome?
    /// Who waits for the outcome.
    public private(set) var callers: Int
    private let began: Instant
    private var lastStart: Instant?
    private var next = 0

    /// A dial with one caller. ``begin(at:)`` starts it.
    public init(_ plan: DialPlan, timing: DialTiming = DialTiming(), at now: Instant) {
        self.timing = timing
        attempts = plan.attempts
        stages = Array(repeating: .waiting, count: plan.attempts.count)
        callers = 1
        began = now
    }

    /// When ``wake(at:)`` is due; nil when there is nothing to wait for.
    public var nextWake: Instant? {
        guard outcome == nil else { return nil }
        let deadline = began + timing.timeout
        guard next < attempts.count, running < timing.concurrentAttempts else { return deadline }
        return min(deadline, due(next))
    }

    /// How many attempts run.
    public var running: Int { stages.count { $0 == .running } }

    // MARK: Events

    /// The first attempt starts. Called once.
    public mutating func begin(at now: Instant) -> [Action] {
        advance(at: now)
    }

    /// Time has passed.
    public mutating func wake(at now: Instant) -> [Action] {
        guard outcome == nil else { return [] }
        guard now < began + timing.timeout else { return finish(.timedOut) }
        return advance(at: now)
    }

    /// One more caller shares the dial.
    ///
    /// - Returns: false when it is over.
    public mutating func join() -> Bool {
        guard outcome == nil else { return false }
        callers += 1
        return true
    }

    /// Takes further addresses, of a caller who has joined. Those that are there already, and those past
    /// ``DialTiming/attempts``, change nothing.
    public mutating func add(_ more: [DialPlan.Attempt], at now: Instant) -> [Action] {
        guard outcome == nil else { return [] }
        for attempt in more where attempts.count < timing.attempts && !attempts.contains(attempt) {
            // What has had no turn has no number yet that anybody knows.
            let relays = attempts.indices.first { $0 >= next && attempts[$0].isRelayed }
            let place = attempt.isRelayed ? attempts.endIndex : relays ?? attempts.endIndex
            attempts.insert(attempt, at: place)
            stages.insert(.waiting, at: place)
        }
        return advance(at: now)
    }

    /// Nobody is to wait any more: the host closes.
    public mutating func abandon() -> [Action] {
        outcome == nil ? finish(.cancelled) : []
    }

    /// A caller doesn't wait any more.
    public mutating func leave() -> [Action] {
        guard outcome == nil else { return [] }
        precondition(callers > 0, "who leaves a dial has joined it")
        callers -= 1
        return callers == 0 ? finish(.cancelled) : []
    }

    /// An attempt has led to the peer.
    public mutating func connected(_ id: AttemptID, at now: Instant) -> [Action] {
        guard outcome == nil else { return [.discard(id)] }
        precondition(stages[id] == .running, "an attempt that was not started can't end")
        stages[id] = .connected
        return finish(.connected(id))
    }

    /// An attempt has failed, or has ended as it was told.
    public mutating func failed(_ id: AttemptID, at now: Instant) -> [Action] {
        guard outcome == nil else { return [] }
        precondition(stages[id] == .running, "an attempt that was not started can't end")
        stages[id] = .failed
        // Its failure is the turn of the next; a relay's not while something direct may still come of it.
        if next < attempts.count, !attempts[next].isRelayed { return start(at: now) + advance(at: now) }
        return advance(at: now)
    }

    // MARK: Turns

    private mutating func advance(at now: Instant) -> [Action] {
        var actions: [Action] = []
        while next < attempts.count, running < max(1, timing.concurrentAttempts) {
            guard running == 0 || due(next) <= now else { return actions }
            actions += start(at: now)
        }
        return running == 0 && next == attempts.count ? actions + finish(.allFailed) : actions
    }

    private mutating func start(at now: Instant) -> [Action] {
        defer { next += 1 }
        stages[next] = .running
        lastStart = now
        return [.start(next)]
    }

    private func due(_ id: AttemptID) -> Instant {
        let turn = lastStart.map { $0 + timing.stagger } ?? began
        let hasDirect = attempts.contains { !$0.isRelayed }
        guard attempts[id].isRelayed, hasDirect else { return turn }
        return max(turn, began + timing.relayDelay)
    }

    private mutating func finish(_ outcome: Outcome) -> [Action] {
        self.outcome = outcome
        let given = stages.indices.filter { stages[$0] == .running }
        for id in stages.indices where stages[id] == .running || stages[id] == .waiting { stages[id] = .givenUp }
        return [.finish(outcome)] + given.map { .cancel($0) }
    }
}
