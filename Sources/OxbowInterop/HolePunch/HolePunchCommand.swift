import ArgumentParser
import Oxbow
import OxbowCommandLine

/// The hole-punch tests: a listener behind a NAT reserves a place at a relay, a dialer behind another NAT connects to it
/// through the relay, and both upgrade that connection to a direct one.
struct HolePunchCommand: TestCommand {
    static let configuration = CommandConfiguration(
        commandName: "hole-punch", abstract: "Be a peer, or the relay, of libp2p's hole-punch tests.",
        discussion: "What to do is in the environment, as Interop/test-plans/README.md tells.")

    func perform(in environment: TestEnvironment) async throws {
        let test = try HolePunchTest(environment)
        let deadline = ContinuousClock.now + test.timeout
        let redis = try await RedisClient.connect(to: test.redis, until: deadline)
        let board = HolePunchBoard(redis: redis, convention: test.convention, deadline: deadline)
        try await withHost(identity: .generate(.ed25519), configuration: .forHolePunch(test)) { host in
            let addresses = try await host.listen(on: test.listenAddress)
            log("\(host.id) is listening on \(addresses.map(\.description).joined(separator: ", "))")
            switch test.role {
            case .relay: try await relay(addresses, board)
            case .listener: try await listen(host, board)
            case .dialer:
                let times = try await dial(host, board)
                StandardOutput.write(line: test.result(times))
            }
        }
        await redis.close()
    }

    private func relay(_ addresses: [Multiaddr], _ board: HolePunchBoard) async throws {
        guard let address = addresses.reachable(preferring: nil) else {
            throw CommandFailure(.failed, "the relay has no address that can be told to others")
        }
        try await board.tellRelay(address.description)
        try await waitToBeEnded(until: board.deadline)
    }

    private func listen(_ host: OxbowHost, _ board: HolePunchBoard) async throws {
        let relay = try await board.relay()
        log("the relay is at \(relay.address)")
        _ = try await host.listen(on: relay.address.appending(.p2pCircuit))
        try await board.tellListener(host.id.description)
        async let watching: Void = watch(host)
        try await waitToBeEnded(until: board.deadline)
        await watching
    }

    private func dial(_ host: OxbowHost, _ board: HolePunchBoard) async throws -> HolePunchTimes {
        let relay = try await board.relay()
        log("the relay is at \(relay.address)")
        // Its identify tells what this host looks like from outside.
        try await host.connect(to: relay.peer, at: [relay.address])
        let listener = try PeerID(try await board.listener())
        log("the listener is \(listener)")
        let circuit = try relay.address.appending(.p2pCircuit).appending(peer: listener)
        let events = host.events()
        return try await withThrowingTaskGroup(of: HolePunchTimes.self) { group in
            group.addTask {
                try await host.connect(to: listener, at: [circuit])
                try await Task.sleep(until: board.deadline)
                throw CommandFailure(.failed, "the test has timed out before there was a direct connection")
            }
            group.addTask { try await direct(host, listener, events) }
            defer { group.cancelAll() }
            guard let times = try await group.next() else { throw CancellationError() }
            return times
        }
    }

    /// Waits for the direct connection and pings the peer on it.
    private func direct(
        _ host: OxbowHost, _ listener: PeerID, _ events: AsyncStream<SwarmEvent>
    ) async throws -> HolePunchTimes {
        var began = ContinuousClock.now
        for await event in events {
            switch event {
            // Where the other side dials without a word before, the upgrade has no other beginning to be seen.
            case .holePunchBegan(listener, _):
                began = .now
            case .holePunchEnded(listener, let record) where !record.isUpgrade:
                log("a try has failed: \(record.summary)")
            case .connectionOpened(listener, let path) where path.isRelayed:
                began = .now
            case .connectionOpened(listener, let path):
                let handshake = ContinuousClock.now - began
                log("a direct connection stands: \(path)")
                guard let peer = host.peer(listener),
                    let connection = peer.connections.first(where: { $0.path.id == path.id })
                else { continue }
                return HolePunchTimes(handshake: handshake, roundTrip: try await peer.ping(on: connection))
            case .connectionClosed(listener, let path, let error) where path.isRelayed:
                throw CommandFailure(.connect, "the relayed connection is over: \(error)")
            default: break
            }
        }
        throw CancellationError()
    }

    /// Tells what becomes of the listener's connections, for the logs.
    private func watch(_ host: OxbowHost) async {
        for await event in host.events() {
            switch event {
            case .connectionOpened(_, let path): log("connected: \(path)")
            case .holePunchEnded(_, let record): log("upgrade: \(record.summary)")
            default: break
            }
        }
    }
}

extension HostConfiguration {
    /// A host of a hole-punch test, whose networks are private ones.
    fileprivate static func forHolePunch(_ test: HolePunchTest) -> HostConfiguration {
        var configuration = HostConfiguration()
        configuration.security = [test.security]
        // The relayed connection stays beside the direct one.
        configuration.swarm.policy = .manual
        configuration.swarm.holePunch.addresses.scopes.insert(.privateUse)
        // Most of the addresses that a peer announces are of its home, where nobody else gets an answer.
        configuration.swarm.holePunch.directDialTimeout = .seconds(1)
        if test.role == .relay {
            configuration.swarm.reachability.known = .public
            configuration.swarm.relayServer = RelayServerConfiguration()
        } else {
            // Nobody but the relay could be asked.
            configuration.swarm.reachability.isEnabled = false
        }
        return configuration
    }
}
