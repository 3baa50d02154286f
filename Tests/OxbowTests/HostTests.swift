import Oxbow
import OxbowTesting
import Testing

@Suite struct HostTests {
    static let echo: ProtocolID = "/echo/1.0.0"

    /// Two hosts that know each other, over `listen`.
    static func withPair(
        _ listen: String, security: [SecurityProtocol] = [.noise],
        configure: (inout HostConfiguration) -> Void = { _ in },
        _ body: (Host, Host, [Multiaddr]) async throws -> Void
    ) async throws {
        var configuration = HostConfiguration()
        configuration.security = security
        configure(&configuration)
        let (left, right) = (try PrivateKey.generate(.ed25519), try PrivateKey.generate(.ed25519))
        try await withHost(identity: left, configuration: configuration) { left in
            try await withHost(identity: right, configuration: configuration) { right in
                let addresses = try await right.listen(on: Multiaddr(listen))
                right.handle(echo) { stream in
                    for try await bytes in stream.inbound { try await stream.outbound.write(bytes) }
                }
                try await body(left, right, addresses)
            }
        }
    }

    @Test(arguments: ["/memory/0", "/ip4/127.0.0.1/tcp/0"], [SecurityProtocol.noise, .tls])
    func echoes(_ listen: String, _ security: SecurityProtocol) async throws {
        try await Self.withPair(listen, security: [security]) { left, right, addresses in
            let peer = try await left.connect(to: right.id, at: addresses)
            #expect(peer.supportsMigration)
            try await peer.withStream([Self.echo]) { stream in
                try await stream.outbound.write([UInt8]("hello".utf8))
                stream.outbound.finish()
                var bytes = ByteBuffer()
                for try await piece in stream.inbound { bytes.writeImmutableBuffer(piece) }
                #expect(String(buffer: bytes) == "hello")
                #expect(stream.label != nil)
            }
        }
    }

    /// Moves a stream that another task reads: while that one is behind, a move is refused (SM-M6).
    private static func migrate(
        _ stream: Oxbow.Stream, of peer: Peer, to connection: Connection
    ) async throws -> MigrationRecord {
        while true {
            do { return try await peer.migrate(stream, to: connection) } catch MigrationRefusal.unread {
                await Task.yield()
            }
        }
    }

    @Test(arguments: ["/memory/0", "/ip4/127.0.0.1/tcp/0"], [SecurityProtocol.noise, .tls])
    func movesALiveStream(_ listen: String, _ security: SecurityProtocol) async throws {
        try await Self.withPair(listen, security: [security]) { left, right, addresses in
            let peer = try await left.connect(to: right.id, at: addresses)
            let second = try await left.connectAgain(to: right.id, at: addresses)
            let first = try #require(peer.connections.first { $0 != second })
            try await peer.withStream([Self.echo], on: first) { stream in
                let count = 4 << 20
                // Who reads must not wait for a move: the echo may wait for that very reading (SM-M6).
                let (places, reached) = AsyncStream<Int>.makeStream()
                async let read: Int = {
                    var received = 0
                    var due = 0
                    for try await piece in stream.inbound {
                        #expect(Pattern.matches(piece, from: received))
                        received += piece.readableBytes
                        guard received > due * 1_000_000, due < 3 else { continue }
                        due += 1
                        reached.yield(received)
                    }
                    return received
                }()
                async let sent: Void = {
                    for offset in stride(from: 0, to: count, by: 65_536) {
                        try await stream.outbound.write(Pattern.bytes(from: offset, count: 65_536))
                    }
                    reached.yield(count)
                }()
                var moves = 0
                for await _ in places.prefix(4) {
                    moves += 1
                    let target = moves.isMultiple(of: 2) ? first : second
                    let record = try await Self.migrate(stream, of: peer, to: target)
                    #expect(record.role == .initiator)
                }
                try await sent
                // A stream that has come to its end moves no more: that waits for the last move.
                stream.outbound.finish()
                let received = try await read
                #expect(received == count)
                #expect(moves == 4 && stream.migrationCount == moves)
            }
        }
    }
}
