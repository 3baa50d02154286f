import DequeModule
import NIOCore
import OxbowCore
import OxbowMigration
import Synchronization

// What the connections under the stream call, each on its own event loop.

extension LogicalStream {
    /// Binds the underlying stream on which the logical stream starts its life.
    func bindSource(_ token: LegToken, carrier: any LegCarrier) {
        change { state, effects in
            guard state.failure == nil else { return effects.releases.append((carrier, token, 0)) }
            state.bind(.source, token, carrier)
            // A stream begins where it is opened: that is no move.
            _ = state.trace?.moved(reading: state.legs.source?.number, writing: state.legs.source?.number)
            state.traceNow(.opened, id: state.machine.id)
            effects.wakes.append((carrier, token))
            startLinger(&state)
        }
    }

    /// What the connection is to do for the leg now.
    func work(for token: LegToken) -> LegWork {
        state.withLock { state in
            var work = LegWork()
            guard let leg = state.legs.leg(of: token) else { return work }
            work.wantsFIN = leg != .yielded && state.machine.wantsFIN(on: leg)
            if leg == state.machine.writeLeg {
                work.pendingBytes = state.outboundBytes
                state.isOutboundSignalled = work.pendingBytes > 0
            }
            if leg == state.machine.readLeg {
                work.credit = state.credit
                state.credit = 0
            }
            return work
        }
    }

    /// Takes at most `maximum` bytes to frame them on the leg: from this moment they belong to it.
    ///
    /// - Returns: a piece of the queue, nil when nothing waits for this leg, and how many bytes wait behind it for it.
    func takeOutbound(on token: LegToken, maximum: Int) -> (piece: ByteBuffer?, rest: Int) {
        let (piece, rest, writers) = state.withLock { state -> (ByteBuffer?, Int, [WriterWaiter]) in
            let leg = state.machine.writeLeg
            guard state.legs[leg]?.token == token else { return (nil, 0, []) }
            guard maximum > 0, !state.outbound.isEmpty else { return (nil, state.outboundBytes, []) }
            let available = state.outbound[0].readableBytes
            let piece: ByteBuffer?
            if available <= maximum {
                piece = state.outbound.removeFirst()
                // An idle stream keeps no room for buffers.
                if state.outbound.isEmpty { state.outbound = Deque() }
            } else {
                piece = state.outbound[0].readSlice(length: maximum)
            }
            let taken = min(available, maximum)
            state.outboundBytes -= taken
            state.framedBytes &+= UInt64(taken)
            state.legs.count(written: taken, on: leg)
            state.isOutboundSignalled = state.outboundBytes > 0
            let hasRoom = !state.writers.isEmpty && state.outboundBytes <= limits.writeLowWatermark
            return (piece, state.outboundBytes, hasRoom ? state.takeWriters() : [])
        }
        for writer in writers { writer.resume() }
        return (piece, rest)
    }

    /// Bytes arrived on the leg.
    func received(_ buffer: ByteBuffer, on token: LegToken, at now: Instant) {
        change { state, effects in
            guard state.failure == nil, let leg = state.legs.leg(of: token), leg != .yielded else { return }
            if state.machine.watchesData {
                state.step(&effects, at: now) { $0.dataRead(on: leg, at: now) }
                guard state.failure == nil else { return }
            }
            state.legs.count(read: buffer.readableBytes, on: leg)
            guard leg == state.machine.readLeg else {
                state.legs[leg]?.parked.appendJoining(buffer)
                return
            }
            if let gap = state.book?.gauge.delivered(at: now) { effects.events.append(.gapMeasured(gap)) }
            state.enqueue(buffer)
            if state.isReadClosed, let binding = state.legs[leg] {
                effects.wakes.append((binding.carrier, token))
            }
            effects.reader = state.takeReader()
        }
    }

    /// The peer's FIN was read on the leg.
    func finRead(on token: LegToken, at now: Instant) {
        change { state, effects in
            guard let leg = state.legs.leg(of: token) else { return }
            state.trace(.finRead, on: leg, at: now)
            state.step(&effects, at: now) { $0.finRead(on: leg, at: now) }
        }
    }

    /// The own FIN was framed on the leg.
    func finFramed(on token: LegToken, at now: Instant) {
        change { state, effects in
            guard let leg = state.legs.leg(of: token) else { return }
            state.trace(.finFramed, on: leg, at: now)
            state.step(&effects, at: now) { $0.finFramed(on: leg, at: now) }
        }
    }

