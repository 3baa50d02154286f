import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowNIO
import OxbowTesting
import OxbowWire
import Testing

/// A peer that breaks the rules of stream migration: the stream that it attacks is refused, the others are unharmed.
@Suite struct HostilePeerTests {
    @Test("A labelled stream of a peer is served and keeps its label")
    func servesLabelled() throws {
        let scene = try RawScene()
        scene.open(1, label: 7, "hi")
        #expect(scene.peer.payload(on: 1) == RawScene.taken + [UInt8]("hi".utf8))
        #expect(scene.host.accepted.first?.logical.snapshot.id == 7)
        scene.end()
    }

    @Test("A label with this side's parity serves the application but can't migrate (SM-L4)")
    func wrongParityOfLabel() throws {
        let scene = try RawScene()
        scene.open(1, label: 8, "hi")
        let stream = try #require(scene.host.accepted.first)
        #expect(stream.received == ByteBuffer(string: "hi"))
        #expect(stream.logical.snapshot.id == nil)
        stream.migrate(scene.host, to: try scene.connectAgain().connection)
        scene.world.run(for: .seconds(1))
        guard case .failure(MigrationRefusal.notLabelled)? = stream.migrations.first else {
            Issue.record("\(stream.migrations)")
            return
        }
        scene.expectEcho("still here", on: 1)
        scene.end()
    }

    @Test("A live id again: the new stream is reset, the old one lives (SM-L4)")
    func duplicateLabel() throws {
        let scene = try RawScene()
        scene.open(1, label: 7)
        scene.open(3, label: 7)
        #expect(scene.peer.wasReset(3) && !scene.peer.wasReset(1))
        scene.expectEcho("one", on: 1)
        #expect(scene.host.accepted.count == 1)
        // The same of a target's id.
        scene.open(5, label: 9)
        scene.peer.send(RawScene.migrate(7, from: 9), on: 7, flags: .syn)
        scene.world.run(for: .milliseconds(1))
        #expect(scene.peer.wasReset(7))
        scene.expectEcho("two", on: 5)
        scene.end()
    }

    @Test(
        "A Migrate with this side's parity, or of a stream to itself, is denied (SM-L4)", arguments: [8, 7] as [UInt64])
    func wrongMigrates(id: UInt64) throws {
        let scene = try RawScene()
        scene.open(1, label: 7)
        scene.peer.send(RawScene.migrate(id, from: 7), on: 3, flags: .syn)
        scene.world.run(for: .milliseconds(1))
        #expect(scene.peer.payload(on: 3) == RawScene.deny)
        scene.expectEcho("unharmed", on: 1)
        scene.end()
    }

    @Test("An unknown id is held for ten seconds, then reset; nothing else is harmed (SM-F6)")
    func unknownFrom() throws {
        let scene = try RawScene()
        scene.open(1, label: 7)
        scene.peer.send(RawScene.migrate(9, from: 1_001), on: 3, flags: .syn)
        scene.world.run(for: .milliseconds(9_900))
        #expect(scene.host.swarm.census.heldMigrates == 1)
        #expect(!scene.peer.wasReset(3))
        scene.world.run(for: .milliseconds(200))
        #expect(scene.peer.wasReset(3))
        #expect(scene.host.swarm.census.heldMigrates == 0)
        scene.expectEcho("unharmed", on: 1)
        scene.end()
    }

    @Test("Another peer's id is exactly as unknown (SM-L3, SM-F6)")
    func anotherPeersID() throws {
        let scene = try RawScene()
        scene.open(1, label: 7)
        let (thief, _) = try scene.connectAgain(2)
        thief.send(RawScene.migrate(9, from: 7), on: 1, flags: .syn)
        scene.world.run(for: .milliseconds(9_900))
        #expect(thief.payload(on: 1) == RawPeer.flight([RawScene.migration]))
        #expect(!thief.wasReset(1))
        scene.world.run(for: .milliseconds(200))
        #expect(thief.wasReset(1))
        scene.expectEcho("unharmed", on: 1)
        scene.end()
    }

