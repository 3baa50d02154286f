import DequeModule
package import NIOCore
import OxbowCore

/// A logical stream driven by callbacks on one event loop: how the built-in protocols use theirs, without a task.
///
/// Isolation: everything happens on `eventLoop`; that is what makes the class `@unchecked Sendable`.
package final class LoopStream: @unchecked Sendable {
    package enum Event {
        case bytes(ByteBuffer)
        case end
        case failed(StreamError)
    }

    package let stream: LogicalStream
    package let eventLoop: any EventLoop
    private var handler: ((Event) -> Void)?
    private var deadline: Scheduled<Void>?
    private var isPaused = false
    private var isWaiting = false
    /// Inside of a call of the handler: it is read on behind that.
    private var isReading = false
    /// What was read before a pause: its window goes back behind it.
    private var unreturned = 0

    package init(_ stream: LogicalStream, on eventLoop: any EventLoop) {
        self.stream = stream
        self.eventLoop = eventLoop
    }

    /// Calls `handler` for each arrival until the stream ends, fails, or is stopped. A stream that isn't over within
    /// `limit` is reset. On the event loop.
    package func start(within limit: Duration?, _ handler: @escaping (Event) -> Void) {
        self.handler = handler
        if let limit {
            deadline = eventLoop.scheduleTask(in: .nanoseconds(limit.saturatingNanoseconds)) {
                self.stream.fail(.negotiationTimedOut)
            }
        }
        read(returning: 0)
    }

    /// Reads nothing more until ``resume()``, beyond the batch that is being handed over, and gives no window back.
    package func pause() {
        isPaused = true
    }

    package func resume() {
        guard isPaused else { return }
        isPaused = false
        guard !isWaiting, !isReading else { return }
        let returned = unreturned
        unreturned = 0
        read(returning: returned)
    }

    /// Queues `bytes` if there is room.
    ///
    /// - Returns: false when there is none, or the stream can't be written any more: then nothing was queued.
    @discardableResult
    package func write(_ bytes: [UInt8]) -> Bool {
        guard !bytes.isEmpty else { return true }
        guard case .written = stream.tryWrite(ByteBuffer(bytes: bytes)) else { return false }
        return true
    }

    /// No more events; the stream's own end is the caller's business.
    package func stop() {
        handler = nil
        deadline?.cancel()
        deadline = nil
        if unreturned > 0 { stream.returnCredit(unreturned) }
        unreturned = 0
    }

    /// Both sides are done with it, or it is given up.
    package func close() {
        stop()
        stream.closeWrite()
    }

    /// This side is done with it in either direction.
    package func finish() {
        stop()
        stream.finishAll()
    }

    package func reset(code: UInt32 = 0) {
        stop()
        stream.reset(code: code)
    }

    private func woken() {
        isWaiting = false
        read(returning: 0)
    }

    private func read(returning returned: Int) {
        var returned = returned
        isReading = true
        defer { isReading = false }
        while handler != nil {
            guard !isPaused else {
                unreturned += returned
                return
            }
            let waiter = ReaderWaiter.loop { [self] in
                eventLoop.inEventLoop ? woken() : eventLoop.execute { self.woken() }
            }
            let outcome = stream.read(returning: returned, orWait: waiter)
            // It is given back now, whatever follows.
            returned = 0
            switch outcome {
            case .buffers(let buffers):
                returned = buffers.reduce(0) { $0 + $1.readableBytes }
                for buffer in buffers { handler?(.bytes(buffer)) }
            case .wait:
                isWaiting = true
                return
            case .end:
                conclude(.end)
            case .failed(let error):
                conclude(.failed(error))
            }
        }
        if returned > 0 { stream.returnCredit(returned) }
    }

    private func conclude(_ event: Event) {
        let handler = handler
        stop()
        handler?(event)
    }
}
