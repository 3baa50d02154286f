import ArgumentParser
import Oxbow
import OxbowCommandLine

/// The transport tests: a listener tells its address by Redis, a dialer connects to it and pings it.
struct TransportCommand: TestCommand {
    static let configuration = CommandConfiguration(
        commandName: "transport",
        abstract: "Be a peer of libp2p's transport tests (transport-interop, unified-testing).",
        discussion: "What to do is in the environment, as Interop/test-plans/README.md tells.")

    func perform(in environment: TestEnvironment) async throws {
        let test = try TransportTest(environment)
        let deadline = ContinuousClock.now + test.timeout
        let redis = try await RedisClient.connect(to: test.redis, until: deadline)
        let configuration = HostConfiguration.forTest(test.security)
        try await withHost(identity: .generate(.ed25519), configuration: configuration) { host in
            if test.isDialer {
                let times = try await dial(test, host, redis, until: deadline)
                StandardOutput.write(line: test.result(times))
            } else {
                try await listen(test, host, redis, until: deadline)
            }
        }
        await redis.close()
    }

    private func dial(
        _ test: TransportTest, _ host: OxbowHost, _ redis: RedisClient, until deadline: ContinuousClock.Instant
    ) async throws -> TransportTimes {
        let text: String
        switch test.convention {
        case .testPlans: text = try await redis.pop(test.addressKey, until: deadline)
        case .unified: text = try await redis.value(of: test.addressKey, until: deadline)
        }
        log("the listener is at \(text)")
        let target = try PeerAddress.parse(text)
        let began = ContinuousClock.now
        let peer = try await host.connect(to: target.peer, at: [target.address])
        let roundTrip = try await peer.ping()
        return TransportTimes(handshakePlusRoundTrip: ContinuousClock.now - began, roundTrip: roundTrip)
    }

    private func listen(
        _ test: TransportTest, _ host: OxbowHost, _ redis: RedisClient, until deadline: ContinuousClock.Instant
    ) async throws {
        let addresses = try await host.listen(on: test.listenAddress)
        guard let address = addresses.reachable(preferring: redis.localAddress) else {
            throw CommandFailure(.failed, "no address of \(test.listenAddress) can be told to others")
        }
        log("listening on \(address)")
        try await redis.push(address.description, to: test.addressKey, until: deadline)
        try await waitToBeEnded(until: deadline)
    }
}
