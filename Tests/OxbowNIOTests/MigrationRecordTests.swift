import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowNIO
import OxbowTesting
import Testing

/// Each migration, and each attempt, ends in exactly one record on either side, with exact times and bytes.
@Suite struct MigrationRecordTests {
    typealias Scene = MigrationUnderDelayTests.Scene

    @Test("A quiet migration, to the nanosecond: 25 ms to ask, 25 back, and 10 each way on the old path for the FINs")
    func times() throws {
        let scene = try Scene([10, 25])
        scene.near.write(String(repeating: "a", count: 1_000))
        scene.far.write(String(repeating: "b", count: 500))
        scene.world.run(for: .milliseconds(50))
        let began = scene.world.now
        scene.move(1, to: scene.links[1], by: .opener)
        let near = try #require(scene.near.logical.snapshot.migrations.only)
        let far = try #require(scene.far.logical.snapshot.migrations.only)
        #expect((near.outcome, near.role, near.number) == (.completed, .initiator, 1))
        #expect((far.outcome, far.role, far.number) == (.completed, .responder, 1))
        #expect(near.started.sinceStart == began && near.ended.sinceStart == began + .milliseconds(70))
        #expect(near.duration == .milliseconds(70) && near.timeToAnswer == .milliseconds(50))
        #expect(far.started.sinceStart == began + .milliseconds(25))
        #expect(far.duration == .milliseconds(35) && far.timeToAnswer == .zero)
        #expect((near.bytesWritten, near.bytesRead, far.bytesWritten, far.bytesRead) == (1_000, 500, 500, 1_000))
        #expect((near.bytesReadOnTarget, near.bytesWrittenOnTarget) == (0, 0))
        #expect((near.fromID, near.toID) == (far.fromID, far.toID) && near.toID != near.fromID)
        let ends = scene.links.map { $0.connection(of: scene.left).id }
        #expect((near.from?.id, near.to?.id) == (ends[0], ends[1]))
        #expect(near.from?.security == "/noise")
        scene.near.closeWrite()
        scene.far.closeWrite()
        scene.expectAllEnded()
    }

    @Test("The gap is open until something arrives on the target, and then it is exact")
    func openGap() throws {
        let scene = try Scene([10, 25])
        let began = scene.world.now
        scene.move(1, to: scene.links[1], by: .opener)
        let returned = try #require(try scene.near.migrations.only?.get())
        #expect(!returned.isGapFinal && returned.longestGap == .zero)
        scene.world.run(for: began + .milliseconds(200) - scene.world.now)
        scene.far.write("late")
        scene.world.run(for: .milliseconds(100))
        let final = try #require(scene.near.logical.snapshot.migrations.only)
        #expect(final.isGapFinal && final.longestGap == .milliseconds(225))
        scene.far.write("later")
        scene.world.run(for: .milliseconds(500))
        #expect(scene.near.logical.snapshot.migrations.only?.longestGap == .milliseconds(225))
        scene.near.closeWrite()
        scene.far.closeWrite()
        scene.expectAllEnded()
    }

    @Test("Under load the record's gap is that of the arrivals, and the bytes by path add up")
    func underLoad() throws {
        let scene = try Scene([10, 45])
        scene.near.send(chunk: 700, each: .milliseconds(2))
        scene.far.send(chunk: 900, each: .milliseconds(2))
        for number in 1...6 {
            scene.world.run(for: .milliseconds(200))
            scene.move(number, to: scene.links[number % 2], by: .alternating)
        }
        scene.world.run(for: .milliseconds(200))
        for stream in [scene.near, scene.far] {
            let snapshot = stream.logical.snapshot
            #expect(snapshot.migrations.count == 6)
            for record in snapshot.migrations {
                #expect(record.isGapFinal)
                #expect(record.longestGap == stream.gap(from: record.started.sinceStart, past: record.ended.sinceStart))
            }
            #expect(snapshot.bytesByPath.count == 7)
            #expect(snapshot.bytesByPath.map(\.read).reduce(0, +) == snapshot.totalBytesRead)
            #expect(snapshot.bytesByPath.map(\.written).reduce(0, +) == snapshot.totalBytesWritten)
        }
        let (near, far) = (scene.near.logical.snapshot.migrations, scene.far.logical.snapshot.migrations)
        #expect(near.map(\.bytesRead) == far.map(\.bytesWritten) && near.map(\.bytesWritten) == far.map(\.bytesRead))
        #expect(near.allSatisfy { $0.bytesRead > 0 && $0.bytesWritten > 0 })
        scene.near.stopSending()
        scene.far.stopSending()
        scene.expectAllDelivered()
        let total = scene.near.logical.snapshot
        #expect((total.totalBytesRead, total.totalBytesWritten) == (UInt64(scene.far.sent), UInt64(scene.near.sent)))
    }

