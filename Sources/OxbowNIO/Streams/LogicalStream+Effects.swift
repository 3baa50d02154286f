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
    var migrationWaiters: [MigrationWaiter] = []
    var migrationResult: Result<MigrationRecord, any Error>?

    func run(for stream: LogicalStream) {
        for (carrier, token, code) in releases { carrier.release(token, resetCode: code) }
        for (carrier, token) in wakes { carrier.wake(token) }
        for event in events { stream.observer.stream(stream, did: event) }
        reader?.resume()
        for timer in timers { timer.cancel() }
        for writer in writers { writer.continuation.resume() }
        for resume in negotiationWaiters { resume() }
        guard let migrationResult else { return }
        for waiter in migrationWaiters { waiter.resume(migrationResult) }
    }
}

extension LogicalStream {
    /// Runs `body` under the lock and its effects behind it.
    func change<Result: Sendable>(_ body: (inout State, inout StreamEffects) -> Result) -> Result {
        let (result, effects) = state.withLock { state in
            var effects = StreamEffects()
            let result = body(&state, &effects)
            return (result, Disconnected(effects))
        }
        effects.value.run(for: self)
        return result
    }
}

/// Carries a value out of a lock's region: the effects are a fresh value that nothing else refers to.
private struct Disconnected<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) {
        self.value = value
    }
}

extension LogicalStream.State {
    /// Feeds one event to the machine and follows its actions and its levels.
    ///
    /// - Parameter cause: what the application is told if a leg's loss ends the stream outside a hand-off.
    mutating func step(
        _ effects: inout StreamEffects, at now: Instant, cause: StreamError? = nil,
        _ event: (inout MigrationMachine) -> [MigrationAction]
    ) {
        let readToken = legs[machine.readLeg]?.token
        let (ids, target) = (machine.ids, machine.targetID)
        let wasHandingOff = machine.isHandingOff
        for action in event(&machine) {
            switch action {
            case .deliverEOF:
                isAtEOF = true
                effects.reader = takeReader() ?? effects.reader
            case .close(let leg): release(leg, resetCode: nil, &effects)
            case .reset(let leg): release(leg, resetCode: 0, &effects)
            case .attemptEnded(let outcome): attemptEnded(outcome, target: target, &effects)
            case .complete(let id, let was, let role):
                complete(id: id, was: was, role: role, at: now, &effects)
            case .finished: end(nil, ids: ids, &effects)
            case .fail(let failure):
                let error = wasHandingOff ? .migration(failure) : cause ?? .migration(failure)
                fail(error, ids: ids, resetCode: 0, &effects)
            }
        }
        followReadLeg(from: readToken, at: now, &effects)
        for leg in legs.all { effects.wakes.append((leg.carrier, leg.token)) }
        guard let deadline = machine.nextDeadline else { return stopWatch(&effects) }
        // A timer that is early looks again; one that would be late is replaced.
        if deadline < watchedUntil ?? .distantFuture, let leg = legs.all.first {
            watchedUntil = deadline
            effects.events.append(.deadlineSet(leg.carrier.eventLoop))
        }
    }

    private mutating func stopWatch(_ effects: inout StreamEffects) {
        watchedUntil = nil
        if let watch { effects.timers.append(watch) }
        watch = nil
    }

    /// The application, or a negotiation that failed, ends the stream with an error: every leg is reset (SM-F9).
    mutating func fail(_ error: StreamError, ids: [UInt64], resetCode: UInt32, _ effects: inout StreamEffects) {
        guard failure == nil else { return }
        failure = error
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
        end(error, ids: ids, &effects)
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

    private mutating func end(_ error: StreamError?, ids: [UInt64], _ effects: inout StreamEffects) {
        effects.events.append(.ended(error, ids: ids, migrations: countedMigrations))
        countedMigrations = 0
        if let linger { effects.timers.append(linger) }
        linger = nil
        stopWatch(&effects)
        gauge.cancel()
        finishWaiters(.failure(error ?? StreamError.finished), &effects)
    }

    private mutating func release(_ leg: Leg, resetCode: UInt32?, _ effects: inout StreamEffects) {
        guard let binding = legs[leg] else { return }
        legs[leg] = nil
        effects.releases.append((binding.carrier, binding.token, resetCode))
    }

    private mutating func attemptEnded(
        _ outcome: AttemptOutcome, target: UInt64?, _ effects: inout StreamEffects
    ) {
        guard outcome != .accepted, let target else { return }
        countedMigrations -= 1
        effects.events.append(.attemptEnded(outcome, target: target))
        switch outcome {
        case .yielded:
            // The waiters' wish comes true by the peer's migration, or fails with it.
            break
        case .denied, .failed, .accepted:
            // After a failure that was a reset or a loss, the leg is gone already.
            legs.target = nil
            gauge.cancel()
            finishWaiters(.failure(MigrationAttemptError(outcome: outcome)), &effects)
        }
    }

    private mutating func complete(
        id: UInt64, was: UInt64, role: MigrationRole, at now: Instant, _ effects: inout StreamEffects
    ) {
        var record = MigrationRecord()
        (record.fromID, record.toID, record.role) = (was, id, role)
        if let old = legs.source {
            (record.bytesRead, record.bytesWritten) = (old.bytesRead, old.bytesWritten)
            record.from = old.carrier.path
        }
        record.to = legs.target?.carrier.path
        // What is parked reaches the application behind this step.
        let hasDelivered = legs.target.map { $0.bytesRead > 0 && $0.parked.isEmpty } ?? false
        record = gauge.complete(record, hasDelivered: hasDelivered, at: now)
        // The old source is finished both ways: its connection drops it by itself (SM-M8).
        legs.source = legs.target
        legs.target = nil
        countedMigrations -= 1
        effects.events.append(.migrated(record, id: id, was: was, role: role))
        finishWaiters(.success(record), &effects)
    }

    private mutating func finishWaiters(
        _ result: Result<MigrationRecord, any Error>, _ effects: inout StreamEffects
    ) {
        effects.migrationWaiters += migrationWaiters
        effects.migrationResult = result
        migrationWaiters = []
    }

    /// The read leg changed: what waited on the new one flows now, behind everything of the old one (SM-M6).
    private mutating func followReadLeg(from oldToken: LegToken?, at now: Instant, _ effects: inout StreamEffects) {
        let leg = machine.readLeg
        guard failure == nil, let binding = legs[leg], binding.token != oldToken else { return }
        staleBytes = unreturnedBytes
        credit = 0
        guard !binding.parked.isEmpty else { return }
        legs[leg]?.parked = []
        gauge.delivered(at: now)
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

/// Why a migration that was asked for didn't happen. The stream is unharmed.
public struct MigrationAttemptError: Error, Hashable, Sendable, CustomStringConvertible {
    public let outcome: AttemptOutcome

    public var description: String {
        switch outcome {
        case .denied: "the peer denied to migrate the stream; it stays where it is for good"
        case .failed, .yielded, .accepted:
            "the attempt to migrate the stream failed: its target was lost or got no answer; the stream stays where it is"
        }
    }
}
