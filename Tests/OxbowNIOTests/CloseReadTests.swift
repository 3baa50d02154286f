import NIOCore
import OxbowCore
import OxbowMigration
import OxbowNIO
import OxbowTesting
import Testing

/// An application that reads no more, and streams that move before or behind that (SM-F9).
@Suite struct CloseReadTests {
    typealias Scene = MigrationUnderDelayTests.Scene

    @Test("The peer writes many windows to a side that reads no more, across migrations by either side")
    func peerCanGoOn() throws {
        for initiator in [MigrationUnderDelayTests.Initiator.opener, .acceptor, .both] {
            let scene = try Scene([5, 20])
            let total = 4 << 20
            scene.far.send(total, chunk: 60_000, each: .milliseconds(1))
            scene.world.run(for: .milliseconds(50))
            scene.near.logical.closeRead()
            scene.world.run(for: .milliseconds(1))
            #expect(scene.near.end == .failed(.closed))
            let read = scene.near.received.readableBytes
            for number in 1...4 {
                scene.move(number, to: scene.links[number % 2], by: initiator)
                _ = scene.near.logical.tryWrite(Pattern.bytes(from: (number - 1) * 12_500, count: 12_500))
            }
            scene.world.expect { scene.near.logical.snapshot.totalBytesRead == UInt64(total) }
            scene.near.closeWrite()
            scene.world.expect { scene.far.end == .clean }
            #expect(Pattern.matches(scene.far.received) && scene.far.received.readableBytes == 50_000)
            #expect(scene.near.received.readableBytes == read, "nothing is delivered any more")
            scene.world.run(for: .milliseconds(100))
            scene.world.expectOnlyConnections()
            scene.world.expectNothingLeft()
        }
    }

    @Test("Writing goes on as long as it likes; only when that has ended too is the peer's end waited for (SM-F8)")
    func lingersOnlyBehindBothEnds() throws {
        let scene = try Scene([5, 5])
        scene.near.logical.closeRead()
        scene.world.run(for: .seconds(300))
        scene.near.write("still here")
        scene.world.run(for: .milliseconds(50))
        #expect(scene.far.received == ByteBuffer(string: "still here") && scene.far.end == nil)
        scene.near.closeWrite()
        scene.world.run(for: .seconds(29))
        #expect(scene.far.end == .clean && scene.left.swarm.census.streams == 1)
        scene.world.run(for: .seconds(2))
        #expect(scene.left.swarm.census.streams == 0)
        scene.world.expectNothingLeft()
    }

    @Test("A window that is full when reading ends opens again")
    func fullWindow() throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        right.serve(bulk)
        let link = world.connect(left, right, delay: .milliseconds(1))
        guard let state = left.swarm.peer(right.id) else { preconditionFailure("connected") }
        // Nobody reads this one.
        let unread = left.swarm.openStream(to: state, for: [bulk], on: link.connection(of: left))
        world.expect { right.accepted.count == 1 }
        let far = try #require(right.accepted.first)
        far.send(2 << 20, chunk: 100_000, each: .milliseconds(1))
        world.run(for: .seconds(2))
        #expect(far.sent < 2 << 20)
        unread.closeRead()
        world.expect { far.sent == 2 << 20 }
        unread.closeWrite()
        world.expect { far.end == .clean }
        world.expectNothingLeft()
    }
}
