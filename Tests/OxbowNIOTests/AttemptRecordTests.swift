import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowNIO
import OxbowTesting
import Testing

/// What came of attempts that led to no hand-over, as their records tell it: against a peer that is driven by hand.
@Suite struct AttemptRecordTests {
    /// A host with a stream that it moves to a second connection, up to the unanswered Migrate.
    private struct Attempt {
        let scene: RawScene
        let second: RawPeer
        let connection: ConnectionDriver
        let stream: SimulatedStream
        let source: YamuxStreamID
        let target: YamuxStreamID
        let began: Duration

        init() throws {
            scene = try RawScene()
            (second, connection) = try scene.connectAgain()
            (stream, source) = try scene.hostOpens()
            began = scene.world.now
            target = try scene.hostMigrates(stream, to: connection, of: second)
        }

        /// The one record that the stream and the host have by now.
        func record(sourceLocation: SourceLocation = #_sourceLocation) throws -> MigrationRecord {
            let record = try #require(stream.logical.snapshot.migrations.only, sourceLocation: sourceLocation)
            #expect(scene.host.reported == [record], sourceLocation: sourceLocation)
            #expect(record.role == .initiator && record.started.sinceStart == began, sourceLocation: sourceLocation)
            #expect(record.to?.id == connection.id, sourceLocation: sourceLocation)
            return record
        }
    }

    @Test func denied() throws {
        let attempt = try Attempt()
        attempt.scene.world.run(for: .milliseconds(6))
        attempt.second.send(RawScene.deny, on: attempt.target, flags: .ack)
        attempt.scene.world.run(for: .milliseconds(1))
        let record = try attempt.record()
        #expect(record.outcome == .denied)
        #expect(record.timeToAnswer == .milliseconds(7) && record.duration == .milliseconds(7))
        #expect(attempt.stream.logical.snapshot.migrationTotals.denied == 1)
        #expect(attempt.stream.logical.snapshot.migrationCount == 0)
        guard case .failure(let error as MigrationAttemptError)? = attempt.stream.migrations.only else {
            Issue.record("\(attempt.stream.migrations)")
            return
        }
        #expect(error.record == record)
        attempt.scene.end()
    }

    @Test("A target that is reset, an answer that is none, no answer at all: each says what it was")
    func failed() throws {
        let reset = try Attempt()
        reset.second.reset(reset.target)
        reset.scene.world.run(for: .milliseconds(1))
        #expect(try reset.record().outcome == .failed(.targetLost(.resetByPeer(code: 0))))
        #expect(try reset.record().timeToAnswer == nil)
        reset.scene.end()

        let wrong = try Attempt()
        let answer = RawPeer.flight([RawScene.migration]) + [0x04, 0x0A, 0x02, 0x08, 0x07]
        wrong.second.send(answer, on: wrong.target, flags: .ack)
        wrong.scene.world.run(for: .milliseconds(1))
        #expect(try wrong.record().outcome == .failed(.wrongAnswer))
        wrong.scene.end()

        let silent = try Attempt()
        silent.scene.world.run(for: .seconds(70))
        #expect(try silent.record().outcome == .failed(.timedOut))
        #expect(try silent.record().duration == .seconds(60))
        silent.scene.end()
    }

    @Test("A connection that is closed takes no target: the peer never learned of it")
    func notOpened() throws {
        let scene = try RawScene()
        let (_, connection) = try scene.connectAgain()
        let (stream, _) = try scene.hostOpens()
        connection.close()
        stream.migrate(scene.host, to: connection)
        scene.world.run(for: .milliseconds(1))
        let record = try #require(scene.host.reported.only)
        #expect(record.outcome == .failed(.notOpened(.connectionLost(.closedLocally))))
        #expect(stream.end == nil)
        stream.reset()
        scene.end()
    }

