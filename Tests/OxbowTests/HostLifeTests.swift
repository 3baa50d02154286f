import NIOPosix
import Oxbow
import OxbowTesting
import ServiceLifecycleTestKit
import Testing

/// A host from its start to its end, and the streams between.
@Suite struct HostLifeTests {
    static let hold: ProtocolID = "/hold/1.0.0"

    @Test("A host that never ran leaves nothing behind")
    func neverRan() throws {
        weak var network: MemoryNetwork?
        do {
            var configuration = HostConfiguration()
            configuration.memoryNetwork = MemoryNetwork()
            network = configuration.memoryNetwork
            let host = try Host(identity: .generate(.ed25519), configuration: configuration)
            host.handle(Self.hold) { _ in }
            #expect(network != nil)
        }
        #expect(network == nil)
    }

    @Test("EOF, a reset by the peer, an own reset and an own close are four different things")
    func ends() async throws {
        try await HostTests.withPair("/memory/0") { left, right, addresses in
            right.handle("/end/1.0.0") { stream in
                guard let word = try await stream.read(exactly: 1) else { return }
                if word.getInteger(at: 0, as: UInt8.self) == 1 { stream.reset(code: 42) }
                if word.getInteger(at: 0, as: UInt8.self) == 2 { throw Unexpected("the handler fails") }
            }
            _ = try await left.connect(to: right.id, at: addresses)
            func end(_ word: UInt8) async throws -> Result<Int, StreamError> {
                let stream = try await left.open(to: right.id, ["/end/1.0.0"])
                try await stream.outbound.write([word])
                defer { stream.close() }
                do throws(StreamError) {
                    return .success(try await stream.read(exactly: 1)?.readableBytes ?? 0)
                } catch { return .failure(error) }
            }
            #expect(try await end(0) == .success(0), "the handler returned: a clean end")
            #expect(try await end(1) == .failure(.resetByPeer(code: 42)))
            #expect(try await end(2) == .failure(.resetByPeer(code: 0)), "the handler threw: a reset")
            let stream = try await left.open(to: right.id, ["/end/1.0.0"])
            stream.reset(code: 7)
            await #expect(throws: StreamError.resetLocally(code: 7)) { _ = try await stream.read(exactly: 1) }
            await #expect(throws: StreamError.resetLocally(code: 7)) { try await stream.outbound.write([1]) }
            let closed = try await left.open(to: right.id, ["/end/1.0.0"])
            closed.close()
            await #expect(throws: StreamError.finished) { try await closed.outbound.write([1]) }
            try await eventually { left.census.streams == 0 && right.census.streams == 0 }
        }
    }

