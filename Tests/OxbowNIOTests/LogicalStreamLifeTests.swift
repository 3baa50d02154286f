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

/// A logical stream alone: its connections are stubs.
@Suite struct LogicalStreamLifeTests {
    private let carrier = StubCarrier()
    private let source = LegToken(rawValue: 1)
    private let now = Instant(nanoseconds: 0)

    private func stream(_ limits: StreamLimits = StreamLimits(), isBound: Bool = true) -> LogicalStream {
        carrier.makeStream(on: source, limits: limits, isBound: isBound)
    }

    // MARK: Reading

    @Test("A second reader is told so: it neither spins nor takes bytes", .timeLimit(.minutes(1)))
    func secondReader() async throws {
        let stream = stream()
        async let first = stream.next()
        while stream.state.withLock({ $0.reader == nil }) { await Task.yield() }
        await #expect(throws: StreamError.concurrentRead) { try await stream.next() }
        stream.received(ByteBuffer(string: "x"), on: source, at: now)
        #expect(try await first == ByteBuffer(string: "x"))
    }

    @Test("After close() a read fails: what was dropped must not pass for a clean end (P2)")
    func readAfterClose() async throws {
        let stream = stream()
        stream.received(ByteBuffer(string: "unread"), on: source, at: now)
        stream.finRead(on: source, at: now)
        stream.finishAll()
        await #expect(throws: StreamError.closed) { try await stream.next() }
        // Else it would wait for the peer, and the wait keep it.
        stream.reset(code: 0)
    }

    @Test("A reset of a stream that has ended on the wire drops the rest, and says so (P2)")
    func resetAfterEnd() async throws {
        let stream = stream()
        stream.received(ByteBuffer(string: "unread"), on: source, at: now)
        stream.finRead(on: source, at: now)
        stream.closeWrite()
        stream.finFramed(on: source, at: now)
        stream.reset(code: 7)
        await #expect(throws: StreamError.resetLocally(code: 7)) { try await stream.next() }
    }

    @Test("What came in full, end included, is read although the connection is lost behind it")
    func lostBehindEnd() async throws {
        let stream = stream()
        stream.received(ByteBuffer(string: "all"), on: source, at: now)
        stream.finRead(on: source, at: now)
        stream.lost(source, cause: .connectionLost(.transportEnded), at: now)
        #expect(try await stream.next() == ByteBuffer(string: "all"))
        #expect(try await stream.next() == nil)
        guard case .failed(.connectionLost(.transportEnded)) = stream.tryWrite(ByteBuffer(string: "x")) else {
            Issue.record("a lost stream takes no bytes")
            return
        }
    }

    @Test("A loss before the end takes the rest: never an end of stream")
    func lostBeforeEnd() async throws {
        let stream = stream()
        stream.received(ByteBuffer(string: "a part"), on: source, at: now)
        stream.lost(source, cause: .connectionLost(.transportEnded), at: now)
        await #expect(throws: StreamError.connectionLost(.transportEnded)) { try await stream.next() }
    }

    @Test("Window goes back in time even when the portions are configured larger than a window")
    func largePortions() async throws {
        var limits = StreamLimits()
        limits.creditPortion = 1 << 20
        let stream = stream(limits)
        stream.received(ByteBuffer(repeating: 0, count: 256 * 1_024), on: source, at: now)
        _ = try await stream.next()
        let wakes = carrier.wakes
        _ = stream.read(returning: 256 * 1_024, orWait: nil)
        #expect(carrier.wakes == wakes + 1)
        #expect(stream.work(for: source).credit == 256 * 1_024)
    }

    @Test("Tiny frames that are parked on a target cost little more than their bytes (P10)")
    func tinyParkedFrames() {
        let stream = stream()
        let target = LegToken(rawValue: 2)
        #expect(stream.judge(from: 0, target: 1, token: target, carrier: carrier, arrived: now, at: now) == .accept)
        for _ in 0..<10_000 { stream.received(ByteBuffer(repeating: 1, count: 1), on: target, at: now) }
        let parked = stream.state.withLock { $0.legs.target?.parked.count ?? 0 }
        #expect((1...10).contains(parked))
        stream.finRead(on: source, at: now)
        guard case .buffers(let buffers) = stream.read(returning: 0, orWait: nil) else {
            Issue.record("nothing to read")
            return
        }
        #expect(buffers.reduce(0) { $0 + $1.readableBytes } == 10_000)
    }

    // MARK: Migration

    @Test("An open that fails late ends its own attempt, not the one that runs by then (SM-F2)")
    func lateWithdrawal() throws {
        let stream = stream()
        let limit = MigrationConfiguration().answerTimeout
        #expect(throws: Never.self) { try stream.begin(target: 2, on: carrier, waiter: nil, at: now).get() }
        stream.tick(at: now + limit)
        let later = now + limit + MigrationConfiguration().retryDelay
        #expect(throws: Never.self) { try stream.begin(target: 4, on: carrier, waiter: nil, at: later).get() }
        #expect(stream.bindTarget(LegToken(rawValue: 2), carrier: carrier, id: 4, at: later))
        stream.withdrawAttempt(target: 2, because: .closed, at: later)
        #expect(stream.state.withLock { $0.machine.targetID } == 4)
        #expect(stream.state.withLock { $0.legs.target != nil })
        stream.withdrawAttempt(target: 4, because: .closed, at: later)
        #expect(stream.state.withLock { $0.machine.targetID } == nil)
    }

    // MARK: After close()

    @Test("A stream that is closed before it is open has a deadline too (SM-F8)")
    func closedBeforeOpen() {
        let stream = stream(isBound: false)
        stream.finishAll()
        stream.bindSource(source, carrier: carrier)
        #expect(carrier.releases.isEmpty)
        carrier.loop.advanceTime(by: .seconds(31))
        #expect(carrier.releases == [0])
    }

    @Test("A closed stream is not reset while its bytes leave, however slowly")
    func slowReader() {
        let stream = stream()
        for _ in 0..<4 { _ = stream.tryWrite(ByteBuffer(repeating: 0, count: 10)) }
        stream.finishAll()
        for _ in 0..<4 {
            carrier.loop.advanceTime(by: .seconds(20))
            #expect(stream.takeOutbound(on: source, maximum: 10).piece != nil)
        }
        #expect(carrier.releases.isEmpty)
        carrier.loop.advanceTime(by: .seconds(61))
        #expect(carrier.releases == [0])
    }
}
