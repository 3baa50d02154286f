import OxbowCore
import OxbowMigration
import OxbowSwarm
import Testing

@Suite("Which stream moves next")
struct StreamMoverTests {
    private static func key(_ number: UInt64) -> StreamKey { StreamKey(rawValue: number) }

    @Test("At most so many move at once, each once, in the order in which they came")
    func bound() {
        var mover = StreamMover(limit: 2)
        for number in [3, 1, 2, 3] as [UInt64] { mover.add(Self.key(number)) }
        #expect(mover.count == 3)
        #expect(
            [mover.next(at: .zero), mover.next(at: .zero), mover.next(at: .zero)] == [Self.key(3), Self.key(1), nil])
        mover.ended(Self.key(1), retryAt: nil)
        #expect(mover.next(at: .zero) == Self.key(2))
        #expect(mover.next(at: .zero) == nil)
    }

    @Test("A stream that was refused waits for its time, and others go meanwhile")
    func waits() {
        var mover = StreamMover(limit: 1)
        mover.add(Self.key(1))
        mover.add(Self.key(2))
        #expect(mover.next(at: .zero) == Self.key(1))
        let later = Instant.zero + .seconds(1)
        mover.ended(Self.key(1), retryAt: later)
        #expect(mover.next(at: .zero) == Self.key(2))
        mover.ended(Self.key(2), retryAt: nil)
        #expect(mover.nextDeadline == later)
        #expect(mover.next(at: .zero) == nil)
        mover.add(Self.key(1))
        #expect(mover.next(at: .zero) == nil, "it is known already")
        #expect(mover.next(at: later) == Self.key(1))
        mover.ended(Self.key(1), retryAt: nil)
        #expect(mover.isEmpty && mover.nextDeadline == .distantFuture)
    }

    @Test("Of a stream that it doesn't know it takes no notice")
    func unknown() {
        var mover = StreamMover(limit: 1)
        mover.ended(Self.key(1), retryAt: .zero)
        #expect(mover.isEmpty && mover.next(at: .zero) == nil)
    }
}