    @Test("withStream whose body throws resets the stream at both ends")
    func bodyThrows() async throws {
        try await HostTests.withPair("/memory/0") { left, right, addresses in
            let (errors, continuation) = AsyncStream<StreamError?>.makeStream()
            right.handle(Self.hold) { stream in
                do throws(StreamError) {
                    try await stream.outbound.write([1])
                    while try await stream.read(exactly: 1) != nil {}
                    continuation.yield(nil)
                } catch { continuation.yield(error) }
            }
            let peer = try await left.connect(to: right.id, at: addresses)
            await #expect(throws: Unexpected.self) {
                try await peer.withStream([Self.hold]) { stream in
                    try await stream.outbound.write([1])
                    _ = try await stream.read(exactly: 1)
                    throw Unexpected("the body fails")
                }
            }
            for await error in errors {
                #expect(error == .resetByPeer(code: 0))
                break
            }
        }
    }

    @Test("A protocol that nobody serves: the error names it")
    func notSupported() async throws {
        try await HostTests.withPair("/memory/0") { left, right, addresses in
            let peer = try await left.connect(to: right.id, at: addresses)
            let stream = try await left.open(to: right.id, ["/nobody/1.0.0"])
            let error = await #expect(throws: StreamError.self) { _ = try await stream.read(exactly: 1) }
            #expect(error == .protocolsNotSupported(["/nobody/1.0.0"]))
            #expect("\(error!)".contains("/nobody/1.0.0"))
            // Of several the one that is there is taken.
            try await peer.withStream(["/nobody/1.0.0", HostTests.echo]) { stream in
                #expect(stream.protocolID == HostTests.echo)
            }
        }
    }

    @Test("A handler that comes and goes is told to peers by identify push")
    func pushes() async throws {
        try await HostTests.withPair("/memory/0") { left, right, addresses in
            let peer = try await left.connect(to: right.id, at: addresses)
            try await eventually { right.peers.first?.info != nil }
            #expect(peer.info?.protocols.contains(Self.hold) == false)
            right.handle(Self.hold) { _ in }
            try await eventually { peer.info?.protocols.contains(Self.hold) == true }
            right.stopHandling(Self.hold)
            try await eventually { peer.info?.protocols.contains(Self.hold) == false }
        }
    }

    @Test("Several connections with one peer, up to the limit; the next is refused by name")
    func severalConnections() async throws {
        var configuration = HostConfiguration()
        configuration.swarm.limits.connectionsPerPeer = 3
        configuration.swarm.dialing.isOpeningStreams = false
        try await withHost(identity: FixedKeys.all[0], configuration: configuration) { left in
            try await withHost(identity: FixedKeys.all[1]) { right in
                let addresses = try await right.listen(on: Multiaddr("/memory/0"))
                let peer = try await left.connect(to: right.id, at: addresses)
                let again = try await left.connect(to: right.id, at: addresses)
                #expect(again.connections == peer.connections, "connect keeps to what stands")
                for _ in 0..<2 { _ = try await left.connectAgain(to: right.id, at: addresses) }
                #expect(peer.connections.count == 3)
                let error = await #expect(throws: DialError.self) {
                    _ = try await left.connectAgain(to: right.id, at: addresses)
                }
                #expect("\(error!)".contains("the limit of 3 "))
                for connection in peer.connections { connection.close() }
                try await eventually { left.census.isZero && right.census.isZero }
                #expect(left.peer(right.id) == nil)
                await #expect(throws: HostError.notConnected(right.id)) {
                    _ = try await left.open(to: right.id, [HostTests.echo])
                }
            }
        }
    }

    @Test("Callers who want the same peer at once share one dial")
    func sharedDial() async throws {
        try await HostTests.withPair("/ip4/127.0.0.1/tcp/0") { left, right, addresses in
            let connections = try await withThrowingTaskGroup(of: [Connection].self) { group in
                for _ in 0..<20 {
                    group.addTask { try await left.connect(to: right.id, at: addresses).connections }
                }
                return try await group.reduce(into: Set<Connection>()) { $0.formUnion($1) }
            }
            #expect(connections.count == 1)
            #expect(left.census.dials == 0)
        }
    }

    @Test("Addresses are raced: the first that leads to the peer wins, and the error tells of each that didn't")
    func raced() async throws {
        try await HostTests.withPair("/memory/0") { left, right, addresses in
            let dead = try (1...3).map { try Multiaddr("/memory/\(900_000 + $0)") }
            let peer = try await left.connect(to: right.id, at: dead + addresses)
            #expect(peer.connections.count == 1)
            let nobody = FixedKeys.all[5].publicKey.peerID
            let error = await #expect(throws: DialError.self) {
                try await left.connect(to: nobody, at: dead + [Multiaddr("/ip4/127.0.0.1/udp/1/quic-v1")])
            }
            #expect(error?.attempts.map(\.address).count == 4)
            #expect(
                error?.attempts.dropLast().allSatisfy { $0.failure == .unreachable("nobody listens there") } == true)
            guard case .unsupported? = error?.attempts.last?.failure else { throw Unexpected("\(error!)") }
            let itself = await #expect(throws: DialError.self) { try await left.connect(to: left.id, at: addresses) }
            #expect(itself?.reason == .isSelf)
        }
    }

    @Test("A dial that its only caller gives up is cancelled, with its socket")
    func cancelledDial() async throws {
        try await withHost(identity: FixedKeys.all[0]) { host in
            let (address, channel) = try await StallingPeer.listen(.atOnce, .silence)
            let dial = Task { try await host.connect(to: FixedKeys.all[7].publicKey.peerID, at: [address]) }
            try await eventually { host.census.connections == 1 }
            dial.cancel()
            let error = await #expect(throws: DialError.self) { try await dial.value }
            #expect(error?.reason == .cancelled)
            try await eventually { host.census.isZero }
            channel.close(promise: nil)
        }
    }

    @Test("A stream's events and a host's: opened, identified, migrated, closed")
    func events() async throws {
        try await HostTests.withPair("/memory/0") { left, right, addresses in
            let events = left.events()
            let peer = try await left.connect(to: right.id, at: addresses)
            let second = try await left.connectAgain(to: right.id, at: addresses)
            try await peer.withStream([HostTests.echo]) { stream in
                try await stream.outbound.write([1])
                _ = try await stream.read(exactly: 1)
                try await peer.migrate(stream, to: second)
            }
            for connection in peer.connections { connection.close() }
            var seen: [String] = []
            for await event in events {
                switch event {
                case .connectionOpened: seen.append("opened")
                case .identified: seen.append("identified")
                case .streamMigrated: seen.append("migrated")
                case .connectionClosed(_, _, let error):
                    #expect(error == .closedLocally)
                    seen.append("closed")
                default: break
                }
                if seen.filter({ $0 == "closed" }).count == 2 { break }
            }
            #expect(seen.filter { $0 == "opened" }.count == 2)
            #expect(seen.contains("identified") && seen.contains("migrated"))
        }
    }

    @Test("As a service it ends by graceful shutdown, and every connection with it")
    func service() async throws {
        let host = try Host(identity: FixedKeys.all[0])
        try await withHost(identity: FixedKeys.all[1]) { other in
            let addresses = try await host.listen(on: Multiaddr("/memory/0"))
            try await testGracefulShutdown { trigger in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await host.run() }
                    _ = try await other.connect(to: host.id, at: addresses)
                    trigger.triggerGracefulShutdown()
                    try await group.waitForAll()
                }
            }
            #expect(host.census.isZero)
            try await eventually { other.census.isZero }
            let error = await #expect(throws: DialError.self) { try await host.connect(to: other.id, at: addresses) }
            #expect(error?.reason == .closed)
        }
    }
}
