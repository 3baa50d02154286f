import DequeModule
package import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import Synchronization

// What the application calls, from any task, and what protocols that run on an event loop call.

/// What a read finds.
enum ReadOutcome {
    /// Everything that has arrived, in order.
    case buffers(Deque<ByteBuffer>)
    /// Nothing has arrived; the waiter was kept.
    case wait
    /// The clean end.
    case end
    case failed(StreamError)
}

extension LogicalStream {
    /// Takes all there is, or keeps `waiter` until there is something.
    ///
    /// - Parameter returned: bytes of earlier reads that the application is done with: their window goes back.
    func read(returning returned: Int, orWait waiter: ReaderWaiter?) -> ReadOutcome {
        let (outcome, effect) = state.withLock { state -> (ReadOutcome, CreditEffect) in
            let effect = state.giveBack(returned, portion: limits.creditPortion)
            if !state.inbound.isEmpty {
                var batch = Deque<ByteBuffer>()
                swap(&batch, &state.inbound)
                return (.buffers(batch), effect)
            }
            if state.isReadClosed { return (.failed(state.failure ?? .closed), effect) }
            if state.isAtEOF { return (.end, effect) }
            if let failure = state.failure { return (.failed(failure), effect) }
            guard let waiter else { return (.wait, effect) }
            guard state.reader == nil else { return (.failed(.concurrentRead), effect) }
            state.reader = waiter
            return (.wait, effect)
        }
        follow(effect)
        return outcome
    }

    private func follow(_ effect: CreditEffect) {
        if let (carrier, token) = effect.wake { carrier.wake(token) }
        if effect.hasCaughtUp { observer.stream(self, did: .caughtUp) }
    }

    /// Gives back the window of bytes that the application is done with.
    func returnCredit(_ count: Int) {
        follow(state.withLock { $0.giveBack(count, portion: limits.creditPortion) })
    }

    /// Ends the wait of a reader whose task was cancelled.
    func cancelReader() {
        let waiter = state.withLock { $0.takeReader() }
        waiter?.resume()
    }

    /// What a write finds.
    package enum WriteOutcome: Sendable {
        case written
        case full
        case failed(StreamError)
    }

    /// Queues `buffer` if the queue is under its high watermark.
    ///
    /// - Parameter pastWatermark: whether to queue it at any rate: for one who asks ``hasRoom(orCall:)`` beforehand.
    package func tryWrite(_ buffer: ByteBuffer, pastWatermark: Bool = false) -> WriteOutcome {
        let (outcome, wake) = state.withLock { state -> (WriteOutcome, (any LegCarrier, LegToken)?) in
            if let failure = state.failure { return (.failed(failure), nil) }
            guard !state.isWriteClosed else { return (.failed(.finished), nil) }
            guard buffer.readableBytes > 0 else { return (.written, nil) }
            guard pastWatermark || state.outboundBytes < limits.writeHighWatermark else { return (.full, nil) }
            state.outbound.append(buffer)
            state.outboundBytes += buffer.readableBytes
            guard !state.isOutboundSignalled, let leg = state.legs[state.machine.writeLeg] else {
                return (.written, nil)
            }
            state.isOutboundSignalled = true
            return (.written, (leg.carrier, leg.token))
        }
        if let (carrier, token) = wake { carrier.wake(token) }
        return outcome
    }

    /// Whether the queue is under its high watermark. If not, `callback` is called once, on any thread, when it is under
    /// the low one or the stream has failed.
    func hasRoom(orCall callback: @escaping @Sendable () -> Void) -> Bool {
        state.withLock { state in
            guard state.outboundBytes >= limits.writeHighWatermark, state.failure == nil else { return true }
            state.writers.append(WriterWaiter(ticket: UniqueNumber.next(), resume: callback))
            return false
        }
    }

    /// Whether the queue is under its high watermark.
    var hasRoom: Bool { state.withLock { $0.outboundBytes < limits.writeHighWatermark } }

