import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowNIO
import OxbowTesting
import OxbowUpgrade
import Testing

/// Every wait has an end: deadlines on virtual time (SM-F8, P8).
@Suite struct DeadlineTests {
    private func elapsed(_ world: SimulatedWorld, _ condition: () -> Bool) -> Duration {
        let start = world.now
        world.expect(condition)
        return world.now - start
    }

    @Test("No answer to a Migrate: the attempt ends after 60 s, the stream goes on but its end is in doubt (SM-F2)")
    func noAnswer() throws {
        let scene = try RawScene()
        let (second, connection) = try scene.connectAgain()
        let (stream, id) = try scene.hostOpens()
        let target = try scene.hostMigrates(stream, to: connection, of: second)
        let time = elapsed(scene.world) { stream.migrations.count == 1 }
        #expect(abs((time - .seconds(60)).saturatingNanoseconds) < 3_000_000)
        guard case .failure(let error as MigrationAttemptError)? = stream.migrations.first else {
            Issue.record("\(stream.migrations)")
            return
        }
        #expect(error.outcome == .failed)
        scene.world.run(for: .milliseconds(1))
        #expect(second.wasReset(target))
        scene.peer.send([UInt8]("on".utf8), on: id)
        stream.closeWrite()
        scene.world.run(for: .milliseconds(1))
        #expect(stream.received == ByteBuffer(string: "on"))
        // Behind the own FIN the peer's may be a hand-off whose Ack was lost: never a clean end.
        scene.peer.send([], on: id, flags: .fin)
        scene.world.run(for: .milliseconds(1))
        #expect(stream.end == .failed(.migration(.endInDoubt)))
        scene.end()
    }

    @Test("An Ack and then nothing: the hand-off ends after 30 s, on both legs (SM-F3, SM-F8)")
    func noHandOff() throws {
        let scene = try RawScene()
        let (second, connection) = try scene.connectAgain()
        let (stream, id) = try scene.hostOpens()
        let target = try scene.hostMigrates(stream, to: connection, of: second)
        scene.world.run(for: .seconds(2))
        second.send(RawScene.accept, on: target, flags: .ack)
        let time = elapsed(scene.world) { stream.end != nil }
        #expect(stream.end == .failed(.migration(.handOffTimedOut)))
        #expect(abs((time - .seconds(30)).saturatingNanoseconds) < 3_000_000)
        scene.world.run(for: .milliseconds(1))
        #expect(scene.peer.wasReset(id) && second.wasReset(target))
        scene.end()
    }

    @Test("A peer that asked and then hands nothing over: 30 s too (SM-F8)")
    func noHandOffByInitiator() throws {
        let scene = try RawScene()
        scene.open(1, label: 7)
        let (second, _) = try scene.connectAgain()
        second.send(RawScene.migrate(9, from: 7), on: 1, flags: .syn)
        let stream = try #require(scene.host.accepted.first)
        let time = elapsed(scene.world) { stream.end != nil }
        #expect(stream.end == .failed(.migration(.handOffTimedOut)))
        #expect(abs((time - .seconds(30)).saturatingNanoseconds) < 3_000_000)
        scene.end()
    }

    @Test("A stream whose negotiation stalls is given up after 10 s: by the acceptor and by the opener")
    func negotiation() throws {
        let scene = try RawScene()
        scene.peer.send(Array(RawPeer.flight([echo]).dropLast(3)), on: 1, flags: .syn)
        let stream = scene.host.open([echo], to: scene.peer.id, on: scene.connection)
        let time = elapsed(scene.world) { stream.end != nil }
        #expect(stream.end == .failed(.negotiationTimedOut))
        #expect(abs((time - .seconds(10)).saturatingNanoseconds) < 3_000_000)
        scene.world.run(for: .milliseconds(1))
        #expect(scene.peer.wasReset(1))
        #expect(scene.host.accepted.isEmpty)
        scene.world.expectOnlyConnections()
        scene.end()
    }

    @Test("A handshake that stalls is given up after 10 s, on either side", arguments: [true, false])
    func handshake(isDialer: Bool) throws {
        let world = SimulatedWorld()
        let host = world.makeHost()
        let (_, end) = world.pipe()
        let outcome = Outcome()
        _ = host.swarm.adopt(end, role: isDialer ? .dialer : .listener, expectedPeer: nil) { outcome.value = $0 }
        let time = elapsed(world) { host.swarm.census.connections == 0 }
        #expect(time == .seconds(10))
        guard case .failure(.handshakeTimedOut(.securityNegotiation))? = outcome.value else {
            Issue.record("\(String(describing: outcome.value))")
            return
        }
        world.expectNothingLeft()
    }

    @Test("An end that the peer owes on the target after a migration comes within 30 s or the stream fails (SM-M7)")
    func owedEnd() throws {
        let scene = try RawScene()
        let (second, connection) = try scene.connectAgain()
        let (stream, id) = try scene.hostOpens()
        scene.peer.send([], on: id, flags: .fin)
        stream.write("more")
        scene.world.run(for: .milliseconds(1))
        #expect(stream.end == .clean)
        let target = try scene.hostMigrates(stream, to: connection, of: second)
        second.send(RawScene.accept, on: target, flags: .ack)
        stream.closeWrite()
        scene.world.run(for: .milliseconds(1))
        #expect(stream.migrations.count == 1)
        #expect(scene.host.swarm.census.streams == 1)
        let time = elapsed(scene.world) { scene.host.swarm.census.streams == 0 }
        #expect(abs((time - .seconds(30)).saturatingNanoseconds) < 3_000_000)
        scene.end()
    }

    @Test("An application that is done waits 30 s for the peer's end, then resets (SM-F8)")
    func linger() throws {
        let scene = try RawScene()
        let (stream, id) = try scene.hostOpens()
        stream.finish()
        let time = elapsed(scene.world) { scene.host.swarm.census.streams == 0 }
        #expect(abs((time - .seconds(30)).saturatingNanoseconds) < 3_000_000)
        scene.world.run(for: .milliseconds(1))
        #expect(scene.peer.wasReset(id))
        scene.end()
    }
}

final class Outcome: @unchecked Sendable {
    var value: Result<ConnectionDriver, ConnectionError>?
}
