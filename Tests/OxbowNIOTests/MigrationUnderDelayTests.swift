import NIOCore
import OxbowCore
import OxbowMigration
import OxbowNIO
import OxbowTesting
import Testing

/// Live streams that move between connections of different delay, on virtual time.
@Suite struct MigrationUnderDelayTests {
    enum Initiator: CaseIterable {
        case opener
        case acceptor
        case alternating
        /// Both ask at the same moment (SM-F4).
        case both
    }

    /// Two hosts with two links, and a stream on the first of them.
    struct Scene {
        let world = SimulatedWorld()
        let left: SimulatedHost
        let right: SimulatedHost
        let links: [SimulatedLink]
        let near: SimulatedStream
        let far: SimulatedStream

        init(_ delays: [Int], openerIsLower: Bool = true, security: [ProtocolID] = ["/noise"]) throws {
            let (first, second) = (world.makeHost(security: security), world.makeHost(security: security))
            (left, right) = openerIsLower ? (first, second) : (second, first)
            right.serve(bulk)
            links = delays.map { [world, left, right] in world.connect(left, right, delay: .milliseconds($0)) }
            near = left.open(bulk, to: right, on: links[0])
            near.write("")
            world.expect { [right] in right.accepted.count == 1 }
            far = try #require(right.accepted.first)
            world.run(for: .seconds(1))
        }

        var moves: (Int, Int) { (near.logical.snapshot.migrationCount, far.logical.snapshot.migrationCount) }

        /// Moves the stream to `link` and waits until both sides live there.
        func move(_ number: Int, to link: SimulatedLink, by initiator: Initiator) {
            let before = moves
            switch initiator {
            case .opener: near.migrate(left, to: link)
            case .acceptor: far.migrate(right, to: link)
            case .alternating: return move(number, to: link, by: number.isMultiple(of: 2) ? .opener : .acceptor)
            case .both:
                near.migrate(left, to: link)
                far.migrate(right, to: link)
            }
            world.expect { moves == (before.0 + 1, before.1 + 1) }
            for stream in [near, far] {
                #expect(stream.logical.snapshot.path?.id != nil)
            }
            let ids = (near.logical.snapshot.path?.id, far.logical.snapshot.path?.id)
            #expect(ids == (link.connection(of: left).id, link.connection(of: right).id))
            #expect(near.logical.snapshot.id == far.logical.snapshot.id)
        }

        /// Each side got exactly what the other wrote, then a clean end (P1, P2, P3).
        func expectAllDelivered() {
            world.expect { near.end != nil && far.end != nil }
            for (reader, writer) in [(near, far), (far, near)] {
                #expect(reader.end == .clean)
                #expect(reader.received.readableBytes == writer.sent)
                #expect(Pattern.matches(reader.received))
            }
            world.run(for: .seconds(30))
            world.expectOnlyConnections()
            world.expectNothingLeft()
        }
    }

    @Test("Bulk both ways, 20 migrations: same bytes, same order, clean ends, no pause beyond the paths' difference")
    func bulkBothWays() throws {
        for initiator in Initiator.allCases {
            for openerIsLower in [true, false] {
                try bulkBothWays(initiator, openerIsLower)
            }
        }
    }

