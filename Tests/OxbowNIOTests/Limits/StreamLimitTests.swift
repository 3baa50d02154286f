import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowSwarm
import OxbowTesting
import Testing

@testable import OxbowNIO

/// Streams that are too many are reset, and nothing else is: neither the streams that are there, nor the source of one
/// that moves (CVE-2022-23492, CVE-2022-23486, CVE-2022-23487; SM-F10).
@Suite struct StreamLimitTests {
    private static let name = RawPeer.flight([echo])

    /// The peer opens a plain echo stream.
    private func open(_ number: Int, of scene: RawScene, _ name: [UInt8] = name) {
        scene.peer.send(name, on: YamuxStreamID(rawValue: UInt32(2 * number + 1)), flags: .syn)
    }

    private func wasReset(_ number: Int, of scene: RawScene) -> Bool {
        scene.peer.wasReset(YamuxStreamID(rawValue: UInt32(2 * number + 1)))
    }

    @Test("A peer's streams up to its limit are served, the next are reset; when one has ended there is room")
    func floodToTheLimit() throws {
        let scene = try RawScene { $0.limits.resources.peer.inboundStreams = 20 }
        for number in 0..<30 { open(number, of: scene) }
        scene.world.run(for: .milliseconds(5))
        #expect((0..<30).map { wasReset($0, of: scene) } == (0..<30).map { $0 >= 20 })
        scene.expectEcho("served", on: 39)
        #expect(scene.host.refusals.first?.refusal.scope == .peer(scene.peer.id))
        #expect(scene.host.swarm.ledger.used(.protocol(echo)).inboundStreams == 20)
        scene.peer.reset(1)
        open(30, of: scene)
        scene.world.run(for: .milliseconds(5))
        #expect(!wasReset(30, of: scene) && !scene.peer.isClosed)
        scene.end()
    }

    @Test("A peer that goes on and on past its own limit loses its connection; others keep theirs (CVE-2025-8671)")
    func floodPastTheLimit() throws {
        let scene = try RawScene { $0.limits.resources.peer.inboundStreams = 20 }
        let (other, _) = try scene.connectAgain(2)
        for number in 0..<400 { open(number, of: scene) }
        scene.world.run(for: .milliseconds(20))
        #expect(scene.peer.isClosed && !other.isClosed)
        #expect(scene.host.swarm.ledger.used(.peer(scene.peer.id)).isZero)
        other.send(Self.name + [7], on: 1, flags: .syn)
        scene.world.run(for: .milliseconds(5))
        #expect(other.payload(on: 1).last == 7)
        scene.end()
    }

    @Test("When the host itself is full, a stream is reset, and that isn't held against the peer")
    func fullHost() throws {
        let scene = try RawScene { $0.limits.resources.protocols[echo] = ScopeLimits(inboundStreams: 1) }
        for number in 0..<400 {
            open(number, of: scene)
            scene.world.run(for: .milliseconds(1))
        }
        #expect(!wasReset(0, of: scene) && (1..<400).allSatisfy { wasReset($0, of: scene) })
        #expect(!scene.peer.isClosed)
        scene.expectEcho("served", on: 1)
        let told = scene.host.refusals
        #expect(told.count <= 2 && told.first?.refusal.scope == .protocol(echo))
        scene.end()
    }

    @Test("Streams that never say what they are for are few for each peer, and end in time")
    func negotiations() throws {
        let scene = try RawScene { $0.limits.resources.negotiations.inboundStreams = 10 }
        for number in 0..<15 { open(number, of: scene, []) }
        scene.world.run(for: .milliseconds(5))
        #expect((0..<15).map { wasReset($0, of: scene) } == (0..<15).map { $0 >= 10 })
        #expect(scene.host.swarm.ledger.used(.negotiations(scene.peer.id)).inboundStreams == 10)
        scene.world.run(for: .seconds(11))
        #expect(scene.host.swarm.ledger.used(.negotiations(scene.peer.id)).isZero)
        open(20, of: scene)
        scene.world.run(for: .milliseconds(1))
        scene.expectEcho("served", on: 41)
        scene.end()
    }

