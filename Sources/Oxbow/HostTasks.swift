import NIOCore
import OxbowCore
import OxbowNIO
import Synchronization

/// An inbound stream with the handler that serves it.
struct InboundWork: Sendable {
    let stream: Stream
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

/// Inbound streams whose handlers run in one place: on an event loop, or wherever tasks run.
final class InboundLane: Sendable {
    private let executor: EventLoopTaskExecutor?
    private let works: AsyncStream<InboundWork>
    private let continuation: AsyncStream<InboundWork>.Continuation

    /// - Parameters:
    ///   - eventLoop: where the handlers run; nil leaves it to the runtime.
    ///   - limit: how many streams may wait for their tasks.
    init(on eventLoop: (any EventLoop)?, limit: Int) {
        executor = eventLoop.map(EventLoopTaskExecutor.init)
        (works, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(limit))
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

    /// Serves each stream in a child task until ``finish()``, and waits for these.
    func serve() async {
        await withTaskExecutorPreference(executor) {
            await withDiscardingTaskGroup { group in
                for await work in works {
                    if let executor {
                        // It begins here and now: a handler that finds what it needs answers before the loop turns, and
                        // its bytes go out with the answer to the stream's negotiation.
                        group.addImmediateTask(executorPreference: executor) { await work.run() }
                    } else {
                        group.addTask { await work.run() }
                    }
                }
            }
        }
    }
}

/// Inbound streams on their way from the event loops to ``Host/run()``: bounded, what doesn't fit is reset.
///
/// A handler that wants its connection's event loop gets its stream through a lane of that loop, whose tasks all run
/// there: from the stream's first bytes to the handler's first line nothing changes threads.
final class InboundStreams: Sendable {
    private struct State {
        var lanes: [ObjectIdentifier?: InboundLane] = [:]
        var isFinished = false
    }

    /// The lanes, each when its first stream has come.
    let lanes: AsyncStream<InboundLane>
    private let continuation: AsyncStream<InboundLane>.Continuation
    private let state = Mutex(State())
    private let limit: Int

    /// - Parameter limit: how many streams may wait in each lane.
    init(limit: Int) {
        self.limit = limit
        // As many at most as there are event loops, and one.
        (lanes, continuation) = AsyncStream.makeStream()
    }

    /// - Parameter eventLoop: where its handler is to run; nil leaves it to the runtime.
    func add(_ work: InboundWork, on eventLoop: (any EventLoop)?) {
        guard let lane = lane(on: eventLoop) else { return work.stream.reset() }
        lane.add(work)
    }

    private func lane(on eventLoop: (any EventLoop)?) -> InboundLane? {
        let key = eventLoop.map(ObjectIdentifier.init)
        return state.withLock { state in
            if let lane = state.lanes[key] { return lane }
            guard !state.isFinished else { return nil }
            let lane = InboundLane(on: eventLoop, limit: limit)
            state.lanes[key] = lane
            continuation.yield(lane)
            return lane
        }
    }

    func finish() {
        let open = state.withLock { state in
            state.isFinished = true
            return Array(state.lanes.values)
        }
        continuation.finish()
        for lane in open { lane.finish() }
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
