import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowNIO
import OxbowTesting
import Testing

/// The peer says no: to a label although identify had promised it (SM-L1), or to a migration.
@Suite struct RefusalTests {
    private static let notAvailable: [UInt8] = RawPeer.flight([]) + [0x03] + [UInt8]("na\n".utf8)

    @Test("na for a label that identify had promised: opened again without, the application notices nothing (SM-L1)")
    func reopensUnlabelled() throws {
        let scene = try RawScene()
        let stream = scene.host.open([echo], to: scene.peer.id, on: scene.connection)
        scene.world.run(for: .milliseconds(1))
        let first = try #require(scene.peer.frames.last { $0.header.flags.contains(.syn) }).header.streamID
        scene.peer.send(Self.notAvailable, on: first, flags: .ack)
        scene.world.run(for: .milliseconds(1))
        #expect(scene.peer.wasReset(first))
        let second = try #require(scene.peer.frames.last { $0.header.flags.contains(.syn) }).header.streamID
        #expect(second != first)
        #expect(scene.peer.payload(on: second) == RawPeer.flight([echo]))
        stream.write("hello")
        scene.peer.send(RawPeer.flight([echo]) + [UInt8]("world".utf8), on: second, flags: .ack)
        scene.world.run(for: .milliseconds(1))
        #expect(scene.peer.payload(on: second) == RawPeer.flight([echo]) + [UInt8]("hello".utf8))
        #expect(stream.received == ByteBuffer(string: "world") && stream.end == nil)
        #expect(stream.logical.snapshot.id == nil)
        // The support is forgotten: the next one is plain from the start.
        let next = scene.host.open([echo], to: scene.peer.id, on: scene.connection)
        #expect(next.logical.snapshot.id == nil)
        next.reset()
        stream.closeWrite()
        scene.peer.send([], on: second, flags: .fin)
        scene.world.run(for: .milliseconds(1))
        #expect(stream.end == .clean)
        scene.world.expectOnlyConnections()
        scene.end()
    }

    @Test("The same when bytes of the application went with the label: an error, nothing is sent twice (SM-L1)")
    func failsWithBytes() throws {
        let scene = try RawScene()
        let stream = scene.host.open([echo], to: scene.peer.id, on: scene.connection)
        stream.write("hello")
        scene.world.run(for: .milliseconds(1))
        let first = try #require(scene.peer.frames.last { $0.header.flags.contains(.syn) }).header.streamID
        scene.peer.send(Self.notAvailable, on: first, flags: .ack)
        scene.world.run(for: .milliseconds(1))
        guard case .failed(.negotiation(let text)) = stream.end else {
            Issue.record("\(String(describing: stream.end))")
            return
        }
        #expect(text.contains("does not support stream migration"))
        scene.world.expectOnlyConnections()
        scene.end()
    }

    @Test("Denied: the stream stays, and this side never asks again (SM-F1)")
    func denied() throws {
        let scene = try RawScene()
        let (second, connection) = try scene.connectAgain()
        let (stream, id) = try scene.hostOpens()
        let target = try scene.hostMigrates(stream, to: connection, of: second)
        second.send(RawScene.deny, on: target, flags: .ack)
        scene.world.run(for: .milliseconds(1))
        guard case .failure(let error as MigrationAttemptError)? = stream.migrations.first else {
            Issue.record("\(stream.migrations)")
            return
        }
        #expect(error.outcome == .denied)
        #expect(second.frames.contains { $0.header.streamID == target && $0.header.flags.contains(.fin) })
        stream.migrate(scene.host, to: connection)
        scene.world.run(for: .milliseconds(1))
        guard case .failure(MigrationRefusal.denied)? = stream.migrations.last else {
            Issue.record("\(stream.migrations)")
            return
        }
        scene.peer.send([UInt8]("on".utf8), on: id)
        scene.world.run(for: .milliseconds(1))
        #expect(stream.received == ByteBuffer(string: "on"))
        scene.end()
    }

    @Test(
        "An answer that is none, a reset, na: the attempt is over, the stream goes on (SM-F2, SM-F7)",
        arguments: [
            RawPeer.flight([RawScene.migration]) + [0x04, 0x0A, 0x02, 0x08, 0x07],
            RawPeer.flight([RawScene.migration]) + [0xFF, 0xFF, 0x7F],
            notAvailable,
            [],
        ])
    func wrongAnswer(_ answer: [UInt8]) throws {
        let scene = try RawScene()
        let (second, connection) = try scene.connectAgain()
        let (stream, id) = try scene.hostOpens()
        let target = try scene.hostMigrates(stream, to: connection, of: second)
        answer.isEmpty ? second.reset(target) : second.send(answer, on: target, flags: .ack)
        scene.world.run(for: .milliseconds(1))
        guard case .failure(let error as MigrationAttemptError)? = stream.migrations.first else {
            Issue.record("\(stream.migrations)")
            return
        }
        #expect(error.outcome == .failed)
        #expect(answer.isEmpty || second.wasReset(target))
        scene.peer.send([UInt8]("on".utf8), on: id)
        stream.write("too")
        scene.world.run(for: .milliseconds(1))
        #expect(stream.received == ByteBuffer(string: "on") && stream.end == nil)
        #expect(scene.peer.payload(on: id).suffix(3) == [UInt8]("too".utf8)[...])
        stream.reset()
        scene.world.run(for: .milliseconds(1))
        scene.world.expectOnlyConnections()
        scene.end()
    }

    @Test("A Migrate may overtake the answer to the stream's own negotiation: judged once that is read (SM-M1, SM-F5)")
    func migrateBeforeAnswer() throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        right.serve(bulk)
        let slow = world.connect(left, right, delay: .milliseconds(400))
        let fast = world.connect(left, right, delay: .milliseconds(1))
        let stream = left.open(bulk, to: right, on: slow)
        stream.write("x")
        world.expect { right.accepted.count == 1 }
        let far = try #require(right.accepted.first)
        let start = world.now
        far.migrate(right, to: fast)
        world.expect { far.migrations.count == 1 }
        // One slow way for the answer, and one for the end of the source in each direction.
        #expect(world.now - start < .milliseconds(400 * 3 + 20))
        stream.closeWrite()
        far.closeWrite()
        world.expect { stream.end == .clean && far.end == .clean }
        world.expectNothingLeft()
    }

    @Test("One migration at a time: a second request is refused, the first goes on (SM-M1)")
    func underWay() throws {
        let scene = try MigrationUnderDelayTests.Scene([10, 10])
        scene.near.migrate(scene.left, to: scene.links[1])
        scene.near.migrate(scene.left, to: scene.links[1])
        scene.world.expect { scene.near.migrations.count == 2 }
        guard case .failure(MigrationRefusal.underWay)? = scene.near.migrations.first,
            case .success? = scene.near.migrations.last
        else {
            Issue.record("\(scene.near.migrations)")
            return
        }
        scene.near.closeWrite()
        scene.far.closeWrite()
        scene.expectAllDelivered()
    }
}