    private func bulkBothWays(_ initiator: Initiator, _ openerIsLower: Bool) throws {
        let step = Duration.milliseconds(2)
        let scene = try Scene([10, 45], openerIsLower: openerIsLower)
        scene.near.send(chunk: 700, each: step)
        scene.far.send(chunk: 900, each: step)
        for number in 1...20 { scene.move(number, to: scene.links[number % 2], by: initiator) }
        // The gaps count while both send.
        let gaps = [scene.near.longestGap, scene.far.longestGap]
        scene.near.stopSending()
        scene.far.stopSending()
        for gap in gaps { #expect(gap <= .milliseconds(45 - 10) + step, "\(initiator) \(openerIsLower)") }
        #expect(gaps.allSatisfy { $0 > step })
        scene.expectAllDelivered()
    }

    @Test("Faster than the window: 20 migrations while both queues are full")
    func fullQueues() throws {
        for initiator in Initiator.allCases {
            let scene = try Scene([5, 20])
            scene.near.send(chunk: 60_000, each: .milliseconds(1))
            scene.far.send(chunk: 60_000, each: .milliseconds(1))
            for number in 1...20 { scene.move(number, to: scene.links[number % 2], by: initiator) }
            scene.near.stopSending()
            scene.far.stopSending()
            scene.expectAllDelivered()
        }
    }

    @Test("An idle stream moves 20 times and is still the same stream (P5)", arguments: Initiator.allCases)
    func idle(_ initiator: Initiator) throws {
        let scene = try Scene([30, 10])
        for number in 1...20 { scene.move(number, to: scene.links[number % 2], by: initiator) }
        #expect(scene.near.end == nil && scene.far.end == nil)
        #expect(scene.near.arrivals.isEmpty && scene.far.arrivals.isEmpty)
        scene.near.send(5_000, chunk: 1_000, each: .milliseconds(1))
        scene.far.send(5_000, chunk: 1_000, each: .milliseconds(1))
        scene.expectAllDelivered()
    }

    @Test("A half-closed stream moves 20 times: the open direction flows, the closed one stays closed (SM-M7, P5)")
    func halfClosed() throws {
        for initiator in Initiator.allCases {
            for closesNear in [true, false] {
                let scene = try Scene([10, 25])
                let (closed, open) = closesNear ? (scene.near, scene.far) : (scene.far, scene.near)
                closed.send(3_000, chunk: 1_000, each: .milliseconds(1))
                open.send(chunk: 500, each: .milliseconds(3))
                scene.world.expect { open.end == .clean }
                for number in 1...20 { scene.move(number, to: scene.links[number % 2], by: initiator) }
                #expect(closed.end == nil)
                open.stopSending()
                scene.expectAllDelivered()
            }
        }
    }

    @Test("The write side closes in each phase of a migration: the end comes behind every byte (SM-M2, SM-M7)")
    func closesMeanwhile() throws {
        for initiator in [Initiator.opener, .acceptor, .both] {
            for moment in stride(from: 0, through: 200, by: 5) {
                let scene = try Scene([20, 35])
                scene.near.send(chunk: 800, each: .milliseconds(1))
                scene.far.send(chunk: 800, each: .milliseconds(1))
                scene.world.run(for: .milliseconds(100))
                if initiator != .acceptor { scene.near.migrate(scene.left, to: scene.links[1]) }
                if initiator != .opener { scene.far.migrate(scene.right, to: scene.links[1]) }
                scene.world.run(for: .milliseconds(moment))
                scene.near.stopSending()
                scene.world.run(for: .milliseconds(moment / 2))
                scene.far.stopSending()
                scene.expectAllDelivered()
            }
        }
    }

    @Test("Source and target with different security", arguments: [true, false])
    func differentSecurity(noiseFirst: Bool) throws {
        let world = SimulatedWorld()
        let left = world.makeHost(security: noiseFirst ? ["/noise", "/tls/1.0.0"] : ["/tls/1.0.0", "/noise"])
        let right = world.makeHost(security: noiseFirst ? ["/tls/1.0.0", "/noise"] : ["/noise", "/tls/1.0.0"])
        right.serve(bulk)
        let first = world.connect(left, right, delay: .milliseconds(10))
        let other = world.connect(right, left, delay: .milliseconds(10))
        let protocols = [first, other].map { $0.connection(of: left).path.security?.rawValue }
        #expect(protocols == (noiseFirst ? ["/noise", "/tls/1.0.0"] : ["/tls/1.0.0", "/noise"]))
        let stream = left.open(bulk, to: right, on: first)
        stream.send(400_000, chunk: 4_000, each: .milliseconds(2))
        world.run(for: .milliseconds(50))
        for number in 1...10 {
            stream.migrate(left, to: number.isMultiple(of: 2) ? first : other)
            world.expect { stream.migrations.count == number }
        }
        let far = try #require(right.accepted.first)
        far.closeWrite()
        world.expect { far.end == .clean && stream.end == .clean }
        #expect(far.received.readableBytes == 400_000 && Pattern.matches(far.received))
        world.expectNothingLeft()
    }
}
