import Oxbow
import OxbowMux
import Synchronization
import Testing

/// Hosts that are used against their grain.
@Suite(.timeLimit(.minutes(1))) struct HostMisuseTests {
    private func makeKey() throws -> PrivateKey { try PrivateKey.generate(.ed25519) }

    @Test("A host runs once")
    func runsOnce() async throws {
        try await withHost(identity: makeKey()) { host in
            _ = await #expect(throws: HostError.alreadyRan) { try await host.run() }
        }
    }

    @Test("An address that can't be listened on is told before the body runs")
    func cannotListen() async throws {
        let configuration = HostConfiguration(listenAddresses: [try Multiaddr("/ip4/127.0.0.1/udp/1")])
        let hasRun = Mutex(false)
        await #expect(throws: ListenError.self) {
            try await withHost(identity: makeKey(), configuration: configuration) { _ in hasRun.withLock { $0 = true } }
        }
        #expect(!hasRun.withLock { $0 })
    }

    @Test("A host that is shut down listens no more")
    func listensNoMore() async throws {
        let host = try Host(identity: makeKey())
        await host.shutdown()
        await #expect(throws: ListenError.closed) { try await host.listen(on: Multiaddr("/memory/0")) }
    }

    @Test("A configuration that can't work is an error, not a trap at the first connection")
    func impossibleConfiguration() throws {
        var configuration = HostConfiguration()
        configuration.swarm.muxer.maximumWindow = 1
        #expect(throws: HostError.self) { try Host(identity: makeKey(), configuration: configuration) }
    }

    @Test("A handler that never returns doesn't hold the host")
    func endlessHandler() async throws {
        let (isServing, serves) = AsyncStream.makeStream(of: Void.self)
        try await withHost(identity: makeKey()) { left in
            try await withHost(identity: makeKey()) { right in
                right.handle("/endless") { _ in
                    serves.yield()
                    try await Task.sleep(for: .seconds(3_600))
                }
                let addresses = try await right.listen(on: Multiaddr("/memory/0"))
                try await left.connect(to: right.id, at: addresses)
                _ = try await left.open(to: right.id, ["/endless"])
                for await _ in isServing { break }
            }
        }
    }

    @Test("A stream on another peer's connection, or for no protocol, is refused")
    func misuse() async throws {
        try await withHost(identity: makeKey()) { left in
            try await withHost(identity: makeKey()) { middle in
                try await withHost(identity: makeKey()) { right in
                    let first = try await left.connect(
                        to: middle.id, at: try await middle.listen(on: Multiaddr("/memory/0")))
                    let second = try await left.connect(
                        to: right.id, at: try await right.listen(on: Multiaddr("/memory/0")))
                    let foreign = try #require(second.connections.first)
                    await #expect(throws: HostError.connectionClosed(foreign.id)) {
                        _ = try await left.open(to: first.id, ["/x"], on: foreign)
                    }
                    await #expect(throws: HostError.noProtocol) { _ = try await left.open(to: first.id, []) }
                }
            }
        }
    }

    @Test("A dial whose addresses all lead to the peer ends with one connection")
    func oneWinner() async throws {
        var configuration = HostConfiguration()
        configuration.swarm.dialStagger = .zero
        for _ in 0..<5 {
            try await withHost(identity: makeKey(), configuration: configuration) { left in
                try await withHost(identity: makeKey()) { right in
                    var addresses: [Multiaddr] = []
                    for _ in 0..<4 { addresses += try await right.listen(on: Multiaddr("/memory/0")) }
                    try await left.connect(to: right.id, at: addresses)
                    try await eventually { left.census.connections == 1 && right.census.connections == 1 }
                    #expect(left.peer(right.id)?.connections.count == 1)
                }
            }
        }
    }

    @Test(
        "What was written before the stream was closed arrives, though the host ends right behind it",
        arguments: ["/memory/0", "/ip4/127.0.0.1/tcp/0"], [SecurityProtocol.noise, .tls])
    func lastWords(_ address: String, _ security: SecurityProtocol) async throws {
        let count = 1 << 20
        let (received, arrives) = AsyncStream.makeStream(of: Int.self)
        var configuration = HostConfiguration()
        configuration.security = [security]
        // A busy machine may need longer for a megabyte than a host waits for a peer that reads slowly.
        configuration.swarm.connection.closeTimeout = .seconds(300)
        try await withHost(identity: makeKey(), configuration: configuration) { right in
            right.handle("/last-words") { stream in
                var total = 0
                do {
                    for try await bytes in stream.inbound { total += bytes.readableBytes }
                    arrives.yield(total)
                } catch { arrives.yield(-total) }
            }
            let addresses = try await right.listen(on: Multiaddr(address))
            try await withHost(identity: makeKey(), configuration: configuration) { left in
                let peer = try await left.connect(to: right.id, at: addresses)
                try await peer.withStream(["/last-words"]) { stream in
                    for _ in 0..<(count / 65_536) {
                        try await stream.outbound.write(ByteBuffer(repeating: 7, count: 65_536))
                    }
                }
            }
            for await total in received {
                #expect(total == count)
                break
            }
        }
    }
}
