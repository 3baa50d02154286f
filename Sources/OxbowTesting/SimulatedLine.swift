import DequeModule
import NIOCore
import NIOEmbedded
import OxbowCore
package import OxbowNIO
import OxbowSeeds

/// What a line does to bytes in one direction.
package struct LineConditions: Hashable, Sendable {
    /// How long each byte is under way.
    package var delay: Duration
    /// Up to how much longer, by chance. What was sent later never arrives earlier.
    package var jitter: Duration = .zero
    /// How long a KiB takes to leave: the line's rate.
    package var perKiB: Duration = .zero
    /// Whether what is written at once may arrive in pieces.
    package var splits = false

    package init(delay: Duration) {
        self.delay = delay
    }
}

/// One direction of a connection: ordered, with a delay, and with faults.
///
/// What is under way is in one queue, so that no fault and no jitter changes an order inside of a connection. Isolation:
/// the world's thread.
package final class SimulatedLine: MemoryLine {
    private enum State {
        case open
        /// Nothing passes; what is under way waits.
        case stalled
        /// Everything is lost, and nobody is told.
        case lost
        /// The other end knows nothing of this connection any more: who writes learns it.
        case gone
    }

    private struct Segment {
        let arrival: NIODeadline
        let load: MemoryLoad
        let receiver: MemoryTransport
    }

    private var conditions: LineConditions
    private var generator: SplitMix64
    private unowned let loop: EmbeddedEventLoop
    private var state = State.open
    private var queue = Deque<Segment>()
    private var lastArrival = NIODeadline.uptimeNanoseconds(0)
    private var freeAt = NIODeadline.uptimeNanoseconds(0)
    private var corruptsNext = false
    private var isPumping = false
    /// Called before each delivery with the number of bytes, 0 for an end. It may bring a fault about.
    package var onDelivery: ((Int) -> Void)?

    init(from sender: MemoryTransport, _ conditions: LineConditions, seed: UInt64, _ loop: EmbeddedEventLoop) {
        self.conditions = conditions
        self.loop = loop
        generator = SplitMix64(seed: seed)
        sender.line = self
    }

    /// Other conditions from now on, with a chance that begins anew.
    package func change(to conditions: LineConditions, seed: UInt64) {
        self.conditions = conditions
        generator = SplitMix64(seed: seed)
    }

    // MARK: Carrying

    package func carry(_ load: MemoryLoad, from sender: MemoryTransport, to receiver: MemoryTransport) {
        switch state {
        case .open, .stalled:
            if case .abort = load { queue.removeAll() }
            for piece in pieces(of: load) { enqueue(piece, to: receiver) }
        case .lost:
            break
        case .gone:
            let there = TimeAmount.nanoseconds(2 * conditions.delay.saturatingNanoseconds)
            loop.scheduleTask(in: there) { if !sender.isClosed { sender.cutHere() } }
        }
    }

    private func pieces(of load: MemoryLoad) -> [MemoryLoad] {
        guard conditions.splits, case .bytes(var buffer) = load, buffer.readableBytes > 1 else { return [load] }
        guard generator.next() % 4 == 0 else { return [load] }
        let first = 1 + Int(generator.next() % UInt64(buffer.readableBytes - 1))
        guard let head = buffer.readSlice(length: first) else { return [load] }
        return [.bytes(head), .bytes(buffer)]
    }

    private func enqueue(_ load: MemoryLoad, to receiver: MemoryTransport) {
        var load = load
        var count = 0
        if case .bytes(var buffer) = load {
            count = buffer.readableBytes
            if corruptsNext {
                corruptsNext = false
                let index = buffer.readerIndex + count - 1
                buffer.setInteger((buffer.getInteger(at: index, as: UInt8.self) ?? 0) ^ 0x10, at: index)
                load = .bytes(buffer)
            }
        }
        let leaving = conditions.perKiB.saturatingNanoseconds * Int64(count) / 1_024
        freeAt = max(freeAt, loop.now) + .nanoseconds(leaving)
        let jitter = conditions.jitter.saturatingNanoseconds
        let extra = jitter > 0 ? Int64(generator.next() % UInt64(jitter)) : 0
        let arrival = freeAt + .nanoseconds(conditions.delay.saturatingNanoseconds + extra)
        lastArrival = max(lastArrival, arrival)
        queue.append(Segment(arrival: lastArrival, load: load, receiver: receiver))
        loop.scheduleTask(deadline: lastArrival) { [weak self] in self?.pump() }
    }

    /// Delivers what is due.
    private func pump() {
        guard !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        while state == .open, let first = queue.first, first.arrival <= loop.now {
            if !first.receiver.isClosed {
                if case .bytes(let buffer) = first.load { onDelivery?(buffer.readableBytes) } else { onDelivery?(0) }
                guard state == .open, !queue.isEmpty else { return }
            }
            queue.removeFirst()
            first.receiver.receive(first.load)
        }
    }

    // MARK: Faults

    /// Nothing passes until ``heal()``.
    package func stall() {
        if state == .open { state = .stalled }
    }

    /// Everything is lost from now on, what is under way included, and nobody is told. After ``heal()``, who writes is.
    package func lose() {
        guard state != .gone else { return }
        queue.removeAll()
        state = .lost
    }

    /// What is under way is lost; who writes from now on learns that the connection is gone.
    package func breakOff() {
        queue.removeAll()
        state = .gone
    }

    /// A bit of what is written next is turned over.
    package func corrupt() {
        corruptsNext = true
    }

    package func heal() {
        switch state {
        case .stalled:
            state = .open
            loop.execute { [weak self] in self?.pump() }
        case .lost:
            state = .gone
        case .open, .gone:
            break
        }
    }
}