    /// The leg was reset by the peer, or its connection is gone.
    func lost(_ token: LegToken, cause: StreamError, at now: Instant) {
        change { state, effects in
            guard let leg = state.legs.leg(of: token) else { return }
            state.trace(.lost, on: leg, at: now, note: cause.description)
            state.forget(leg)
            state.step(&effects, at: now, cause: cause, reason: .targetLost(cause)) { $0.lost(leg, at: now) }
        }
    }

    /// The answer to the stream's own negotiation was read: from now on it may migrate (SM-M1).
    func negotiated(_ id: ProtocolID) {
        change { state, effects in
            state.protocolID = id
            state.machine.negotiated()
            state.traceNow(.answered)
            effects.negotiationWaiters = state.takeNegotiationWaiters()
            effects.answerWaiters = state.takeAnswerWaiters()
            if state.machine.id != nil { effects.events.append(.negotiated) }
        }
    }

    /// The peer refused the label although it had announced support (SM-L1): gives up the underlying stream for an
    /// unlabelled one.
    ///
    /// - Returns: false when bytes of the application went with the refused one; the stream then has to fail.
    func forgetLabel(of token: LegToken) -> Bool {
        change { state, effects in
            guard !state.machine.isEnded, state.legs.source?.token == token, state.legs.source?.bytesWritten == 0
            else { return false }
            if let id = state.machine.id { effects.events.append(.labelRefused(id: id)) }
            state.machine.forgetLabel()
            state.forget(.source)
            effects.answerWaiters = state.takeAnswerWaiters()
            return true
        }
    }

    /// Nothing of the stream was sent on its first leg, and won't be: another connection takes it.
    ///
    /// - Returns: false when it is too late for that.
    func unbind(_ token: LegToken) -> Bool {
        change { state, _ in
            guard !state.machine.isEnded, state.legs.source?.token == token, state.legs.source?.bytesWritten == 0
            else { return false }
            state.forget(.source)
            return true
        }
    }

    /// The stream's own negotiation failed: the application gets `error`.
    func fail(_ error: StreamError, resetCode: UInt32 = 0) {
        change { state, effects in
            guard !state.machine.isEnded else { return }
            state.fail(error, ids: state.machine.ids, resetCode: resetCode, &effects)
        }
    }
}

// MARK: - Migration

extension LogicalStream {
    /// Keeps the timer that looks after the deadlines, so that it can be cancelled when there is none any more.
    func keepWatch(_ timer: Scheduled<Void>, until deadline: Instant) {
        let isWanted = state.withLock { state in
            // Two loops may set one at once.
            guard let book = state.book, book.watchedUntil == deadline, book.watch == nil else { return false }
            book.watch = timer
            return true
        }
        if !isWanted { timer.cancel() }
    }

    /// When the machine wants to be asked again. Nil ends the watch: the next deadline asks for a new one.
    func nextWatch() -> Instant? {
        let (deadline, old) = state.withLock { state in
            let book = state.openBook()
            book.watchedUntil = state.machine.nextDeadline
            defer { book.watch = nil }
            return (book.watchedUntil, book.watch)
        }
        old?.cancel()
        return deadline
    }

    func tick(at now: Instant) {
        change { state, effects in
            let isReaderStalled = state.unreturnedBytes > 0
            state.step(&effects, at: now) { $0.tick(at: now, isReaderStalled: isReaderStalled) }
        }
    }

    /// Starts an attempt on a target that is about to be opened (SM-M1, SM-M2).
    ///
    /// - Returns: the id that the Migrate names as `from`.
    func begin(
        target id: UInt64, on carrier: any LegCarrier, waiter: MigrationWaiter?, at now: Instant
    ) -> Result<UInt64, MigrationRefusal> {
        change { state, _ in
            do throws(MigrationRefusal) {
                // The window of the leg before the last one is still full of what it brought (SM-M6).
                if isBehind(state), !state.machine.isMigrating, !state.machine.isEnded { throw .unread }
                try state.machine.begin(target: id, at: now)
            } catch {
                return .failure(error)
            }
            guard let from = state.machine.id else { preconditionFailure("a stream without a label migrates") }
            let book = state.openBook()
            book.counted += 1
            var record = MigrationRecord()
            (record.role, record.fromID, record.toID, record.started) = (.initiator, from, id, now)
            (record.from, record.to) = (state.legs.source?.carrier.path, carrier.path)
            book.gauge.begin(record, on: carrier.eventLoop)
            if let waiter { book.waiters.append(waiter) }
            return .success(from)
        }
    }