    @Test("Glare: the one side completes and denies, the other gives way and completes (SM-F4)")
    func glare() throws {
        let scene = try Scene([10, 25])
        scene.move(1, to: scene.links[1], by: .both)
        scene.world.run(for: .milliseconds(200))
        #expect(scene.near.outcomes == ["initiator completed", "responder denied"].sorted())
        #expect(scene.far.outcomes == ["initiator yielded", "responder completed"].sorted())
        #expect(scene.left.reported.map(\.outcome.name).sorted() == ["completed", "denied"])
        #expect(scene.right.reported.map(\.outcome.name).sorted() == ["completed", "yielded"])
        // Who gave way gets the record of what came true.
        #expect(try scene.far.migrations.only?.get().role == .responder)
        #expect(scene.far.logical.snapshot.migrationTotals.yielded == 1)
        scene.near.closeWrite()
        scene.far.closeWrite()
        scene.expectAllEnded()
    }

    @Test("As many records as are asked for, the newest; the totals go on", arguments: [0, 1, 3])
    func bounded(_ limit: Int) throws {
        let world = SimulatedWorld()
        let left = world.makeHost { $0.stream.migrationRecords = limit }
        let right = world.makeHost()
        right.serve(bulk)
        let links = [world.connect(left, right), world.connect(left, right)]
        let stream = left.open(bulk, to: right, on: links[0])
        for number in 1...7 {
            stream.migrate(left, to: links[number % 2])
            world.expect { stream.migrations.count == number }
        }
        let snapshot = stream.logical.snapshot
        #expect(snapshot.migrations.map(\.number) == Array(1...7).suffix(limit))
        #expect(snapshot.migrationTotals.completed == 7 && snapshot.migrationTotals.all == 7)
        #expect(left.reported.count == 7)
        stream.reset()
        world.expectNothingLeft()
    }

    @Test("A cut at any moment of a migration: one record for each attempt, on either side")
    func cuts() throws {
        for initiator in [MigrationUnderDelayTests.Initiator.opener, .acceptor, .both] {
            for cutsSource in [true, false] {
                for moment in stride(from: 0, through: 90, by: 5) { try cut(initiator, cutsSource, moment) }
            }
        }
    }

    private func cut(_ initiator: MigrationUnderDelayTests.Initiator, _ cutsSource: Bool, _ moment: Int) throws {
        let scene = try Scene([10, 15])
        scene.near.send(chunk: 600, each: .milliseconds(1))
        scene.far.send(chunk: 600, each: .milliseconds(1))
        scene.world.run(for: .milliseconds(50))
        if initiator != .acceptor { scene.near.migrate(scene.left, to: scene.links[1]) }
        if initiator != .opener { scene.far.migrate(scene.right, to: scene.links[1]) }
        scene.world.run(for: .milliseconds(moment))
        scene.links[cutsSource ? 0 : 1].cut()
        scene.world.run(for: .milliseconds(100))
        scene.near.stopSending()
        scene.far.stopSending()
        scene.world.run(for: .seconds(100))
        let place = "\(initiator) source: \(cutsSource) after \(moment) ms"
        for (host, stream) in [(scene.left, scene.near), (scene.right, scene.far)] {
            // A target that is gone before the attempt begins is the one thing that leads to none.
            let asked = stream.migrations.count { if case .failure(is MigrationRefusal) = $0 { false } else { true } }
            let own = host.reported.filter { $0.role == .initiator }
            #expect(own.count == asked, "\(place): \(host.reported.map(\.outcome))")
            #expect(host.reported.count { $0.isCompleted } <= 1, "\(place)")
            #expect(host.reported.count <= 2, "\(place): \(host.reported.map(\.outcome))")
            #expect(stream.logical.snapshot.migrationTotals.all >= own.count, "\(place)")
        }
        scene.world.expectNothingLeft()
    }
}

extension MigrationUnderDelayTests.Scene {
    /// Both sides end cleanly, and nothing is left but connections.
    func expectAllEnded() {
        world.expect { near.end == .clean && far.end == .clean }
        world.run(for: .seconds(30))
        world.expectOnlyConnections()
        world.expectNothingLeft()
    }
}

extension SimulatedHost {
    /// The records of all migrations and attempts that the host's events told of.
    var reported: [MigrationRecord] {
        events.compactMap { event in
            switch event {
            case .streamMigrated(_, _, let record), .streamNotMigrated(_, _, let record): record
            default: nil
            }
        }
    }
}

extension SimulatedStream {
    var outcomes: [String] {
        logical.snapshot.migrations.map { "\($0.role) \($0.outcome.name)" }.sorted()
    }

    /// The longest time without an arrival from `start` to the first arrival at `end` or behind it.
    func gap(from start: Duration, past end: Duration) -> Duration {
        var (last, gap) = (start, Duration.zero)
        for time in arrivals.map(\.at) where time >= start {
            gap = max(gap, time - last)
            last = time
            if time >= end { break }
        }
        return gap
    }
}

extension Instant {
    /// As the simulated world counts.
    var sinceStart: Duration { .nanoseconds(nanoseconds) }
}

extension Collection {
    /// The one element, if there is just one.
    var only: Element? { count == 1 ? first : nil }
}
