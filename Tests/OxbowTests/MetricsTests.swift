import Logging
import MetricsTestKit
import NIOCore
import OxbowTesting
import Synchronization
import Testing

@testable import Oxbow

/// A host's metrics and its log, on the simulated network.
@Suite struct MetricsTests {
    private static let bulk: ProtocolID = "/bulk/1.0.0"

    private struct Scene {
        let world = SimulatedWorld()
        let metrics = TestMetrics()
        let left: SimulatedHost
        let right: SimulatedHost
        let links: [SimulatedLink]

        init() {
            let meter = HostMetrics(factory: metrics)
            left = world.makeHost { $0.meter = meter }
            right = world.makeHost()
            right.serve(MetricsTests.bulk)
            links = [10, 25].map { [world, left, right] in world.connect(left, right, delay: .milliseconds($0)) }
        }

        func counter(_ role: String, _ outcome: String) throws -> Int64 {
            try metrics.expectCounter("oxbow_migrations_total", [("role", role), ("outcome", outcome)]).totalValue
        }

        func bytes(_ direction: String) throws -> Int64 {
            try metrics.expectCounter("oxbow_stream_bytes_total", [("direction", direction)]).totalValue
        }

        func timer(_ label: String, _ role: String) throws -> [Int64] {
            try metrics.expectTimer(label, [("role", role)]).values
        }
    }