    /// The target of the attempt is open on `carrier`. False when the attempt has ended meanwhile, or gave way before
    /// its Migrate was sent: then there is no answer to wait for.
    func bindTarget(_ token: LegToken, carrier: any LegCarrier, id: UInt64, at now: Instant) -> Bool {
        state.withLock { state in
            if state.machine.yieldedID == id { _ = state.machine.lost(.yielded, at: now) }
            guard state.machine.targetID == id, state.legs.target == nil else { return false }
            state.bind(.target, token, carrier)
            state.trace(.migrateSent, on: .target, at: now, id: id)
            return true
        }
    }

    /// The target of the attempt could not be opened: its Migrate was never sent. The attempt may have ended meanwhile,
    /// and another one may run.
    func withdrawAttempt(target id: UInt64, because error: StreamError, at now: Instant) {
        change { state, effects in
            if state.machine.yieldedID == id {
                state.step(&effects, at: now) { $0.lost(.yielded, at: now) }
            } else if state.machine.targetID == id {
                state.step(&effects, at: now, reason: .notOpened(error)) { $0.withdrawAttempt(at: now) }
            }
        }
    }

    /// The answer was read on the target.
    func answered(accepted: Bool, on token: LegToken, at now: Instant) {
        change { state, effects in
            guard let leg = state.legs.leg(of: token) else { return }
            state.step(&effects, at: now) { $0.answered(accepted: accepted, on: leg, at: now) }
        }
    }

    /// What was read on the target is no answer (SM-F7).
    func answeredWrongly(on token: LegToken, at now: Instant) {
        change { state, effects in
            guard let leg = state.legs.leg(of: token) else { return }
            state.step(&effects, at: now, reason: .wrongAnswer) { $0.answeredWrongly(on: leg, at: now) }
        }
    }

    /// Whether the application has not used all that came before the last migration.
    private func isBehind(_ state: borrowing State) -> Bool {
        state.staleBytes > 0 && state.staleBytes > batch.withLock { $0.used }
    }

    /// Judges the peer's Migrate and, when it passes, arms the state for it. The caller lets the Ack out afterwards
    /// (SM-M3).
    ///
    /// - Parameter arrived: when the Migrate came; it may have been held since.
    func judge(
        from: UInt64, target id: UInt64, token: LegToken, carrier: any LegCarrier, arrived: Instant, at now: Instant
    ) -> MigrateJudgement {
        change { state, effects in
            let judgement = state.machine.judge(from: from)
            guard judgement != .hold else { return judgement }
            // With what came before the last migration this leg would be the third whose window may be full (SM-M6): it
            // waits until the application has read that.
            guard judgement != .accept || !isBehind(state) else {
                batch.withLock { $0.returnsAtOnce = true }
                return .hold
            }
            var record = MigrationRecord()
            (record.role, record.fromID, record.toID, record.started) = (.responder, from, id, arrived)
            (record.from, record.to) = (state.legs.source?.carrier.path, carrier.path)
            guard judgement == .accept else {
                state.trace(.denied, on: nil, at: now, id: id)
                let denied = state.openBook().gauge.deny(record, legs: state.legs, at: now)
                effects.events.append(.migrationEnded(denied))
                return judgement
            }
            let book = state.openBook()
            book.counted += 1
            book.gauge.begin(record, on: carrier.eventLoop)
            book.gauge.answered(at: now)
            // In a glare the own target gives way (SM-F4): its leg moves aside before the peer's is bound.
            if state.legs.target != nil { state.legs.yielded = state.legs.target }
            state.bind(.target, token, carrier)
            state.trace(.migrateReceived, on: .target, at: now, id: id)
            state.trace(.accepted, on: .target, at: now)
            state.step(&effects, at: now) { $0.accept(target: id, at: now) }
            return judgement
        }
    }
}

extension LogicalStream.State {
    /// Binds an underlying stream that is new.
    fileprivate mutating func bind(_ leg: Leg, _ token: LegToken, _ carrier: any LegCarrier) {
        legs[leg] = LegBinding(token: token, carrier: carrier, number: legCount)
        legCount += 1
    }
}
