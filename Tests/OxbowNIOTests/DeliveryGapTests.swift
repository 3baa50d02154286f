import NIOCore
import OxbowCore
import OxbowNIO
import OxbowTesting
import Testing

/// How long nothing arrives while a stream moves and its sender keeps sending, exact on virtual time.
@Suite struct DeliveryGapTests {
    typealias Initiator = MigrationUnderDelayTests.Initiator

    /// The ways of one connection, in milliseconds.
    struct Ways: Sendable {
        let there: Int
        let back: Int

        init(_ there: Int, _ back: Int) {
            (self.there, self.back) = (there, back)
        }
    }

    /// Slow to fast, fast to slow, alike, almost alike, with no delay at all, and different each way.
    static let pairs: [(Ways, Ways)] = [
        (Ways(10, 45), Ways(45, 10)), (Ways(10, 10), Ways(45, 45)), (Ways(45, 45), Ways(10, 10)),
        (Ways(30, 30), Ways(30, 30)), (Ways(5, 5), Ways(200, 200)), (Ways(200, 200), Ways(5, 5)),
        (Ways(0, 0), Ways(80, 80)), (Ways(80, 80), Ways(0, 0)), (Ways(20, 21), Ways(21, 20)),
        (Ways(100, 3), Ways(40, 60)), (Ways(3, 100), Ways(60, 40)),
    ]

    private let step = Duration.milliseconds(2)

    @Test("No gap is longer than what the new way is longer, plus one step of the sender", arguments: pairs)
    func gap(_ old: Ways, _ new: Ways) throws {
        for initiator in [Initiator.opener, .acceptor, .both] {
            // Who is lower matters in a glare alone.
            for openerIsLower in initiator == .both ? [true, false] : [true] {
                let gaps = try gaps(from: old, to: new, by: initiator, openerIsLower)
                // What leaves on a shorter way waits for what is under way on the longer one: that flows on meanwhile.
                let there = Duration.milliseconds(max(0, new.there - old.there)) + step
                let back = Duration.milliseconds(max(0, new.back - old.back)) + step
                #expect(gaps.atFar <= there, "\(initiator), \(openerIsLower): there")
                #expect(gaps.atNear <= back, "\(initiator), \(openerIsLower): back")
                // The gap is real: it is not that nothing was measured.
                #expect(gaps.atFar >= step && gaps.atNear >= step)
            }
        }
    }

    /// The longest gaps at either end around one migration, while both send.
    private func gaps(
        from old: Ways, to new: Ways, by initiator: Initiator, _ openerIsLower: Bool
    ) throws -> (atNear: Duration, atFar: Duration) {
        let world = SimulatedWorld()
        let hosts = [world.makeHost(), world.makeHost()]
        let (left, right) = openerIsLower ? (hosts[0], hosts[1]) : (hosts[1], hosts[0])
        right.serve(bulk)
        let links = [old, new].map { ways in
            world.beginConnecting(
                left, right, there: LineConditions(delay: .milliseconds(ways.there)),
                back: LineConditions(delay: .milliseconds(ways.back)))
        }
        world.run(for: .seconds(5))
        let near = left.open(bulk, to: right, on: links[0])
        near.write("")
        world.expect { right.accepted.count == 1 }
        let far = try #require(right.accepted.first)
        world.run(for: .seconds(1))
        // Slow enough that no window fills within the longest round trip: the sender really keeps sending.
        near.send(chunk: 70, each: step)
        far.send(chunk: 90, each: step)
        world.run(for: .milliseconds(450))
        if initiator != .acceptor { near.migrate(left, to: links[1]) }
        if initiator != .opener { far.migrate(right, to: links[1]) }
        world.run(for: .seconds(1))
        #expect(near.logical.snapshot.migrationCount == 1 && far.logical.snapshot.migrationCount == 1)
        let gaps = (near.longestGap, far.longestGap)
        near.stopSending()
        far.stopSending()
        world.expect { near.end == .clean && far.end == .clean }
        #expect(near.received.readableBytes == far.sent && far.received.readableBytes == near.sent)
        #expect(Pattern.matches(near.received) && Pattern.matches(far.received))
        world.expectNothingLeft()
        return gaps
    }
}