    @Test("A stream that fails while it waits for the answer, or in the hand-over: aborted, with its bytes")
    func aborted() throws {
        let waiting = try Attempt()
        waiting.scene.world.run(for: .milliseconds(2))
        waiting.stream.reset(code: 9)
        waiting.scene.world.run(for: .milliseconds(1))
        #expect(try waiting.record().outcome == .aborted(.resetLocally(code: 9)))
        #expect(try waiting.record().duration == .milliseconds(3), "the clock is the loop's")
        waiting.scene.end()

        let handing = try Attempt()
        handing.scene.peer.send([UInt8]("four".utf8), on: handing.source)
        handing.second.send(RawScene.accept, on: handing.target, flags: .ack)
        handing.scene.world.run(for: .milliseconds(1))
        handing.stream.write("seventeen letters")
        handing.scene.world.run(for: .milliseconds(1))
        handing.second.reset(handing.target)
        handing.scene.world.run(for: .milliseconds(1))
        let record = try handing.record()
        #expect(record.outcome == .aborted(.migration(.lostDuringHandOff(.target))))
        #expect((record.bytesRead, record.bytesWritten) == (4, 0))
        #expect((record.bytesReadOnTarget, record.bytesWrittenOnTarget) == (0, 17))
        handing.scene.end()
    }

    @Test("A migration that is complete has its record; what becomes of the stream later adds none")
    func exactlyOne() throws {
        let attempt = try Attempt()
        attempt.second.send(RawScene.accept, on: attempt.target, flags: .ack)
        attempt.scene.peer.send([], on: attempt.source, flags: .fin)
        attempt.scene.world.run(for: .milliseconds(1))
        #expect(try attempt.record().outcome == .completed)
        attempt.stream.reset()
        attempt.scene.world.run(for: .milliseconds(1))
        #expect(try attempt.record().outcome == .completed, "what comes later is another matter")
        attempt.scene.end()
    }

    // MARK: The peer's Migrates

    private func responder(_ scene: RawScene) -> MigrationRecord? {
        scene.host.reported.only.flatMap { $0.role == .responder ? $0 : nil }
    }

    @Test("A Migrate that names a stream that nobody knows: held, then told of (SM-F6)")
    func unknown() throws {
        let scene = try RawScene()
        scene.peer.send(RawScene.migrate(9, from: 7), on: 1, flags: .syn)
        scene.world.run(for: .seconds(1))
        #expect(scene.host.reported.isEmpty)
        scene.world.run(for: .seconds(20))
        let record = try #require(responder(scene))
        #expect(record.outcome == .failed(.unknownStream) && record.duration == .seconds(10))
        #expect((record.fromID, record.toID, record.number) == (7, 9, 0))
        #expect(record.to?.id == scene.connection.id && record.from == nil)
        scene.end()
    }

    @Test("A held Migrate whose connection goes")
    func heldAndLost() throws {
        let scene = try RawScene()
        scene.peer.send(RawScene.migrate(9, from: 7), on: 1, flags: .syn)
        scene.world.run(for: .seconds(2))
        scene.peer.reset(1)
        scene.world.run(for: .seconds(20))
        let record = try #require(responder(scene))
        #expect(record.outcome == .failed(.targetLost(.resetByPeer(code: 0))) && record.duration == .seconds(2))
        scene.end()
    }

    @Test("A Migrate of a stream that has ended is denied; one with a live stream's id is reset (SM-L4, SM-F6)")
    func refused() throws {
        let ended = try RawScene()
        ended.open(1, label: 7)
        try #require(ended.host.accepted.first).reset()
        ended.world.run(for: .milliseconds(1))
        ended.peer.send(RawScene.migrate(9, from: 7), on: 3, flags: .syn)
        ended.world.run(for: .milliseconds(1))
        #expect(responder(ended)?.outcome == .denied)
        ended.end()

        let twice = try RawScene()
        twice.open(1, label: 7)
        twice.open(3, label: 9)
        twice.peer.send(RawScene.migrate(9, from: 7), on: 5, flags: .syn)
        twice.world.run(for: .milliseconds(1))
        #expect(responder(twice)?.outcome == .failed(.refused))
        #expect(twice.peer.wasReset(5))
        twice.end()
    }

    @Test("A Migrate that was held and then accepted counts from its arrival")
    func heldAndAccepted() throws {
        let scene = try RawScene()
        let (second, _) = try scene.connectAgain()
        second.send(RawScene.migrate(9, from: 7), on: 1, flags: .syn)
        scene.world.run(for: .seconds(3))
        scene.open(1, label: 7)
        scene.peer.send([], on: 1, flags: .fin)
        scene.world.run(for: .milliseconds(1))
        let record = try #require(responder(scene))
        #expect(record.outcome == .completed && record.timeToAnswer == .seconds(3))
        try #require(scene.host.accepted.first).reset()
        scene.end()
    }
}
