import DequeModule
import NIOCore
import OxbowCore
public import OxbowMigration
import Synchronization

/// What follows from a change of a logical stream: carried out after its lock is released.
struct StreamEffects {
    var wakes: [(carrier: any LegCarrier, token: LegToken)] = []
    var releases: [(carrier: any LegCarrier, token: LegToken, resetCode: UInt32?)] = []
    var reader: ReaderWaiter?
    var writers: [WriterWaiter] = []
    var timers: [Scheduled<Void>] = []
    var events: [LogicalStreamEvent] = []
    var negotiationWaiters: [@Sendable () -> Void] = []
    var answerWaiters: [AnswerWaiter] = []
    var migrationWaiters: [(waiter: MigrationWaiter, result: Result<MigrationRecord, any Error>)] = []

    func run(for stream: LogicalStream) {
        for (carrier, token, code) in releases { carrier.release(token, resetCode: code) }
        for (carrier, token) in wakes { carrier.wake(token) }
        for event in events { stream.observer.stream(stream, did: event) }
        reader?.resume()
        for timer in timers { timer.cancel() }
        for writer in writers { writer.resume() }
        for resume in negotiationWaiters { resume() }
        for waiter in answerWaiters { waiter.resume(.over) }
        for (waiter, result) in migrationWaiters { waiter.resume(result) }
    }
}

extension LogicalStream {
    /// Runs `body` under the lock and its effects behind it.
    func change<Result: Sendable>(_ body: (inout State, inout StreamEffects) -> Result) -> Result {
        // They leave the lock's region: what is in them is of any thread, and the value is this call's alone.
        nonisolated(unsafe) var effects = StreamEffects()
        let result = state.withLock { body(&$0, &effects) }
        effects.run(for: self)
        return result
    }
}

extension LogicalStream.State {
    /// Feeds one event to the machine and follows its actions and its levels.
    ///
    /// - Parameters:
    ///   - cause: what the application is told if a leg's loss ends the stream outside a hand-off.
    ///   - reason: why an own attempt came to nothing, if it does.
    mutating func step(
        _ effects: inout StreamEffects, at now: Instant, cause: StreamError? = nil,
        reason: MigrationAttemptFailure = .timedOut,
        _ event: (inout MigrationMachine) -> [MigrationAction]
    ) {
        let readToken = legs[machine.readLeg]?.token
        let before = machine
        for action in event(&machine) {
            trace(action, at: now, because: reason)
            switch action {
            case .deliverEOF:
                isAtEOF = true
                effects.reader = takeReader() ?? effects.reader
            case .close(let leg): release(leg, resetCode: nil, &effects)
            case .reset(let leg): release(leg, resetCode: 0, &effects)
            case .attemptEnded(let outcome):
                attemptEnded(outcome, target: before.targetID, because: reason, at: now, &effects)
            case .complete(_, let was, _): complete(was: was, at: now, &effects)
            case .finished: end(nil, ids: before.ids, at: now, &effects)
            case .fail(let failure):
                let error = before.isHandingOff ? .migration(failure) : cause ?? .migration(failure)
                fail(error, ids: before.ids, resetCode: 0, at: now, &effects)
            }
        }
        followReadLeg(from: readToken, at: now, &effects)
        traceMoves(at: now)
        wakeLegs(&effects)
        guard let deadline = machine.nextDeadline else { return stopWatch(&effects) }
        // A timer that is early looks again; one that would be late is replaced.
        if deadline < book?.watchedUntil ?? .distantFuture, let leg = legs.first {
            openBook().watchedUntil = deadline
            effects.events.append(.deadlineSet(leg.carrier.eventLoop))
        }
    }

    /// Something has changed that a connection of the stream may have to act on.
    func wakeLegs(_ effects: inout StreamEffects) {
        legs.forEach { leg in effects.wakes.append((leg.carrier, leg.token)) }
    }

