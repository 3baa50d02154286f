import NIOCore
import OxbowCore
import Synchronization

/// Why a circuit at the relay is over.
enum CircuitEnd: Hashable, Sendable {
    /// Both ends have ended their side.
    case finished
    /// One end was reset, or its connection is gone.
    case broken
    case bytesSpent
    case timeSpent
    /// One end took nothing for too long.
    case stalled
}

/// Two streams of a relay that are one circuit: what comes on one goes out on the other, and its end too.
///
/// It lives on the event loops of both streams, which may differ: each direction reads on its source's loop and writes
/// into the queue of its sink, which takes bytes from any thread. When that queue is full the source isn't read, and its
/// window stops the sender: a circuit costs its relay two queues and two windows, whatever its ends do.
final class CircuitSplice: Sendable {
    /// What one circuit may use.
    struct Bounds: Sendable {
        var bytes: UInt64?
        var duration: Duration?
        var stall: Duration
    }

    private struct State {
        var openDirections = 2
        var isOver = false
        var timer: Scheduled<Void>?
    }

    private let near: CircuitStream
    private let far: CircuitStream
    private let bounds: Bounds
    /// Called for each piece that was carried, on either loop.
    private let onBytes: @Sendable (Int) -> Void
    /// Called once.
    private let onEnd: @Sendable (CircuitEnd) -> Void
    private let state = Mutex(State())

    init(
        _ near: CircuitStream, _ far: CircuitStream, bounds: Bounds, onBytes: @escaping @Sendable (Int) -> Void,
        onEnd: @escaping @Sendable (CircuitEnd) -> Void
    ) {
        (self.near, self.far, self.bounds) = (near, far, bounds)
        (self.onBytes, self.onEnd) = (onBytes, onEnd)
    }

    /// Starts both directions. Any thread.
    func start() {
        if let duration = bounds.duration {
            let timer = near.eventLoop.scheduleTask(in: .nanoseconds(duration.saturatingNanoseconds)) {
                self.end(.timeSpent)
            }
            state.withLock { $0.timer = timer }
        }
        for (source, sink) in [(near, far.stream), (far, near.stream)] {
            source.eventLoop.execute {
                guard !self.state.withLock({ $0.isOver }) else { return source.reset() }
                Direction(of: self, from: source, to: sink, left: self.bounds.bytes ?? .max).start()
            }
        }
    }

    private func directionEnded() {
        let isLast = state.withLock { state in
            state.openDirections -= 1
            return state.openDirections == 0
        }
        if isLast { end(.finished) }
    }

    private func end(_ end: CircuitEnd) {
        let (isFirst, timer) = state.withLock { state in
            defer { (state.isOver, state.timer) = (true, nil) }
            return (!state.isOver, state.timer)
        }
        timer?.cancel()
        guard isFirst else { return }
        if end != .finished {
            for stream in [near, far] { stream.eventLoop.execute { stream.reset() } }
        }
        onEnd(end)
    }

    /// One way of the circuit. On its source's event loop.
    private final class Direction: @unchecked Sendable {
        private let splice: CircuitSplice
        private let source: CircuitStream
        private let sink: LogicalStream
        /// Bytes that may still pass.
        private var left: UInt64
        private var stall: Scheduled<Void>?

        init(of splice: CircuitSplice, from source: CircuitStream, to sink: LogicalStream, left: UInt64) {
            (self.splice, self.source, self.sink, self.left) = (splice, source, sink, left)
        }

        func start() {
            source.run { [self] event in
                switch event {
                case .bytes(let buffer): carry(buffer)
                case .end:
                    sink.closeWrite()
                    splice.directionEnded()
                case .failed: splice.end(.broken)
                }
            }
        }

        private func carry(_ buffer: ByteBuffer) {
            let count = UInt64(buffer.readableBytes)
            guard count <= left else { return splice.end(.bytesSpent) }
            left -= count
            guard case .written = sink.tryWrite(buffer, pastWatermark: true) else { return splice.end(.broken) }
            splice.onBytes(buffer.readableBytes)
            let hasRoom = sink.hasRoom { [self] in source.eventLoop.execute { self.resume() } }
            guard !hasRoom else { return }
            source.pause()
            let limit = TimeAmount.nanoseconds(splice.bounds.stall.saturatingNanoseconds)
            stall = source.eventLoop.scheduleTask(in: limit) { self.splice.end(.stalled) }
        }

        private func resume() {
            stall?.cancel()
            stall = nil
            source.resume()
        }
    }
}
