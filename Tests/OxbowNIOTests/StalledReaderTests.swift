import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowTesting
import Testing

@testable import OxbowNIO

/// A stream whose application doesn't read while it moves and moves again: two windows are all that it may hold (P10).
@Suite struct StalledReaderTests {
    private let window = 256 * 1_024
    private let world = SimulatedWorld()
    private let left: SimulatedHost
    private let right: SimulatedHost
    private let links: [SimulatedLink]
    private let near: SimulatedStream
    private let far: LogicalStream

    init() throws {
        let world = world
        let hosts = (0..<2).map { _ in world.makeHost { $0.muxer.maximumWindow = 256 * 1_024 } }
        (left, right) = (hosts[0], hosts[1])
        let accepted = Accepted()
        right.swarm.setHandler(bulk) { stream, _ in accepted.stream = stream }
        links = (0..<3).map { _ in world.connect(hosts[0], hosts[1], delay: .milliseconds(5)) }
        near = left.open(bulk, to: right, on: links[0])
        near.write("")
        world.run(for: .milliseconds(100))
        far = try #require(accepted.stream)
    }

    // Isolation: the test's thread, on which its virtual loop runs.
    private final class Accepted: @unchecked Sendable {
        var stream: LogicalStream?
    }

    private func move(to link: Int) {
        near.migrate(left, to: links[link])
        world.run(for: .seconds(2))
    }

    private var hasMoved: [Bool] {
        near.migrations.map { if case .success = $0 { true } else { false } }
    }

    @Test("A Migrate waits until what came before the last one is read; nothing is lost, and two windows are enough")
    func waits() {
        near.send(2_000_000, chunk: 60_000, each: .milliseconds(1))
        world.run(for: .seconds(1))
        move(to: 1)
        #expect(hasMoved == [true])
        #expect(far.heldBytes > window && far.heldBytes <= 2 * window)
        move(to: 2)
        #expect(hasMoved == [true], "there is no answer yet")
        #expect(right.swarm.census.heldMigrates == 1)
        #expect(far.heldBytes <= 2 * window)

        let reader = LoopStream(far, on: world.loop)
        var received = ByteBuffer()
        var hasEnded = false
        reader.start(within: nil) { event in
            if case .bytes(let buffer) = event { received.writeImmutableBuffer(buffer) }
            if case .end = event { hasEnded = true }
        }
        world.expect { hasEnded }
        #expect(hasMoved == [true, true])
        #expect(received.readableBytes == 2_000_000 && Pattern.matches(received))
        far.closeWrite()
        world.expect { near.end == .clean }
        world.expectOnlyConnections()
        world.expectNothingLeft()
    }

    @Test("The side that doesn't read can't ask for a further move either, until it has read")
    func refused() {
        near.write("unread")
        move(to: 1)
        let outcome = Outcomes()
        right.swarm.migrate(far, to: links[2].connection(of: right)) { outcome.all.append($0) }
        world.run(for: .seconds(1))
        guard case .failure(MigrationRefusal.unread)? = outcome.all.first else {
            Issue.record("\(outcome.all)")
            return
        }
        _ = far.read(returning: 0, orWait: nil)
        far.returnCredit(6)
        right.swarm.migrate(far, to: links[2].connection(of: right)) { outcome.all.append($0) }
        world.run(for: .seconds(1))
        #expect(outcome.all.count == 2)
        guard case .success? = outcome.all.last else {
            Issue.record("\(outcome.all)")
            return
        }
        near.reset()
        world.expectNothingLeft()
    }

    // Isolation: the test's thread.
    private final class Outcomes: @unchecked Sendable {
        var all: [Result<MigrationRecord, any Error>] = []
    }

    @Test("An application that has used all it got holds up nothing, whether or not it reads again")
    func usedUp() async throws {
        // Made here: a virtual loop belongs to one thread, and the suite may have been made on another.
        let scene = try StalledReaderTests()
        scene.near.write("all of it")
        scene.move(to: 1)
        scene.move(to: 2)
        #expect(scene.hasMoved == [true] && scene.right.swarm.census.heldMigrates == 1)
        let piece = try await scene.far.next(maximum: 4)
        scene.world.run(for: .seconds(1))
        #expect(piece?.readableBytes == 4 && scene.hasMoved == [true])
        let rest = try await scene.far.next()
        scene.world.run(for: .seconds(1))
        #expect(rest?.readableBytes == 5 && scene.hasMoved == [true, true])
        scene.near.reset()
        scene.world.expectNothingLeft()
    }

    @Test("Bytes that were used before the last move are no reason to wait, though their window is still out")
    func usedBefore() async throws {
        // Made here: a virtual loop belongs to one thread, and the suite may have been made on another.
        let scene = try StalledReaderTests()
        scene.near.write("used")
        scene.world.run(for: .seconds(1))
        _ = try await scene.far.next()
        scene.move(to: 1)
        scene.move(to: 2)
        #expect(scene.hasMoved == [true, true])
        scene.near.reset()
        scene.world.expectNothingLeft()
    }
}
