import DequeModule
package import NIOCore
import OxbowCore

/// The properties of a link in memory.
package struct MemoryLink: Sendable {
    /// How long each byte is under way.
    package var delay: Duration = .zero
    /// Bytes under way or unread past which a side isn't writable.
    package var capacity = 64 * 1_024

    package init(delay: Duration = .zero) {
        self.delay = delay
    }
}

/// What one end of a pipe in memory sends to the other.
package enum MemoryLoad {
    case bytes(ByteBuffer)
    /// Nothing follows.
    case end
}

/// Carries loads from one end of a pipe to the other in place of the pipe's own delay: late, in pieces, or never, as a
/// test wants it. It hands them over by ``MemoryTransport/receive(_:)``, in order.
package protocol MemoryLine: AnyObject {
    func carry(_ load: MemoryLoad, from sender: MemoryTransport, to receiver: MemoryTransport)
}

/// One end of a byte pipe in memory: a ``ByteTransport`` without sockets, for tests and for streams inside a process.
///
/// Each end lives on an event loop of its own; they may differ. Under a loop with virtual time a link with a delay is
/// deterministic: bytes arrive in order, each exactly `delay` after it was written.
package final class MemoryTransport: ByteTransport, @unchecked Sendable {
    // Isolation: all stored state belongs to `eventLoop`; the ends talk to each other by tasks on the other's loop.
    package let eventLoop: any EventLoop
    private let link: MemoryLink
    private var other: MemoryTransport?
    private var delegate: (any ByteTransportDelegate)?
    private var arrived = Deque<ByteBuffer>()
    private var isReading = true
    private var isDelivering = false
    private var inFlight = 0
    private var isClosing = false
    package private(set) var isClosed = false
    private var hasEnded = false
    private var stalled: [@Sendable (MemoryTransport) -> Void] = []
    /// Carries what this end writes; nil: the link does. Both ends then live on one event loop.
    package var line: (any MemoryLine)?
    /// Every byte that was written, when a test asked for it.
    package private(set) var sent: ByteBuffer?
    package private(set) var sentCount = 0

    private init(eventLoop: any EventLoop, link: MemoryLink) {
        self.eventLoop = eventLoop
        self.link = link
    }

    /// Makes both ends of a pipe.
    package static func pair(
        _ first: any EventLoop, _ second: any EventLoop, link: MemoryLink = MemoryLink(), isRecording: Bool = false
    ) -> (MemoryTransport, MemoryTransport) {
        let (left, right) = (
            MemoryTransport(eventLoop: first, link: link), MemoryTransport(eventLoop: second, link: link)
        )
        (left.other, right.other) = (right, left)
        if isRecording { (left.sent, right.sent) = (ByteBuffer(), ByteBuffer()) }
        return (left, right)
    }

    /// Starts to deliver. On the event loop.
    package func start(delegate: any ByteTransportDelegate) {
        eventLoop.preconditionInEventLoop()
        guard !isClosed else { return delegate.transportClosed(self, error: nil) }
        self.delegate = delegate
        deliver()
    }

    package var isWritable: Bool { !isClosing && inFlight < link.capacity }

    package func write(_ buffer: ByteBuffer) {
        guard !isClosing, buffer.readableBytes > 0 else { return }
        inFlight += buffer.readableBytes
        sentCount += buffer.readableBytes
        sent?.writeImmutableBuffer(buffer)
        if let line { return carry(.bytes(buffer), on: line) }
        send { $0.arrive(buffer) }
    }

    package func setReading(_ isOn: Bool) {
        isReading = isOn
        if isOn { eventLoop.execute { self.deliver() } }
    }

    package func close(discarding: Bool) {
        guard !isClosing else { return }
        isClosing = true
        if let line { carry(.end, on: line) } else { send { $0.end() } }
        eventLoop.execute { self.closed() }
    }

    /// The line is cut: both ends learn of it, bytes under way are lost.
    package func cut() {
        eventLoop.preconditionInEventLoop()
        isClosing = true
        eventLoop.execute { self.closed() }
        let other = other
        other?.eventLoop.execute {
            other?.isClosing = true
            other?.closed()
        }
    }

    /// This end learns that the line is cut; the other one doesn't.
    package func cutHere() {
        eventLoop.preconditionInEventLoop()
        isClosing = true
        eventLoop.execute { self.closed() }
    }

    /// Takes what a ``MemoryLine`` carried here.
    package func receive(_ load: MemoryLoad) {
        eventLoop.preconditionInEventLoop()
        switch load {
        case .bytes(let buffer): arrive(buffer)
        case .end: end()
        }
    }

    private func carry(_ load: MemoryLoad, on line: any MemoryLine) {
        if let other { line.carry(load, from: self, to: other) }
    }

    /// While true, what this end writes stays under way: the line is up and nothing comes through. On the event loop.
    package var isStalled = false {
        didSet {
            guard !isStalled else { return }
            let bodies = stalled
            stalled = []
            for body in bodies { send(body) }
        }
    }

    // MARK: The other end

    /// Runs `body` at the other end, behind everything that was sent before.
    private func send(_ body: @escaping @Sendable (MemoryTransport) -> Void) {
        guard let other else { return }
        guard !isStalled else { return stalled.append(body) }
        guard link.delay > .zero else { return other.eventLoop.execute { body(other) } }
        other.eventLoop.scheduleTask(in: .nanoseconds(link.delay.saturatingNanoseconds)) { body(other) }
    }

    private func arrive(_ buffer: ByteBuffer) {
        guard !isClosed else { return }
        arrived.append(buffer)
        deliver()
    }

    private func end() {
        hasEnded = true
        deliver()
    }

    private func deliver() {
        guard let delegate, !isDelivering else { return }
        isDelivering = true
        while isReading, !isClosed, let buffer = arrived.popFirst() {
            let count = buffer.readableBytes
            other.map { other in other.eventLoop.execute { other.delivered(count) } }
            delegate.transport(self, received: buffer)
        }
        isDelivering = false
        if hasEnded, arrived.isEmpty, !isClosed {
            isClosing = true
            closed()
        }
    }

    private func delivered(_ count: Int) {
        let wasFull = inFlight >= link.capacity
        inFlight -= count
        if wasFull, inFlight < link.capacity { delegate?.transportBecameWritable(self) }
    }

    private func closed() {
        guard !isClosed else { return }
        isClosed = true
        arrived = []
        other = nil
        let delegate = delegate
        self.delegate = nil
        delegate?.transportClosed(self, error: nil)
    }
}