    private func stopWatch(_ effects: inout StreamEffects) {
        guard let book else { return }
        book.watchedUntil = nil
        if let watch = book.watch { effects.timers.append(watch) }
        book.watch = nil
    }

    /// The application, or a negotiation that failed, ends the stream with an error: every leg is reset (SM-F9).
    mutating func fail(
        _ error: StreamError, ids: [UInt64], resetCode: UInt32, at now: Instant? = nil, _ effects: inout StreamEffects
    ) {
        guard failure == nil else { return }
        failure = error
        endMigration(.aborted(error), at: now, &effects)
        traceFailure(error, at: now)
        machine.abort()
        for leg in Leg.allCases { release(leg, resetCode: resetCode, &effects) }
        outbound.removeAll()
        // What is lost behind the peer's end takes nothing from the reader: every byte before it has arrived.
        if error.spoilsEnd { isAtEOF = false }
        if !isAtEOF { inbound.removeAll() }
        (outboundBytes, unreturnedBytes, staleBytes, credit) = (0, 0, 0, 0)
        effects.reader = takeReader() ?? effects.reader
        effects.writers += takeWriters()
        effects.negotiationWaiters = takeNegotiationWaiters()
        effects.answerWaiters = takeAnswerWaiters()
        end(error, ids: ids, at: now, &effects)
    }

    /// Puts bytes of the read leg before the application.
    mutating func enqueue(_ buffer: ByteBuffer) {
        guard !isReadClosed else {
            credit += buffer.readableBytes
            return
        }
        unreturnedBytes += buffer.readableBytes
        inbound.appendJoining(buffer)
    }

    /// Whether a read finds something without waiting.
    var isReadable: Bool { !inbound.isEmpty || isAtEOF || isReadClosed || failure != nil }

    mutating func takeReader() -> ReaderWaiter? {
        defer { reader = nil }
        return reader
    }

    mutating func takeWriters() -> [WriterWaiter] {
        defer { writers = [] }
        return writers
    }

    mutating func takeNegotiationWaiters() -> [@Sendable () -> Void] {
        defer { negotiationWaiters = [] }
        return negotiationWaiters
    }

    private mutating func end(
        _ error: StreamError?, ids: [UInt64], at now: Instant?, _ effects: inout StreamEffects
    ) {
        endMigration(.aborted(error ?? .finished), at: now, &effects)
        effects.events.append(.ended(error, ids: ids, migrations: book?.counted ?? 0))
        book?.counted = 0
        if let linger { effects.timers.append(linger) }
        linger = nil
        stopWatch(&effects)
        finishWaiters(.failure(error ?? StreamError.finished), &effects)
    }

    private mutating func release(_ leg: Leg, resetCode: UInt32?, _ effects: inout StreamEffects) {
        guard let binding = forget(leg) else { return }
        effects.releases.append((binding.carrier, binding.token, resetCode))
    }

    private mutating func attemptEnded(
        _ outcome: AttemptOutcome, target: UInt64?, because reason: MigrationAttemptFailure, at now: Instant,
        _ effects: inout StreamEffects
    ) {
        guard outcome != .accepted else {
            book?.gauge.answered(at: now)
            return
        }
        guard let target else { return }
        book?.counted -= 1
        if outcome == .denied { book?.gauge.answered(at: now) }
        let record = endMigration(MigrationOutcome(outcome, because: reason), at: now, &effects)
        effects.events.append(.attemptEnded(outcome, target: target))
        switch outcome {
        case .yielded:
            // The waiters' wish comes true by the peer's migration, or fails with it.
            break
        case .denied, .failed, .accepted:
            // After a failure that was a reset or a loss, the leg is gone already.
            forget(.target)
            finishWaiters(.failure(MigrationAttemptError(outcome: outcome, record: record)), &effects)
        }
    }

