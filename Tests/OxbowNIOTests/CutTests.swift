import NIOCore
import OxbowCore
import OxbowMigration
import OxbowNIO
import OxbowTesting
import Testing

/// A line is cut at some moment of a migration: each side goes on or fails with a typed error, and nothing is left
/// (P2, P4, P7).
@Suite struct CutTests {
    enum Which: CaseIterable {
        case source
        case target
    }

    enum Survival {
        case both
        case none
    }

    private func cut(_ which: Which, at moment: Int, by initiator: MigrationUnderDelayTests.Initiator) throws
        -> Survival
    {
        let scene = try MigrationUnderDelayTests.Scene([10, 15])
        let world = scene.world
        scene.near.send(chunk: 600, each: .milliseconds(1))
        scene.far.send(chunk: 600, each: .milliseconds(1))
        world.run(for: .milliseconds(50))
        if initiator != .acceptor { scene.near.migrate(scene.left, to: scene.links[1]) }
        if initiator != .opener { scene.far.migrate(scene.right, to: scene.links[1]) }
        world.run(for: .milliseconds(moment))
        scene.links[which == .source ? 0 : 1].cut()
        world.run(for: .milliseconds(100))
        let lives = scene.near.end == nil && scene.far.end == nil
        scene.near.stopSending()
        scene.far.stopSending()
        world.run(for: .seconds(100))
        let ends = [scene.near.end, scene.far.end]
        for (reader, writer) in [(scene.near, scene.far), (scene.far, scene.near)] {
            #expect(Pattern.matches(reader.received), "delivered bytes are a prefix of the written ones (P1)")
            guard reader.end == .clean else { continue }
            #expect(reader.received.readableBytes == writer.sent, "a clean end only behind every byte (P2)")
        }
        for end in ends {
            guard case .failed(let error)? = end else {
                #expect(end == .clean, "never hung (P4)")
                continue
            }
            switch error {
            case .connectionLost, .migration(.lostDuringHandOff), .migration(.endInDoubt), .resetByPeer: break
            default: Issue.record("\(which) cut after \(moment) ms by \(initiator): \(error)")
            }
        }
        world.expectOnlyConnections()
        world.expectNothingLeft()
        return lives ? .both : .none
    }

    @Test("Cut at every millisecond of a migration, asked for by either side and by both", arguments: Which.allCases)
    func everyMoment(_ which: Which) throws {
        for initiator in [MigrationUnderDelayTests.Initiator.opener, .acceptor, .both] {
            var survivals: [Survival] = []
            for moment in stride(from: 0, through: 90, by: 3) {
                survivals.append(try cut(which, at: moment, by: initiator))
            }
            // At the end of it the source is nobody's (SM-M8), and the target everything.
            #expect(survivals.last == (which == .source ? .both : Survival.none))
            #expect(survivals.contains { $0 == .none })
            // Before the peer has seen the Migrate, only the source matters.
            #expect(survivals.first == (which == .source ? Survival.none : .both))
        }
    }

    @Test(
        "A line that stalls for good during a hand-off: both sides fail within their deadlines, nothing hangs (P4, P8)")
    func stalls() throws {
        for which in Which.allCases {
            for moment in [5, 25, 45] {
                let scene = try MigrationUnderDelayTests.Scene([10, 15])
                scene.near.migrate(scene.left, to: scene.links[1])
                scene.world.run(for: .milliseconds(moment))
                scene.links[which == .source ? 0 : 1].stall()
                scene.near.finish()
                scene.far.finish()
                scene.world.run(for: .seconds(240))
                scene.world.expectOnlyConnections()
                scene.world.expectNothingLeft()
            }
        }
    }

    @Test("A stalled source doesn't hold up the cut-over: what isn't framed goes to the target at once (SM-M4)")
    func stalledSource() throws {
        let scene = try MigrationUnderDelayTests.Scene([10, 10])
        let world = scene.world
        // The peer's application reads nothing of the source: its window fills, and the queue behind it.
        world.run(for: .milliseconds(10))
        scene.near.migrate(scene.left, to: scene.links[1])
        world.run(for: .milliseconds(41))
        scene.links[0].stall()
        scene.near.send(200_000, chunk: 50_000, each: .milliseconds(1))
        world.run(for: .milliseconds(100))
        #expect(scene.far.received.readableBytes <= 200_000)
        scene.links[0].heal()
        scene.far.closeWrite()
        world.expect { scene.far.end == .clean && scene.near.end == .clean }
        #expect(scene.far.received.readableBytes == 200_000 && Pattern.matches(scene.far.received))
        world.expectNothingLeft()
    }

    @Test("A reset of the application in each phase reaches both legs and the peer (SM-F9, P6)")
    func resets() throws {
        for moment in stride(from: 0, through: 90, by: 3) {
            let scene = try MigrationUnderDelayTests.Scene([10, 15])
            scene.far.send(chunk: 600, each: .milliseconds(1))
            scene.near.migrate(scene.left, to: scene.links[1])
            scene.world.run(for: .milliseconds(moment))
            scene.near.reset(code: 77)
            #expect(scene.near.end == .failed(.resetLocally(code: 77)))
            scene.world.expect(within: .seconds(1)) { scene.far.end != nil }
            switch scene.far.end {
            case .failed(.resetByPeer(code: 77)), .failed(.migration(.lostDuringHandOff)): break
            default: Issue.record("after \(moment) ms: \(String(describing: scene.far.end))")
            }
            scene.world.run(for: .seconds(1))
            scene.world.expectOnlyConnections()
            scene.world.expectNothingLeft()
        }
    }

    @Test("A connection that is closed in order after the migration takes nothing with it (SM-M8, SM-M9)")
    func closesOldConnection() throws {
        let scene = try MigrationUnderDelayTests.Scene([40, 10])
        scene.near.send(chunk: 600, each: .milliseconds(1))
        scene.far.send(chunk: 600, each: .milliseconds(1))
        scene.move(1, to: scene.links[1], by: .opener)
        scene.links[0].connection(of: scene.left).close()
        scene.world.run(for: .seconds(1))
        #expect(scene.left.swarm.census.connections == 1 && scene.right.swarm.census.connections == 1)
        scene.near.stopSending()
        scene.far.stopSending()
        scene.expectAllDelivered()
    }
}