    @Test("Counters, times and bytes of migrations by either side, exactly")
    func migrations() throws {
        let scene = Scene()
        let recorders = scene.metrics.counters.count + scene.metrics.timers.count + scene.metrics.meters.count
        #expect(try scene.metrics.expectMeter("oxbow_connections").lastValue == 2)
        let stream = scene.left.open(Self.bulk, to: scene.right, on: scene.links[0])
        stream.write(String(repeating: "a", count: 1_000))
        scene.world.run(for: .seconds(1))
        #expect(try scene.metrics.expectMeter("oxbow_streams").lastValue == 1)
        stream.migrate(scene.left, to: scene.links[1])
        scene.world.run(for: .milliseconds(100))
        #expect(try scene.counter("initiator", "completed") == 1)
        #expect(try scene.timer("oxbow_migration_duration", "initiator") == [70_000_000])
        #expect(try scene.timer("oxbow_migration_answer", "initiator") == [50_000_000])
        #expect(try scene.metrics.expectTimer("oxbow_migration_gap").values.isEmpty, "nothing has arrived yet")
        #expect(try scene.bytes("written") >= 1_000)
        let far = try #require(scene.right.accepted.first)
        far.write("x")
        scene.world.run(for: .milliseconds(100))
        #expect(try scene.metrics.expectTimer("oxbow_migration_gap").values == [125_000_000])
        far.migrate(scene.right, to: scene.links[0])
        scene.world.run(for: .milliseconds(200))
        #expect(try scene.counter("responder", "completed") == 1)
        // The Migrate comes on the fast path; the FINs of the slow one take 25 ms each.
        #expect(try scene.timer("oxbow_migration_duration", "responder") == [35_000_000])
        #expect(try scene.timer("oxbow_migration_answer", "responder") == [0])
        far.closeWrite()
        stream.closeWrite()
        scene.world.run(for: .seconds(1))
        #expect(try scene.metrics.expectMeter("oxbow_streams").lastValue == 0)
        // All that passed is counted once, identify's streams as well.
        let before = try scene.bytes("written")
        scene.world.run(for: .seconds(200))
        #expect(try scene.bytes("written") == before)
        let now = scene.metrics.counters.count + scene.metrics.timers.count + scene.metrics.meters.count
        #expect(now == recorders, "recorders are made once")
        for host in [scene.left, scene.right] { host.swarm.close {} }
        scene.world.run(for: .seconds(60))
        #expect(try scene.metrics.expectMeter("oxbow_connections").lastValue == 0)
        for census in scene.world.end() { #expect(census.isZero) }
    }

    @Test("A long stream's bytes are counted while it lives, and none twice")
    func bytesOfALongStream() throws {
        let scene = Scene()
        let before = (try scene.bytes("read"), try scene.bytes("written"))
        let stream = scene.left.open(Self.bulk, to: scene.right, on: scene.links[0])
        stream.send(chunk: 1_000, each: .milliseconds(10))
        scene.world.run(for: .seconds(100))
        #expect(try scene.bytes("written") - before.1 > 1_000_000, "no migration, no end, and counted")
        stream.migrate(scene.left, to: scene.links[1])
        scene.world.run(for: .seconds(1))
        stream.stopSending()
        scene.world.run(for: .seconds(1))
        scene.right.accepted.first?.closeWrite()
        scene.world.run(for: .seconds(1))
        #expect(try scene.bytes("written") - before.1 == Int64(stream.sent))
        #expect(try scene.bytes("read") == before.0)
        for census in scene.world.end() { #expect(census.isZero) }
    }

    @Test("Glare: one completes and denies, the other gives way")
    func glare() throws {
        let scene = Scene()
        let stream = scene.left.open(Self.bulk, to: scene.right, on: scene.links[0])
        scene.world.run(for: .seconds(1))
        stream.migrate(scene.left, to: scene.links[1])
        scene.right.accepted.first?.migrate(scene.right, to: scene.links[1])
        scene.world.run(for: .seconds(1))
        #expect(try scene.counter("initiator", "completed") == 1 && scene.counter("responder", "denied") == 1)
        #expect(try scene.counter("initiator", "yielded") == 0 && scene.counter("responder", "completed") == 0)
        stream.reset()
        for census in scene.world.end() { #expect(census.isZero) }
    }

    // MARK: The log

    private final class Lines: Sendable {
        let all = Mutex<[(level: Logger.Level, message: String, metadata: Logger.Metadata)]>([])
    }

    private struct Handler: LogHandler {
        let lines: Lines
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]
        var metadataProvider: Logger.MetadataProvider?

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.all.withLock { $0.append((event.level, "\(event.message)", event.metadata ?? [:])) }
        }
    }

    private func log(level: Logger.Level = .trace) -> (HostLog, Lines) {
        let lines = Lines()
        var logger = Logger(label: "test") { _ in Handler(lines: lines) }
        logger.logLevel = level
        return (HostLog(logger), lines)
    }

    @Test("Connections and migrations, with what an operator looks for")
    func logsEvents() throws {
        let scene = Scene()
        let stream = scene.left.open(Self.bulk, to: scene.right, on: scene.links[0])
        scene.world.run(for: .seconds(1))
        stream.migrate(scene.left, to: scene.links[1])
        scene.world.run(for: .seconds(1))
        stream.migrate(scene.left, to: scene.links[0])
        scene.world.run(for: .milliseconds(60))
        scene.links[1].cut()
        scene.world.run(for: .seconds(100))
        let (log, lines) = log()
        for event in scene.left.events { log.write(event) }
        let all = lines.all.withLock { $0 }
        let migrated = try #require(all.first { $0.message == "stream migrated" })
        #expect(migrated.level == .debug && migrated.metadata["outcome"] == "completed")
        #expect(migrated.metadata["role"] == "initiator" && migrated.metadata["milliseconds"] == "70.0")
        #expect(migrated.metadata["peer"] == "\(scene.right.id)")
        let failed = try #require(all.first { $0.message == "stream not migrated" })
        #expect(failed.level == .notice && failed.metadata["outcome"] == "aborted")
        #expect(all.count { $0.message == "connection opened" } == 2)
        #expect(all.count { $0.message == "connection closed" } == 1)
        let (quiet, none) = self.log(level: .warning)
        for event in scene.left.events { quiet.write(event) }
        #expect(none.all.withLock { $0.isEmpty })
        for census in scene.world.end() { #expect(census.isZero) }
    }

    @Test("What a peer chose is escaped and cut")
    func escapes() throws {
        #expect(HostLog.escaped("/plain/1.0.0 é") == "/plain/1.0.0 é")
        #expect(HostLog.escaped("a\nb\u{1B}[2J\u{202E}") == "a\\u{a}b\\u{1b}[2J\\u{202e}")
        let long = HostLog.escaped(String(repeating: "x", count: 10_000))
        #expect(long.count == HostLog.maximumText + 1 && long.hasSuffix("…"))
        let scene = Scene()
        let evil: ProtocolID = "/x\u{1B}[31m"
        scene.right.serve(evil)
        scene.world.run(for: .milliseconds(100))
        let stream = scene.left.open(evil, to: scene.right, on: scene.links[0])
        scene.world.run(for: .seconds(1))
        stream.migrate(scene.left, to: scene.links[1])
        scene.world.run(for: .seconds(1))
        let (log, lines) = log()
        for event in scene.left.events { log.write(event) }
        let line = try #require(lines.all.withLock { $0.first { $0.message == "stream migrated" } })
        #expect(line.metadata["protocol"] == "/x\\u{1b}[31m")
        stream.reset()
        for census in scene.world.end() { #expect(census.isZero) }
    }

    @Test("What a limit refuses is counted each time, and logged at a bearable rate with its count")
    func refusals() throws {
        let (world, metrics) = (SimulatedWorld(), TestMetrics())
        let left = world.makeHost {
            $0.meter = HostMetrics(factory: metrics)
            $0.limits.connectionsPerPeer = 1
        }
        let right = world.makeHost()
        for _ in 0..<101 { _ = world.connect(right, left) }
        world.run(for: .seconds(3))
        let counter = try metrics.expectCounter(
            "oxbow_refusals_total", [("scope", "peer"), ("resource", "connections")])
        #expect(counter.totalValue == 100)
        let (log, lines) = log()
        for event in left.events { log.write(event) }
        let told = lines.all.withLock { $0.filter { $0.message == "limit reached" } }
        #expect(told.map { $0.metadata["count"] } == ["1", "99"] && told.allSatisfy { $0.level == .notice })
        #expect(told.first?.metadata["scope"] == "peer" && told.first?.metadata["limit"] == "1")
        for census in world.end() { #expect(census.isZero) }
    }

    @Test("A dial that fails is logged, once")
    func logsDials() async throws {
        let lines = Lines()
        var configuration = HostConfiguration()
        configuration.logger = Logger(label: "test") { _ in Handler(lines: lines) }
        let nobody = try PrivateKey.generate(.ed25519).publicKey.peerID
        try await withHost(identity: .generate(.ed25519), configuration: configuration) { host in
            _ = await #expect(throws: DialError.self) { try await host.connect(to: nobody, at: []) }
        }
        let line = try #require(lines.all.withLock { $0.count == 1 ? $0.first : nil })
        #expect(line.message == "dial failed" && line.level == .info && line.metadata["peer"] == "\(nobody)")
    }

    // MARK: On sockets

    @Test("Over TCP: both ends know both addresses, metrics come by configuration, waits of any length are taken")
    func sockets() async throws {
        let metrics = TestMetrics()
        var configuration = HostConfiguration()
        configuration.metricsFactory = metrics
        configuration.swarm.dialTimeout = Duration(_high: .max, low: .max)
        configuration.swarm.dialStagger = .seconds(Int64.max)
        configuration.swarm.identifyTimeout = .seconds(Int64.max)
        configuration.swarm.connection.handshakeTimeout = Duration(_high: .max, low: .max)
        configuration.swarm.connection.negotiationTimeout = Duration(_high: .max, low: .max)
        configuration.swarm.migration.answerTimeout = Duration(_high: .max, low: .max)
        configuration.swarm.migration.handOffTimeout = Duration(_high: .max, low: .max)
        configuration.swarm.stream.lingerTimeout = Duration(_high: .max, low: .max)
        try await withHost(identity: .generate(.ed25519)) { listener in
            listener.handle(Self.bulk) { stream in
                for try await bytes in stream.inbound { try await stream.outbound.write(bytes) }
            }
            let addresses = try await listener.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0"))
            try await withHost(identity: .generate(.ed25519), configuration: configuration) { host in
                let peer = try await host.connect(to: listener.id, at: addresses + [Multiaddr("/ip4/127.0.0.1/tcp/1")])
                let second = try await host.connectAgain(to: listener.id, at: addresses)
                let near = try #require(peer.connections.first?.path)
                let theirs = try #require(listener.peer(host.id)).connections.map(\.path)
                let local = try #require(near.localAddress)
                #expect(near.remoteAddress == addresses.first.flatMap { $0.withoutPeerID })
                #expect(theirs.contains { $0.remoteAddress == local && $0.localAddress == near.remoteAddress })
                try await peer.withStream([Self.bulk]) { stream in
                    // Right behind the open: the answer may not have come yet.
                    let record = try await peer.migrate(stream, to: second)
                    #expect(record.isCompleted)
                    try await stream.outbound.write(ByteBuffer(string: "hello"))
                    #expect(try await stream.read(exactly: 5) == ByteBuffer(string: "hello"))
                    #expect((stream.bytesRead, stream.bytesWritten) == (5, 5))
                    #expect(stream.bytesByPath.map(\.written) == [0, 5])
                    #expect(stream.migrationTotals.completed == 1 && stream.trace == nil)
                }
            }
        }
        let counter = try metrics.expectCounter(
            "oxbow_migrations_total", [("role", "initiator"), ("outcome", "completed")])
        #expect(counter.totalValue == 1)
        #expect(try metrics.expectMeter("oxbow_connections").lastValue == 0)
    }
}