    private mutating func complete(was: UInt64, at now: Instant, _ effects: inout StreamEffects) {
        // What is parked reaches the application behind this step.
        let hasDelivered = legs.target.map { $0.bytesRead > 0 && $0.parked.isEmpty } ?? false
        let record = endMigration(.completed, hasDelivered: hasDelivered, at: now, &effects)
        // The old source is finished both ways: its connection drops it by itself (SM-M8).
        forget(.source)
        legs.source = legs.target
        legs.target = nil
        traceMoves(at: now)
        trace(.completed, on: .source, at: now, id: machine.id)
        book?.counted -= 1
        effects.events.append(.migrated(was: was))
        if let record { finishWaiters(.success(record), &effects) }
    }

    /// Makes the record of the migration under way, if there is one.
    @discardableResult
    private mutating func endMigration(
        _ outcome: MigrationOutcome, hasDelivered: Bool = true, at now: Instant?, _ effects: inout StreamEffects
    ) -> MigrationRecord? {
        guard let book, book.gauge.isOpen else { return nil }
        let now = now ?? book.gauge.clockNow
        guard let record = book.gauge.end(outcome, legs: legs, hasDelivered: hasDelivered, at: now) else { return nil }
        effects.events.append(.migrationEnded(record))
        return record
    }

    /// Takes a leg away; what it has carried is remembered.
    @discardableResult
    mutating func forget(_ leg: Leg) -> LegBinding? {
        guard let binding = legs[leg] else { return nil }
        legs[leg] = nil
        let book = openBook()
        book.formerBytesRead &+= binding.bytesRead
        book.formerBytesWritten &+= binding.bytesWritten
        if leg != .yielded { book.gauge.left(leg, binding) }
        return binding
    }

    private mutating func finishWaiters(
        _ result: Result<MigrationRecord, any Error>, _ effects: inout StreamEffects
    ) {
        // An attempt whose end is the stream's end too has told its waiters of the first: that is what they asked for.
        guard let book, !book.waiters.isEmpty else { return }
        effects.migrationWaiters += book.waiters.map { ($0, result) }
        book.waiters = []
    }

    /// The read leg changed: what waited on the new one flows now, behind everything of the old one (SM-M6).
    private mutating func followReadLeg(from oldToken: LegToken?, at now: Instant, _ effects: inout StreamEffects) {
        let leg = machine.readLeg
        guard failure == nil, let binding = legs[leg], binding.token != oldToken else { return }
        staleBytes = unreturnedBytes
        credit = 0
        guard !binding.parked.isEmpty else { return }
        legs[leg]?.parked = []
        if let gap = book?.gauge.delivered(at: now) { effects.events.append(.gapMeasured(gap)) }
        for buffer in binding.parked { enqueue(buffer) }
        effects.reader = takeReader() ?? effects.reader
    }
}

extension Deque<ByteBuffer> {
    /// Appends `buffer`; a small piece joins the one before it, so that many tiny frames don't cost many times their size.
    mutating func appendJoining(_ buffer: ByteBuffer) {
        if buffer.readableBytes < 1_024, let last, last.readableBytes < 4_096 {
            self[count - 1].writeImmutableBuffer(buffer)
        } else {
            append(buffer)
        }
    }
}

extension MigrationOutcome {
    /// How an own attempt ended that led to no hand-off.
    fileprivate init(_ outcome: AttemptOutcome, because reason: MigrationAttemptFailure) {
        switch outcome {
        case .denied: self = .denied
        case .yielded: self = .yielded
        case .failed, .accepted: self = .failed(reason)
        }
    }
}

/// Why a migration that was asked for didn't happen. The stream is unharmed.
public struct MigrationAttemptError: Error, Hashable, Sendable, CustomStringConvertible {
    public let outcome: AttemptOutcome
    /// All that is known of the attempt.
    public let record: MigrationRecord?

    public var description: String {
        switch outcome {
        case .denied: "the peer denied to migrate the stream; it stays where it is for good"
        case .failed, .yielded, .accepted:
            "the attempt to migrate the stream came to nothing, the stream stays where it is"
                + (record.map { " (\($0.outcome))" } ?? "")
        }
    }
}