    /// Waits until the queue has room, the stream fails or the task is cancelled.
    package func waitForRoom() async {
        let ticket = UniqueNumber.next()
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                let isOver = state.withLock { state in
                    let hasRoom = state.outboundBytes < limits.writeHighWatermark || state.failure != nil
                    guard !hasRoom, !Task.isCancelled else { return true }
                    state.writers.append(WriterWaiter(ticket: ticket) { continuation.resume() })
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state -> WriterWaiter? in
                guard let index = state.writers.firstIndex(where: { $0.ticket == ticket }) else { return nil }
                return state.writers.remove(at: index)
            }
            waiter?.resume()
        }
    }

    /// Closes the write side behind everything that was written.
    package func closeWrite() {
        change { state, effects in
            state.closeWrite(&effects)
            startLinger(&state)
        }
    }

    /// Whether the write side is closed and the stream lives: what was written, and its end, may still have to go out.
    var isWriteEnding: Bool { state.withLock { $0.isWriteClosed && $0.failure == nil && !$0.machine.isEnded } }

    /// The application reads no more: what the peer has sent and still sends is dropped, and its window goes back, so
    /// that the peer can send on. That belongs to the stream and not to a leg: it holds behind each migration too
    /// (SM-F9). Writing goes on; when that ends as well, the stream is as after ``finishAll()``.
    package func closeRead() {
        change { state, effects in
            state.closeRead(&effects)
            startLinger(&state)
        }
    }

    /// The application is done with the stream: its write side ends behind what was written, and what the peer still
    /// sends is dropped. If the peer hasn't ended its side in time, the stream is reset (SM-F8).
    package func finishAll() {
        change { state, effects in
            state.closeWrite(&effects)
            state.closeRead(&effects)
            startLinger(&state)
        }
    }

    /// Watches a stream that the application is done with: when nothing more of it leaves and the peer doesn't end its
    /// side either, it is reset (SM-F8). A stream that isn't bound yet is watched from then on.
    func startLinger(_ state: inout State) {
        guard state.isReadClosed, state.isWriteClosed, state.linger == nil, state.failure == nil,
            !state.machine.isEnded,
            let leg = state.legs[state.machine.readLeg]
        else { return }
        let timeout = TimeAmount.nanoseconds(limits.lingerTimeout.saturatingNanoseconds)
        let framed = state.framedBytes
        state.linger = leg.carrier.eventLoop.scheduleTask(in: timeout) { [weak self] in
            self?.lingered(framedBefore: framed)
        }
    }

    private func lingered(framedBefore framed: UInt64) {
        let isStuck = state.withLock { state in
            state.linger = nil
            if state.framedBytes != framed { startLinger(&state) }
            return state.framedBytes == framed
        }
        if isStuck { reset(code: 0) }
    }

    /// Resets every leg; what was not delivered is lost (SM-F9). A stream that has ended both ways stays as it is.
    package func reset(code: UInt32) {
        change { state, effects in
            guard !state.machine.isEnded else {
                // Both directions are over on the wire: what is left is what the application has not read, and what it
                // reads from now on must not pass for the end of it.
                state.failure = state.failure ?? .resetLocally(code: code)
                state.inbound.removeAll()
                state.isAtEOF = false
                effects.reader = state.takeReader()
                return
            }
            state.fail(.resetLocally(code: code), ids: state.machine.ids, resetCode: code, &effects)
        }
    }
}

extension LogicalStream.State {
    fileprivate mutating func closeWrite(_ effects: inout StreamEffects) {
        guard failure == nil, !isWriteClosed else { return }
        isWriteClosed = true
        traceNow(.writeClosed)
        machine.closeWrite()
        wakeLegs(&effects)
    }

    fileprivate mutating func closeRead(_ effects: inout StreamEffects) {
        guard !isReadClosed else { return }
        isReadClosed = true
        inbound.removeAll()
        effects.reader = takeReader()
        guard failure == nil else { return }
        credit += unreturnedBytes - staleBytes
        if staleBytes > 0 { effects.events.append(.caughtUp) }
        (unreturnedBytes, staleBytes) = (0, 0)
        if credit > 0, let leg = legs[machine.readLeg] { effects.wakes.append((leg.carrier, leg.token)) }
    }

    /// The window of `count` bytes can go back. Bytes of earlier legs owe nothing to the present one.
    fileprivate mutating func giveBack(_ count: Int, portion: Int) -> CreditEffect {
        guard count > 0, failure == nil, !isReadClosed else { return CreditEffect() }
        precondition(count <= unreturnedBytes, "more window given back than bytes arrived")
        unreturnedBytes -= count
        let stale = min(count, staleBytes)
        staleBytes -= stale
        credit += count - stale
        var effect = CreditEffect(hasCaughtUp: stale > 0 && staleBytes == 0)
        if credit >= min(portion, YamuxConfiguration.initialWindow / 2), let leg = legs[machine.readLeg] {
            effect.wake = (leg.carrier, leg.token)
        }
        return effect
    }
}

/// What follows from window that goes back.
private struct CreditEffect {
    var wake: (any LegCarrier, LegToken)?
    /// Nothing is left of what came before the last migration.
    var hasCaughtUp = false
}

/// Numbers that are never given twice in a process.
package enum UniqueNumber {
    private static let counter = Atomic<UInt64>(1)

    package static func next() -> UInt64 {
        counter.wrappingAdd(1, ordering: .relaxed).oldValue
    }
}
