import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowNIO
import OxbowTesting
import Testing

/// An attempt whose end is the end of the stream too: who waits for it is told of the attempt.
@Suite struct AttemptEndTests {
    @Test("A denial that lets a held FIN be the end is told as a denial (SM-M2, SM-F1)")
    func deniedAtTheEnd() throws {
        let scene = try RawScene()
        let (second, connection) = try scene.connectAgain()
        let (stream, id) = try scene.hostOpens()
        stream.closeWrite()
        scene.world.run(for: .milliseconds(1))
        let target = try scene.hostMigrates(stream, to: connection, of: second)
        scene.peer.send([], on: id, flags: .fin)
        scene.world.run(for: .milliseconds(1))
        #expect(stream.end == nil && stream.migrations.isEmpty)
        second.send(RawScene.deny, on: target, flags: .ack)
        scene.world.run(for: .milliseconds(1))
        #expect(stream.end == .clean)
        guard case .failure(let error as MigrationAttemptError)? = stream.migrations.first else {
            Issue.record("\(stream.migrations)")
            return
        }
        #expect(error.outcome == .denied && error.record?.outcome == .denied)
        scene.end()
    }

    @Test("A migration that is complete with the stream's last FIN is told as complete (SM-M8)")
    func completeAtTheEnd() throws {
        let scene = try RawScene()
        let (second, connection) = try scene.connectAgain()
        let (stream, id) = try scene.hostOpens()
        stream.closeWrite()
        scene.world.run(for: .milliseconds(1))
        let target = try scene.hostMigrates(stream, to: connection, of: second)
        second.send(RawScene.accept, on: target, flags: .ack)
        scene.world.run(for: .milliseconds(1))
        second.send([], on: target, flags: .fin)
        scene.world.run(for: .milliseconds(1))
        #expect(stream.end == nil && stream.migrations.isEmpty)
        scene.peer.send([], on: id, flags: .fin)
        scene.world.run(for: .milliseconds(1))
        #expect(stream.end == .clean)
        guard case .success(let record)? = stream.migrations.first else {
            Issue.record("\(stream.migrations)")
            return
        }
        #expect(record.isCompleted && record.role == .initiator)
        scene.end()
    }
}
