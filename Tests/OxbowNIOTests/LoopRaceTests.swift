import NIOCore
import NIOPosix
import OxbowCore
import OxbowCrypto
import OxbowMigration
import OxbowNIO
import OxbowSeeds
import OxbowSwarm
import OxbowTesting
import OxbowUpgrade
import Synchronization
import Testing

/// Connections of one peer on different event loops, and tasks that write, read and move streams at the same time.
@Suite struct LoopRaceTests {
    private static func makeSwarm(
        _ key: Int, security: [ProtocolID], _ transports: SwarmTransports
    ) throws -> Swarm {
        let upgrade = try UpgradeConfiguration(identity: FixedKeys.all[key], securityProtocols: security)
        var configuration = SwarmConfiguration()
        configuration.policy = .manual
        let swarm = Swarm(
            upgrade: upgrade, configuration: configuration, transports: transports,
            unixTime: { 1_800_000_000 }, eventSink: { _ in })
        swarm.registerServices()
        return swarm
    }

    /// Reads to the end and compares with the pattern.
    private static func readAll(_ stream: LogicalStream) async throws -> (count: Int, isIntact: Bool) {
        var (count, isIntact) = (0, true)
        while let buffer = try await stream.next() {
            isIntact = isIntact && Pattern.matches(buffer, from: count)
            count += buffer.readableBytes
        }
        return (count, isIntact)
    }

    /// Writes the pattern and then, when the moves are done too, its last byte and the end: so no end comes before a move.
    private static func writeAll(_ stream: LogicalStream, total: Int, seed: UInt64, moves: Task<Int, Never>) async {
        var generator = SplitMix64(seed: seed)
        var sent = 0
        while sent < total - 1 {
            let count = min(total - 1 - sent, Int.random(in: 1...20_000, using: &generator))
            await write(Pattern.bytes(from: sent, count: count), to: stream)
            sent += count
        }
        _ = await moves.value
        await write(Pattern.bytes(from: sent, count: 1), to: stream)
        stream.closeWrite()
    }

    private static func write(_ bytes: ByteBuffer, to stream: LogicalStream) async {
        while case .full = stream.tryWrite(bytes) { await stream.waitForRoom() }
    }

    private static func migrate(_ swarm: Swarm, _ stream: LogicalStream, to connection: ConnectionDriver) async -> Bool
    {
        await withCheckedContinuation { continuation in
            swarm.migrate(stream, to: connection) { result in
                if case .success = result {
                    continuation.resume(returning: true)
                } else {
                    continuation.resume(returning: false)
                }
            }
        }
    }

    private static func close(_ swarm: Swarm) async {
        await withCheckedContinuation { continuation in swarm.close { continuation.resume() } }
    }

    @Test(
        "200 times: bulk both ways while both sides move the stream between loops, Noise to TLS and back",
        arguments: ["/memory/0", "/ip4/127.0.0.1/tcp/0"])
    func races(_ address: String) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let transports = SwarmTransports(group: group, memory: MemoryNetwork())
        let left = try Self.makeSwarm(0, security: ["/noise", "/tls/1.0.0"], transports)
        let right = try Self.makeSwarm(1, security: ["/tls/1.0.0", "/noise"], transports)
        let served = Mailbox()
        right.setHandler(bulk) { stream, _ in served.put(stream) }
        let (leftPeer, rightPeer) = (FixedKeys.all[0].publicKey.peerID, FixedKeys.all[1].publicKey.peerID)
        let ears = [
            try await left.listen(on: Multiaddr(address)),
            try await right.listen(on: Multiaddr(address)),
        ]
        // One connection that each side dialled: the first is Noise, the other TLS.
        _ = try await left.dialAnother(rightPeer, at: ears[1].addresses)
        _ = try await right.dialAnother(leftPeer, at: ears[0].addresses)
        let there = try #require(left.peer(rightPeer)), here = try #require(right.peer(leftPeer))
        // Who dialled may stand before who listens; an answer to a ping proves both.
        for connection in there.usableConnections { _ = try await left.ping(there, on: connection) }
        for connection in here.usableConnections { _ = try await right.ping(here, on: connection) }
        for connection in there.usableConnections { await there.identified(connection.id) }
        for connection in here.usableConnections { await here.identified(connection.id) }
        #expect(Set(there.usableConnections.map { $0.path.security }) == ["/noise", "/tls/1.0.0"])
        var moved = 0
        for round in 0..<200 {
            moved += try await Self.round(round, left, right, there, here, served)
        }
        #expect(moved > 200, "the streams did move")
        await Self.close(left)
        await Self.close(right)
        for ear in ears { await ear.stop() }
        #expect(left.census.isZero && right.census.isZero)
        try await group.shutdownGracefully()
    }

    private static func round(
        _ round: Int, _ left: Swarm, _ right: Swarm, _ there: PeerState, _ here: PeerState, _ served: Mailbox
    ) async throws -> Int {
        let total = 100_000
        let seed = UInt64(round)
        let near = left.openStream(to: there, for: [bulk], on: there.usableConnections[round % 2])
        _ = near.tryWrite(ByteBuffer())
        let nearMoves = Task { await move(left, near, there, times: 3, seed: seed) }
        async let nearSent: Void = writeAll(near, total: total, seed: seed, moves: nearMoves)
        let far = await served.take()
        let farMoves = Task { await move(right, far, here, times: 3, seed: seed + 7) }
        async let farSent: Void = writeAll(far, total: total, seed: seed + 1_000, moves: farMoves)
        async let farGot = readAll(far)
        async let nearGot = readAll(near)
        _ = await (nearSent, farSent)
        let (one, two) = (try await nearGot, try await farGot)
        #expect(one.count == total && one.isIntact, "round \(round)")
        #expect(two.count == total && two.isIntact, "round \(round)")
        return await nearMoves.value + farMoves.value
    }

    private static func move(
        _ swarm: Swarm, _ stream: LogicalStream, _ peer: PeerState, times: Int, seed: UInt64
    ) async -> Int {
        var generator = SplitMix64(seed: seed)
        var moved = 0
        for _ in 0..<times {
            let connections = peer.usableConnections
            guard let target = connections.randomElement(using: &generator) else { break }
            if await migrate(swarm, stream, to: target) { moved += 1 }
        }
        return moved
    }
}

/// Hands streams from event loops to a task.
final class Mailbox: Sendable {
    private let (streams, continuation) = AsyncStream<LogicalStream>.makeStream()

    func put(_ stream: LogicalStream) {
        continuation.yield(stream)
    }

    func take() async -> LogicalStream {
        for await stream in streams { return stream }
        preconditionFailure("the mailbox is never closed")
    }
}