    @Test("A Migrate that overtakes its label on a faster connection is judged when the label comes (SM-F6)")
    func migrateBeforeLabel() throws {
        let scene = try RawScene()
        let (fast, _) = try scene.connectAgain()
        fast.send(RawScene.migrate(9, from: 7), on: 1, flags: .syn)
        scene.world.run(for: .seconds(5))
        #expect(fast.payload(on: 1) == RawPeer.flight([RawScene.migration]))
        scene.open(1, label: 7, "first ")
        #expect(fast.payload(on: 1) == RawScene.accept)
        // The hand-over: the source ends both ways, the target goes on.
        scene.peer.send([], on: 1, flags: .fin)
        fast.send([UInt8]("second".utf8), on: 1)
        scene.world.run(for: .milliseconds(1))
        #expect(scene.host.accepted.first?.received == ByteBuffer(string: "first second"))
        #expect(scene.host.accepted.first?.logical.snapshot.id == 9)
        scene.world.run(for: .seconds(20))
        #expect(!fast.wasReset(1), "the hold's deadline is over with the hold")
        scene.end()
    }

    @Test("Sixteen Migrates are held for a peer, the next is refused (SM-F10)")
    func tooManyHeld() throws {
        let scene = try RawScene()
        for number in 0..<17 {
            let id = YamuxStreamID(rawValue: UInt32(2 * number + 1))
            scene.peer.send(RawScene.migrate(UInt64(2 * number + 101), from: 1_001), on: id, flags: .syn)
        }
        scene.world.run(for: .milliseconds(1))
        #expect(scene.host.swarm.census.heldMigrates == 16)
        #expect(scene.peer.wasReset(33) && !scene.peer.wasReset(31))
        // The peer gives one up: there is room again.
        scene.peer.reset(1)
        scene.world.run(for: .milliseconds(1))
        #expect(scene.host.swarm.census.heldMigrates == 15)
        scene.end()
    }

    @Test("The id of a stream that has ended is denied (SM-F6)")
    func finishedFrom() throws {
        let scene = try RawScene()
        scene.open(1, label: 7)
        scene.peer.send([], on: 1, flags: .fin)
        scene.host.accepted.first?.closeWrite()
        scene.world.run(for: .milliseconds(1))
        scene.peer.send(RawScene.migrate(9, from: 7), on: 3, flags: .syn)
        scene.world.run(for: .milliseconds(1))
        #expect(scene.peer.payload(on: 3) == RawScene.deny)
        scene.end()
    }

    @Test("More labels than the limit: the stream is refused, the others live (SM-F10)")
    func tooManyLabels() throws {
        let scene = try RawScene { $0.migration.maximumStreams = 2 }
        scene.open(1, label: 7)
        scene.open(3, label: 9)
        scene.open(5, label: 11)
        #expect(scene.peer.wasReset(5) && !scene.peer.wasReset(1) && !scene.peer.wasReset(3))
        scene.expectEcho("unharmed", on: 1)
        scene.end()
    }

    @Test("Without stream migration here a label is answered na, and the plain protocol behind it served")
    func disabled() throws {
        let scene = try RawScene { $0.isMigrationEnabled = false }
        scene.peer.send(RawPeer.flight([RawScene.migration]), on: 1, flags: .syn)
        scene.world.run(for: .milliseconds(1))
        let notAvailable: [UInt8] = [0x03] + [UInt8]("na\n".utf8)
        #expect(scene.peer.payload(on: 1) == RawPeer.flight([]) + notAvailable)
        scene.end()
    }

    @Test(
        "A malformed message, a label in a label, an answer in place of a question: that stream is reset (SM-W1, SM-F7)",
        arguments: [
            RawPeer.flight([RawScene.migration]) + [0x00],
            RawPeer.flight([RawScene.migration]) + [0x02, 0x0A, 0x00],
            RawPeer.flight([RawScene.migration]) + [0x81, 0x08],
            RawPeer.flight([RawScene.migration]) + [0x02, 0x1A, 0x00],
            RawScene.label(7, RawScene.migration),
        ])
    func malformed(_ flight: [UInt8]) throws {
        let scene = try RawScene()
        scene.open(1, label: 9)
        scene.peer.send(flight, on: 3, flags: .syn)
        scene.world.run(for: .milliseconds(1))
        #expect(scene.peer.wasReset(3))
        scene.expectEcho("unharmed", on: 1)
        scene.end()
    }
}
