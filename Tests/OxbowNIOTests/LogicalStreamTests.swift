import DequeModule
import NIOCore
import NIOEmbedded
import OxbowCore
import OxbowCrypto
import OxbowMigration
import OxbowTesting
import Synchronization
import Testing

@testable import OxbowNIO

/// The queues of a logical stream, with a stub for its connection.
@Suite struct LogicalStreamTests {
    private let carrier = StubCarrier()
    private let source = LegToken(rawValue: 1)
    private let now = Instant(nanoseconds: 0)
    private let limits: StreamLimits = {
        var limits = StreamLimits()
        (limits.writeHighWatermark, limits.writeLowWatermark, limits.creditPortion) = (1_000, 400, 300)
        return limits
    }()

    private func makeStream() -> LogicalStream {
        let stream = carrier.makeStream(on: source, limits: limits)
        carrier.wakes = 0
        return stream
    }

    private func isFull(_ outcome: LogicalStream.WriteOutcome) -> Bool {
        if case .full = outcome { true } else { false }
    }

    // MARK: Writing

    @Test("The queue takes bytes up to its high watermark; many writes wake the connection once")
    func highWatermark() {
        let stream = makeStream()
        for _ in 0..<10 { #expect(!isFull(stream.tryWrite(ByteBuffer(repeating: 1, count: 100)))) }
        #expect(isFull(stream.tryWrite(ByteBuffer(repeating: 1, count: 1))))
        #expect(carrier.wakes == 1)
        #expect(stream.work(for: source).pendingBytes == 1_000)
    }

    @Test("A waiting writer goes on at the low watermark, not before")
    func lowWatermark() async {
        let stream = makeStream()
        _ = stream.tryWrite(ByteBuffer(repeating: 1, count: 1_000))
        async let room: Void = stream.waitForRoom()
        while stream.state.withLock({ $0.writers.isEmpty }) { await Task.yield() }
        _ = stream.takeOutbound(on: source, maximum: 500)
        #expect(stream.state.withLock { $0.writers.count } == 1, "500 bytes wait: over the low watermark")
        let (piece, rest) = stream.takeOutbound(on: source, maximum: 100)
        #expect(piece?.readableBytes == 100 && rest == 400)
        await room
        #expect(stream.state.withLock { $0.writers.isEmpty })
    }

    @Test("A partly taken buffer goes on where it stopped (SM-M4)")
    func partialTake() {
        let stream = makeStream()
        _ = stream.tryWrite(Pattern.bytes(from: 0, count: 700))
        var taken = ByteBuffer()
        while let piece = stream.takeOutbound(on: source, maximum: 33).piece { taken.writeImmutableBuffer(piece) }
        #expect(taken.readableBytes == 700 && Pattern.matches(taken))
        #expect(stream.takeOutbound(on: LegToken(rawValue: 9), maximum: 10).piece == nil, "another leg gets nothing")
    }

    @Test("A writer whose task is cancelled goes on at once; one that waits when the stream fails, too")
    func writersEnd() async {
        let stream = makeStream()
        _ = stream.tryWrite(ByteBuffer(repeating: 1, count: 1_000))
        let cancelled = Task { await stream.waitForRoom() }
        let failing = Task { await stream.waitForRoom() }
        while stream.state.withLock({ $0.writers.count }) < 2 { await Task.yield() }
        cancelled.cancel()
        await cancelled.value
        #expect(stream.state.withLock { $0.writers.count } == 1)
        stream.reset(code: 3)
        await failing.value
        #expect(carrier.releases == [3])
        guard case .failed(.resetLocally(code: 3)) = stream.tryWrite(ByteBuffer(repeating: 1, count: 1)) else {
            Issue.record("a write after the reset")
            return
        }
    }

    @Test("FIN is wanted behind what waits, and nothing is written behind it")
    func closeWrite() {
        let stream = makeStream()
        _ = stream.tryWrite(ByteBuffer(repeating: 1, count: 5))
        stream.closeWrite()
        let work = stream.work(for: source)
        #expect(work.wantsFIN && work.pendingBytes == 5)
        guard case .failed(.finished) = stream.tryWrite(ByteBuffer(repeating: 1, count: 1)) else {
            Issue.record("a write behind the end")
            return
        }
    }

    // MARK: Reading

    @Test("Window goes back in portions, for what the application took, not for what arrived")
    func credit() async throws {
        let stream = makeStream()
        for _ in 0..<4 { stream.received(ByteBuffer(repeating: 1, count: 2_000), on: source, at: now) }
        #expect(stream.work(for: source).credit == 0)
        carrier.wakes = 0
        _ = try await stream.next(maximum: 200)
        #expect(carrier.wakes == 0, "200 bytes are less than a portion")
        _ = try await stream.next(maximum: 200)
        #expect(carrier.wakes == 1)
        #expect(stream.work(for: source).credit == 400)
        #expect(stream.work(for: source).credit == 0, "once")
    }

    @Test("Small pieces are joined, large ones are handed over as they came")
    func joins() {
        let stream = makeStream()
        for offset in 0..<5_000 { stream.received(Pattern.bytes(from: offset, count: 1), on: source, at: now) }
        stream.received(Pattern.bytes(from: 5_000, count: 5_000), on: source, at: now)
        guard case .buffers(let buffers) = stream.read(returning: 0, orWait: nil) else {
            Issue.record("nothing to read")
            return
        }
        #expect(buffers.count <= 4)
        var all = ByteBuffer()
        for buffer in buffers { all.writeImmutableBuffer(buffer) }
        #expect(all.readableBytes == 10_000 && Pattern.matches(all))
    }

    @Test("A reader whose task is cancelled gets an error, and what arrives later goes to the next")
    func cancelledReader() async throws {
        let stream = makeStream()
        let reader = Task { try await stream.next() }
        while stream.state.withLock({ $0.reader == nil }) { await Task.yield() }
        reader.cancel()
        await #expect(throws: StreamError.cancelled) { try await reader.value }
        stream.received(ByteBuffer(string: "later"), on: source, at: now)
        #expect(try await stream.next() == ByteBuffer(string: "later"))
    }

    @Test("The end comes behind every byte; after it nothing waits")
    func end() async throws {
        let stream = makeStream()
        stream.received(ByteBuffer(string: "last"), on: source, at: now)
        stream.finRead(on: source, at: now)
        #expect(try await stream.next(maximum: 2) == ByteBuffer(string: "la"))
        #expect(try await stream.next() == ByteBuffer(string: "st"))
        #expect(try await stream.next() == nil)
        #expect(try await stream.next() == nil)
    }

    @Test("An application that is done: what arrives is dropped with its window given back, then the linger runs out")
    func lingers() {
        let stream = makeStream()
        stream.received(ByteBuffer(repeating: 1, count: 50), on: source, at: now)
        stream.finishAll()
        #expect(stream.work(for: source).credit == 50)
        stream.received(ByteBuffer(repeating: 1, count: 70), on: source, at: now)
        #expect(stream.work(for: source).credit == 70)
        stream.finFramed(on: source, at: now)
        #expect(stream.timerCount == 1)
        carrier.loop.advanceTime(by: .seconds(61))
        #expect(carrier.releases == [0])
        #expect(stream.timerCount == 0)
    }
}
