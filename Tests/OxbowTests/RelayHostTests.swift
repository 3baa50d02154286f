import Oxbow
import OxbowTesting
import Testing

/// Relays over real sockets, where the two ends of a circuit live on different event loops.
@Suite struct RelayHostTests {
    static let echo: ProtocolID = "/echo/1.0.0"

    /// A relay, a listener that is reachable through it alone, and a dialer.
    private func withRelay(
        limit: CircuitLimit?, _ body: (Host, Host, Host, [Multiaddr]) async throws -> Void
    ) async throws {
        var relayConfiguration = HostConfiguration()
        var server = RelayServerConfiguration()
        server.limit = limit
        relayConfiguration.swarm.relayServer = server
        let keys = try (0..<3).map { _ in try PrivateKey.generate(.ed25519) }
        try await withHost(identity: keys[0], configuration: relayConfiguration) { relay in
            try await withHost(identity: keys[1]) { listener in
                try await withHost(identity: keys[2]) { dialer in
                    let addresses = try await relay.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0"))
                    listener.handle(Self.echo) { stream in
                        for try await bytes in stream.inbound { try await stream.outbound.write(bytes) }
                    }
                    let first = try #require(addresses.first)
                    let circuits = try await listener.listen(on: first.appending(.p2pCircuit))
                    try await body(relay, listener, dialer, circuits)
                }
            }
        }
    }

    @Test("Four streams carry a megabyte each through the relay and back, and say so")
    func echoes() async throws {
        try await withRelay(limit: nil) { relay, listener, dialer, circuits in
            #expect(listener.announcedAddresses == circuits && circuits.allSatisfy(\.isRelayed))
            let peer = try await dialer.connect(to: listener.id, at: circuits)
            #expect(peer.connections.first?.path.isRelayed == true)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await peer.withStream([Self.echo]) { stream in
                            let count = 1 << 20
                            async let sent: Void = {
                                for offset in stride(from: 0, to: count, by: 65_536) {
                                    try await stream.outbound.write(Pattern.bytes(from: offset, count: 65_536))
                                }
                                stream.outbound.finish()
                            }()
                            var received = 0
                            for try await piece in stream.inbound {
                                #expect(Pattern.matches(piece, from: received))
                                received += piece.readableBytes
                            }
                            try await sent
                            #expect(received == count)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(relay.relayStatistics?.circuits == 1)
            #expect(relay.relayStatistics.map { $0.bytes > 8 << 20 } == true)
        }
    }

    @Test("Far more than any window goes one way through the relay", arguments: [false, true])
    func carriesMuch(onEventLoop: Bool) async throws {
        let sink: ProtocolID = "/sink/1.0.0"
        try await withRelay(limit: nil) { _, listener, dialer, circuits in
            listener.handle(sink, onEventLoop: onEventLoop) { stream in
                var count = 0
                for try await bytes in stream.inbound { count += bytes.readableBytes }
                try await stream.outbound.write(ByteBuffer(integer: UInt64(count)))
                stream.outbound.finish()
            }
            let peer = try await dialer.connect(to: listener.id, at: circuits)
            try await peer.withStream([sink]) { stream in
                let (piece, pieces) = (ByteBuffer(repeating: 7, count: 65_536), 512)
                for _ in 0..<pieces { try await stream.outbound.write(piece) }
                stream.outbound.finish()
                let count = try await stream.read(exactly: 8)?.getInteger(at: 0, as: UInt64.self)
                #expect(count == UInt64(pieces * piece.readableBytes))
            }
        }
    }

    @Test("A stream that can't leave a limited connection isn't opened there without a permission")
    func needsPermission() async throws {
        try await withRelay(limit: CircuitLimit(bytes: 128 << 10)) { _, listener, dialer, circuits in
            try await dialer.connect(to: listener.id, at: circuits)
            await #expect(throws: HostError.limitedConnection(listener.id)) {
                _ = try await dialer.open(to: listener.id, [Self.echo], isMigratable: false)
            }
            for (isMigratable, allowsLimited) in [(true, false), (false, true)] {
                try await dialer.withStream(
                    to: listener.id, [Self.echo], isMigratable: isMigratable, allowsLimited: allowsLimited
                ) { stream in
                    try await stream.outbound.write([UInt8]("hello".utf8))
                    stream.outbound.finish()
                    var received = 0
                    for try await piece in stream.inbound { received += piece.readableBytes }
                    #expect(received == 5)
                }
            }
        }
    }

    @Test("To listen at a host that is no relay fails with words")
    func namesNoRelay() async throws {
        try await HostTests.withPair("/ip4/127.0.0.1/tcp/0") { left, _, addresses in
            let first = try #require(addresses.first)
            let error = await #expect(throws: ListenError.self) {
                try await left.listen(on: first.appending(.p2pCircuit))
            }
            #expect(error?.description.contains("the peer is no relay") == true)
        }
    }
}