    @Test("An outbound stream past a limit fails at once, by an error that names the limit and its setting")
    func outbound() throws {
        let scene = try RawScene { $0.limits.resources.protocolsOfPeer[echo] = ScopeLimits(outboundStreams: 1) }
        let (first, id) = try scene.hostOpens()
        let second = scene.host.open([echo], to: scene.peer.id, on: scene.connection)
        let either = scene.host.open([echo, bulk], to: scene.peer.id, on: scene.connection)
        scene.world.run(for: .milliseconds(1))
        guard case .failed(.overLimit(let refusal))? = second.end else {
            Issue.record("\(String(describing: second.end))")
            return
        }
        #expect(refusal.scope == .protocolOfPeer(echo, scene.peer.id))
        #expect("\(StreamError.overLimit(refusal))".contains("raise ResourceLimits.protocolOfPeer.outboundStreams"))
        // Which of two it will be is known when the peer has chosen.
        #expect(either.end == nil)
        let chosen = try #require(scene.peer.frames.last { $0.header.flags.contains(.syn) }).header.streamID
        scene.peer.send(RawScene.taken, on: chosen, flags: .ack)
        scene.world.run(for: .milliseconds(1))
        #expect(either.end == .failed(.overLimit(refusal)) && scene.peer.wasReset(chosen))
        scene.peer.send([UInt8]("still here".utf8), on: id)
        scene.world.run(for: .milliseconds(1))
        #expect(first.received == ByteBuffer(string: "still here"))
        scene.end()
    }

    @Test("A peer's target that doesn't fit is refused before anything is armed; the source is unharmed (SM-F10)")
    func refusedTarget() throws {
        let scene = try RawScene { $0.limits.resources.protocolsOfPeer[echo] = ScopeLimits(streams: 1) }
        scene.open(1, label: 7)
        scene.peer.send(RawScene.migrate(9, from: 7), on: 3, flags: .syn)
        scene.world.run(for: .milliseconds(1))
        #expect(scene.peer.wasReset(3) && !scene.peer.wasReset(1))
        #expect(scene.host.swarm.census.migrations == 0 && scene.host.swarm.census.labels == 1)
        scene.expectEcho("unharmed", on: 1)
        scene.end()
    }

    @Test("A target that doesn't fit as a stream at all is reset at once; the source is unharmed (SM-F10)")
    func refusedTargetStream() throws {
        let scene = try RawScene { $0.limits.resources.peer.inboundStreams = 1 }
        scene.open(1, label: 7)
        scene.peer.send(RawScene.migrate(9, from: 7), on: 3, flags: .syn)
        scene.world.run(for: .milliseconds(1))
        #expect(scene.peer.wasReset(3) && !scene.peer.wasReset(1))
        scene.expectEcho("unharmed", on: 1)
        scene.end()
    }

    @Test("An own target that doesn't fit ends the attempt and nothing else; with room it succeeds (SM-F10)")
    func refusedOwnTarget() throws {
        let world = SimulatedWorld()
        let left = world.makeHost { $0.limits.resources.protocols[echo] = ScopeLimits(outboundStreams: 2) }
        let right = world.makeHost()
        right.serve(echo) { $0.echo() }
        let links = (0..<2).map { _ in world.connect(left, right, delay: .milliseconds(1)) }
        let (first, second) = (left.open(echo, to: right, on: links[0]), left.open(echo, to: right, on: links[0]))
        first.write("one ")
        world.run(for: .milliseconds(20))
        first.migrate(left, to: links[1])
        world.run(for: .milliseconds(20))
        guard case .failure(let error as MigrationAttemptError)? = first.migrations.first,
            case .failed(.notOpened(.overLimit(let refusal))) = error.record?.outcome
        else {
            Issue.record("\(first.migrations)")
            return
        }
        #expect(refusal.scope == .protocol(echo) && refusal.used == 2)
        first.write("two ")
        world.run(for: .seconds(2))
        #expect(first.received == ByteBuffer(string: "one two ") && first.end == nil)
        second.reset()
        world.run(for: .milliseconds(20))
        first.migrate(left, to: links[1])
        world.run(for: .milliseconds(50))
        guard case .success? = first.migrations.last else {
            Issue.record("\(first.migrations)")
            return
        }
        #expect(left.swarm.ledger.used(.protocol(echo)).streams == 1, "the old source is given back")
        first.write("three")
        world.run(for: .milliseconds(20))
        #expect(first.received == ByteBuffer(string: "one two three"))
        first.closeWrite()
        for stream in right.accepted { stream.closeWrite() }
        world.run(for: .milliseconds(50))
        world.expectOnlyConnections()
        world.expectNothingLeft()
    }
}
