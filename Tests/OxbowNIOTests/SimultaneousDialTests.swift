import NIOCore
import OxbowCore
import OxbowNIO
import OxbowSeeds
import OxbowSwarm
import OxbowTesting
import Testing

/// Two hosts that dial each other at the same moment, with streams from both sides before, while and after that is
/// sorted out (rust-libp2p #752, jvm-libp2p #528, helium #281: both connections closed).
@Suite("Simultaneous dials")
struct SimultaneousDialTests {
    @Test("1,000 times with random timing: one connection is left, and every stream is whole", arguments: 0..<10)
    func random(block: Int) {
        for seed in block * 100..<(block + 1) * 100 {
            var scene = DialScene(seed: UInt64(seed))
            scene.run()
            guard !scene.problems.isEmpty else { continue }
            Issue.record("seed \(seed): \(scene.problems.joined(separator: "; "))")
        }
    }
}

/// One run: what happens when is drawn from the seed.
private struct DialScene {
    private let world = SimulatedWorld()
    private let hosts: [SimulatedHost]
    private var random: SplitMix64
    private var opened: [[SimulatedStream]] = [[], []]
    private var links: [SimulatedLink] = []
    private(set) var problems: [String] = []

    private static let total = 20_000

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        let world = world
        hosts = (0..<2).map { _ in world.makeHost { $0.policy = ConnectionPolicy() } }
    }

    mutating func run() {
        for host in hosts { host.serve(bulk) { $0.send(Self.total, chunk: 1_000, each: .milliseconds(500)) } }
        dial()
        // From before the first connection stands to long after the second one is gone.
        for _ in 0..<40 {
            let side = Int(random.next() % 2)
            if opened[side].count < 5, let stream = open(at: side) { opened[side].append(stream) }
            world.run(for: .milliseconds(Int64(random.next() % 400)))
        }
        world.run(for: .seconds(60))
        check()
        for (index, census) in world.end().enumerated() where !census.isZero {
            problems.append("host \(index) keeps \(census)")
        }
    }

    /// Both dial within a few round trips, over paths of their own.
    private mutating func dial() {
        for side in 0..<2 {
            world.run(for: .milliseconds(Int64(random.next() % 150)))
            let delay = Duration.milliseconds(Int64(1 + random.next() % 100))
            links.append(world.beginConnecting(hosts[side], hosts[1 - side], delay: delay))
        }
    }

    /// As an application does once the peer has identified itself.
    private func open(at side: Int) -> SimulatedStream? {
        let (host, peer) = (hosts[side], hosts[1 - side])
        guard let state = host.swarm.peer(peer.id), state.supportsMigration,
            let connection = state.usableConnections.first
        else { return nil }
        let stream = host.open([bulk], to: peer.id, on: connection, isPlaceChosen: false)
        stream.send(Self.total, chunk: 1_000, each: .milliseconds(500))
        return stream
    }

    private mutating func check() {
        for side in 0..<2 {
            let streams = opened[side] + hosts[1 - side].accepted
            if hosts[1 - side].accepted.count != opened[side].count {
                problems.append("streams \(side) came twice or never")
            }
            for stream in streams where stream.end != .clean || !Pattern.matches(stream.received, from: 0) {
                problems.append("a stream of side \(side) ended \(stream.end.map { "\($0)" } ?? "never")")
            }
            for stream in streams where stream.received.readableBytes != Self.total {
                problems.append("a stream of side \(side) has \(stream.received.readableBytes) bytes")
            }
            for stream in streams where stream.logical.snapshot.migrationCount > 1 {
                problems.append(
                    "a stream of side \(side) moved: \(stream.logical.snapshot.migrations.map { ($0.role, $0.from!, $0.to!, $0.started) })"
                )
            }
        }
        let left = hosts.map { host in
            Set(links.indices.filter { links[$0].connection(of: host).isUsable })
        }
        if left != [[0], [0]] { problems.append("connections left: \(left)") }
        for (side, host) in hosts.enumerated() {
            let count = host.swarm.peer(hosts[1 - side].id)?.usableConnections.count
            if count != 1 { problems.append("host \(side) has \(count ?? 0) connections") }
        }
    }
}
