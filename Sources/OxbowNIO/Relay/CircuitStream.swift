import DequeModule
import NIOCore
import OxbowCore
import OxbowProtocols

/// Why a message on a hop or stop stream didn't come.
enum CircuitStreamError: Error {
    case message(CircuitError)
    case stream(StreamError)
    case timedOut
}

/// A stream whose front is one message, and whose rest is a circuit: a hop or a stop stream, at either end.
///
/// Between the two it stands still: what came behind the message waits here, at most one window of it, and comes first.
///
/// Isolation: everything happens on `eventLoop`, but for ``write(_:)`` and `stream`; that is what makes the class
/// `@unchecked Sendable`.
final class CircuitStream: @unchecked Sendable {
    let stream: LogicalStream
    let eventLoop: any EventLoop
    private let loopStream: LoopStream
    private var isStarted = false
    private var consumer: ((LoopStream.Event) -> Void)?
    private var isPaused = false
    /// What came while nobody wanted it.
    private var held = Deque<ByteBuffer>()
    private var heldEnd: LoopStream.Event?
    private var deadline: Scheduled<Void>?
    private var onTimeout: (() -> Void)?

    init(_ stream: LogicalStream, on eventLoop: any EventLoop) {
        self.stream = stream
        self.eventLoop = eventLoop
        loopStream = LoopStream(stream, on: eventLoop)
    }

    /// Queues bytes, whatever waits already: a message, or what somebody asked ``LogicalStream/hasRoom(orCall:)`` for.
    func write(_ bytes: [UInt8]) {
        _ = stream.tryWrite(ByteBuffer(bytes: bytes), pastWatermark: true)
    }

    /// Reads one message, and nothing behind it. `completion` is called once.
    func readMessage<Message>(
        within limit: Duration,
        _ parse: @escaping (inout ArraySlice<UInt8>) throws(CircuitError) -> Message?,
        completion: @escaping (Result<Message, CircuitStreamError>) -> Void
    ) {
        var waiting: [UInt8] = []
        let conclude: (Result<Message, CircuitStreamError>) -> Void = { [self] result in
            guard onTimeout != nil else { return }
            letGo(keepingBytes: true)
            pause()
            completion(result)
        }
        onTimeout = { conclude(.failure(.timedOut)) }
        deadline = eventLoop.scheduleTask(in: .nanoseconds(limit.saturatingNanoseconds)) { self.onTimeout?() }
        run { [self] event in
            switch event {
            case .bytes(let buffer):
                waiting += buffer.readableBytesView
                var input = waiting[...]
                do throws(CircuitError) {
                    guard let message = try parse(&input) else { return }
                    if !input.isEmpty { held.append(ByteBuffer(bytes: input)) }
                    conclude(.success(message))
                } catch { conclude(.failure(.message(error))) }
            case .end: conclude(.failure(.message(.endedEarly)))
            case .failed(let error): conclude(.failure(.stream(error)))
            }
        }
    }

    /// Hands everything that comes, and has come behind the message, to `consumer`.
    func run(_ consumer: @escaping (LoopStream.Event) -> Void) {
        self.consumer = consumer
        guard isStarted else {
            isStarted = true
            return loopStream.start(within: nil) { [self] in deliver($0) }
        }
        resume()
    }

    /// Nothing more is handed over until ``resume()``.
    func pause() {
        isPaused = true
        loopStream.pause()
    }

    func resume() {
        isPaused = false
        while !isPaused, consumer != nil, let buffer = held.popFirst() { consumer?(.bytes(buffer)) }
        guard !isPaused, let consumer else { return }
        if let heldEnd {
            (self.heldEnd, self.consumer) = (nil, nil)
            return consumer(heldEnd)
        }
        loopStream.resume()
    }

    private func deliver(_ event: LoopStream.Event) {
        let isBytes = if case .bytes = event { true } else { false }
        guard let consumer, !isPaused, held.isEmpty else {
            if case .bytes(let buffer) = event { held.append(buffer) } else { heldEnd = event }
            return
        }
        // Nothing follows, and whoever consumes holds this stream.
        if !isBytes { self.consumer = nil }
        consumer(event)
    }

    /// Gives up what is read by ``readMessage(within:_:completion:)``, if it isn't there yet.
    func cancelReading() {
        if onTimeout != nil { stream.reset(code: 0) }
    }

    /// This side is done with it: what was written goes out, what comes is dropped.
    func finish() {
        letGo()
        loopStream.finish()
    }

    func reset() {
        letGo()
        loopStream.reset()
    }

    private func letGo(keepingBytes: Bool = false) {
        deadline?.cancel()
        (deadline, onTimeout, consumer) = (nil, nil, nil)
        if !keepingBytes { held = [] }
    }
}
