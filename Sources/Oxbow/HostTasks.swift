import NIOCore
import OxbowCore
import OxbowNIO
import Synchronization

/// Runs tasks on an event loop. A wait that ends on the same loop then costs no change of threads.
final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// An inbound stream with the handler that serves it.
struct InboundWork: Sendable {
    let stream: Stream
    let executor: EventLoopTaskExecutor?
    let body: @Sendable (Stream) async throws -> Void

    func run() async {
        do {
            try await body(stream)
            stream.close()
        } catch {
            stream.reset()
        }
    }
}

/// Inbound streams on their way from the event loops to ``Host/run()``: bounded, what doesn't fit is reset.
final class InboundStreams: Sendable {
    let stream: AsyncStream<InboundWork>
    private let continuation: AsyncStream<InboundWork>.Continuation

    init(limit: Int) {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(limit))
    }

    func add(_ work: InboundWork) {
        switch continuation.yield(work) {
        case .enqueued: break
        case .dropped(let refused): refused.stream.reset()
        case .terminated: work.stream.reset()
        @unknown default: work.stream.reset()
        }
    }

    func finish() {
        continuation.finish()
    }
}

/// Those who watch a host.
final class EventObservers: Sendable {
    private struct State {
        var continuations: [UInt64: AsyncStream<SwarmEvent>.Continuation] = [:]
        var next: UInt64 = 0
        var isFinished = false
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    func add() -> AsyncStream<SwarmEvent> {
        let (stream, continuation) = AsyncStream<SwarmEvent>.makeStream(bufferingPolicy: .bufferingNewest(limit))
        let number: UInt64? = state.withLock { state in
            guard !state.isFinished else { return nil }
            defer { state.next += 1 }
            state.continuations[state.next] = continuation
            return state.next
        }
        guard let number else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.state.withLock { $0.continuations.removeValue(forKey: number) }
        }
        return stream
    }

    func send(_ event: SwarmEvent) {
        let continuations = state.withLock { Array($0.continuations.values) }
        for continuation in continuations { continuation.yield(event) }
    }

    func finish() {
        let continuations = state.withLock { state in
            state.isFinished = true
            defer { state.continuations = [:] }
            return Array(state.continuations.values)
        }
        for continuation in continuations { continuation.finish() }
    }
}
