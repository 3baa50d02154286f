import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowNIO
import OxbowProtocols
import OxbowTesting
import Testing

/// Migrations that are asked for before they can begin, and streams that never take part (SM-M1, SM-L5).
@Suite struct EarlyMigrationTests {
    @Test("A stream that was opened a moment ago moves as soon as its negotiation is answered (SM-M1)")
    func waitsForTheAnswer() throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        right.serve(bulk)
        let links = [40, 10].map { world.connect(left, right, delay: .milliseconds($0)) }
        let stream = left.open(bulk, to: right, on: links[0])
        let start = world.now
        stream.migrate(left, to: links[1])
        world.expect { stream.migrations.count == 1 }
        let record = try #require(try stream.migrations.only?.get())
        #expect(record.started.sinceStart == start + .milliseconds(80), "one round trip on the slow path")
        #expect(record.to?.id == links[1].connection(of: left).id)
        stream.reset()
        world.expectNothingLeft()
    }

    private func raw() throws -> (RawScene, SimulatedStream, ConnectionDriver) {
        let scene = try RawScene()
        let (_, connection) = try scene.connectAgain()
        let stream = scene.host.open([echo], to: scene.peer.id, on: scene.connection)
        scene.world.run(for: .milliseconds(1))
        return (scene, stream, connection)
    }

    @Test("The wait ends with the stream's: its negotiation's deadline, a reset")
    func endsWithTheStream() throws {
        let (scene, stream, connection) = try raw()
        stream.migrate(scene.host, to: connection)
        scene.world.run(for: .seconds(9))
        #expect(stream.migrations.isEmpty)
        scene.world.run(for: .seconds(3))
        guard case .failure(MigrationRefusal.ended)? = stream.migrations.only else {
            Issue.record("\(stream.migrations)")
            return
        }
        let other = scene.host.open([echo], to: scene.peer.id, on: scene.connection)
        other.migrate(scene.host, to: connection)
        other.reset()
        scene.world.run(for: .milliseconds(1))
        guard case .failure(MigrationRefusal.ended)? = other.migrations.only else {
            Issue.record("\(other.migrations)")
            return
        }
        scene.end()
    }

    @Test("The wait has a deadline of its own, and can be cancelled")
    func deadlineAndCancellation() throws {
        let scene = try RawScene {
            $0.connection.negotiationTimeout = .seconds(10)
            $0.muxer.acceptBacklog = 1
        }
        let stream = scene.host.open([echo], to: scene.peer.id, on: scene.connection)
        scene.world.run(for: .milliseconds(1))
        let results = Results()
        scene.host.swarm.migrate(stream.logical, to: scene.connection, ticket: 77) { results.list.append($0) }
        #expect(results.list.isEmpty)
        scene.host.swarm.cancelMigration(of: stream.logical, ticket: 77)
        guard case .failure(is CancellationError)? = results.list.only else {
            Issue.record("\(results.list)")
            return
        }
        scene.host.swarm.cancelMigration(of: stream.logical, ticket: 77)
        #expect(results.list.count == 1 && stream.end == nil)
        // A second one has no room at the peer until the first is given up: its own negotiation begins only then.
        let second = scene.host.open([echo], to: scene.peer.id, on: scene.connection)
        second.migrate(scene.host, to: scene.connection)
        scene.world.run(for: .milliseconds(9_990))
        #expect(second.migrations.isEmpty)
        scene.world.run(for: .milliseconds(20))
        guard case .failure(MigrationRefusal.notNegotiated)? = second.migrations.only else {
            Issue.record("\(second.migrations)")
            return
        }
        #expect(second.end == nil)
        scene.end()
    }

    private final class Results: @unchecked Sendable {
        var list: [Result<MigrationRecord, any Error>] = []
    }

    @Test("Without a label there is nothing to wait for")
    func unlabelled() throws {
        let (scene, _, connection) = try raw()
        let plain = scene.host.open([echo], to: scene.peer.id, on: scene.connection, isMigratable: false)
        plain.migrate(scene.host, to: connection)
        scene.world.run()
        guard case .failure(MigrationRefusal.notLabelled)? = plain.migrations.only else {
            Issue.record("\(plain.migrations)")
            return
        }
        scene.end()
    }

    @Test("Each of the protocols that never migrate is never labelled, alone or among others (SM-L5)")
    func neverLabelled() throws {
        let named = [
            "/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0", "/libp2p/dcutr", "/libp2p/autonat/1.0.0",
            "/libp2p/autonat/2/dial-request", "/libp2p/autonat/2/dial-back", "/libp2p/circuit/relay/0.1.0",
            "/libp2p/circuit/relay/0.2.0/hop", "/libp2p/circuit/relay/0.2.0/stop", "/libp2p/stream-migration",
            "/libp2p/stream-migration/",
        ]
        #expect(SwarmConfiguration.neverMigratable == Set(named.compactMap { ProtocolID($0) }))
        let scene = try RawScene()
        for id in SwarmConfiguration.neverMigratable.sorted(by: { $0.rawValue < $1.rawValue }) {
            let alone = scene.host.open([id], to: scene.peer.id, on: scene.connection)
            let among = scene.host.open([echo, id], to: scene.peer.id, on: scene.connection)
            #expect(alone.logical.snapshot.id == nil && among.logical.snapshot.id == nil, "\(id)")
            scene.world.run(for: .milliseconds(1))
            let opened = scene.peer.frames.filter { $0.header.flags.contains(.syn) }.suffix(2)
            for frame in opened {
                let bytes = scene.peer.payload(on: frame.header.streamID)
                // Behind the header's 20 bytes the first name is not the migration's.
                #expect(!bytes.starts(with: RawPeer.flight([RawScene.migration])) || id == RawScene.migration, "\(id)")
            }
            alone.reset()
            among.reset()
        }
        let usual = scene.host.open([echo], to: scene.peer.id, on: scene.connection)
        #expect(usual.logical.snapshot.id != nil)
        usual.reset()
        scene.end()
    }

    @Test("A peer that labels one of them all the same: the stream works, its migration is denied (SM-L5)")
    func labelledByThePeer() throws {
        let scene = try RawScene()
        scene.host.serve("/libp2p/dcutr") { $0.echo() }
        scene.peer.send(RawScene.label(7, "/libp2p/dcutr"), on: 1, flags: .syn)
        scene.world.run(for: .milliseconds(1))
        #expect(scene.host.accepted.only?.logical.snapshot.id == nil)
        scene.expectEcho("still", on: 1)
        let (second, _) = try scene.connectAgain()
        second.send(RawScene.migrate(9, from: 7), on: 1, flags: .syn)
        scene.world.run(for: .milliseconds(1))
        #expect(second.payload(on: 1) == RawScene.deny)
        scene.expectEcho("there", on: 1)
        scene.end()
    }

    @Test("Opted out: by the stream, by the protocol, by the host (SM-L5)")
    func optOut() throws {
        for isByProtocol in [true, false] {
            let scene = try RawScene {
                if isByProtocol { $0.unmigratableProtocols = [echo] } else { $0.isMigrationEnabled = false }
            }
            let stream = scene.host.open([echo], to: scene.peer.id, on: scene.connection)
            #expect(stream.logical.snapshot.id == nil)
            stream.reset()
            scene.end()
        }
        let scene = try RawScene()
        let stream = scene.host.open([echo], to: scene.peer.id, on: scene.connection, isMigratable: false)
        #expect(stream.logical.snapshot.id == nil)
        stream.reset()
        scene.end()
    }
}
