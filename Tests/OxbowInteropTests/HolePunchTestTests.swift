import Oxbow
import Testing

@testable import OxbowInterop

@Suite struct HolePunchTestTests {
    private static let newer = [
        "TRANSPORT": "tcp", "MUXER": "yamux", "SECURE_CHANNEL": "tls", "REDIS_ADDR": "r:1", "TEST_KEY": "k",
    ]

    @Test(arguments: [
        ("listen", HolePunchTest.Role.listener, "/ip4/0.0.0.0/tcp/0"), ("dial", .dialer, "/ip4/0.0.0.0/tcp/0"),
        ("relay", .relay, "/ip4/0.0.0.0/tcp/4001"),
    ])
    func theOlderConvention(_ mode: String, _ role: HolePunchTest.Role, _ address: String) throws {
        let test = try HolePunchTest(TestEnvironment(["MODE": mode, "TRANSPORT": "tcp"]))
        #expect(test.convention == .testPlans)
        #expect(test.role == role)
        #expect(test.security == .noise)
        #expect(test.redis == RedisAddress(host: "redis", port: 6_379))
        #expect(test.listenAddress == (try Multiaddr(address)))
    }

    @Test(arguments: [
        (["IS_RELAY": "true", "RELAY_IP": "10.1.2.68"], HolePunchTest.Role.relay, "/ip4/10.1.2.68/tcp/4001"),
        // As the runner has it, which doesn't set IS_RELAY.
        (["RELAY_IP": "10.1.2.68"], .relay, "/ip4/10.1.2.68/tcp/4001"),
        (["IS_DIALER": "true", "PEER_IP": "10.1.2.99"], .dialer, "/ip4/10.1.2.99/tcp/0"),
        (["IS_DIALER": "true", "DIALER_IP": "10.1.2.99"], .dialer, "/ip4/10.1.2.99/tcp/0"),
        (["IS_DIALER": "false", "LISTENER_IP": "10.1.2.131"], .listener, "/ip4/10.1.2.131/tcp/0"),
        (["IS_DIALER": "false"], .listener, "/ip4/0.0.0.0/tcp/0"),
    ])
    func theNewerConvention(_ own: [String: String], _ role: HolePunchTest.Role, _ address: String) throws {
        let test = try HolePunchTest(TestEnvironment(Self.newer.merging(own) { $1 }))
        #expect(test.convention == .unified(key: "k"))
        #expect(test.role == role)
        #expect(test.security == .tls)
        #expect(test.listenAddress == (try Multiaddr(address)))
    }

    @Test(arguments: [
        ["MODE": "listen", "TRANSPORT": "quic"], ["MODE": "dance", "TRANSPORT": "tcp"], ["MODE": "dial"], [:],
        ["IS_DIALER": "true"], ["IS_DIALER": "perhaps", "TEST_KEY": "k"],
    ])
    func whatCantBeDone(_ values: [String: String]) {
        #expect(throws: TestEnvironmentError.self) { try HolePunchTest(TestEnvironment(values)) }
    }

    private static let times = HolePunchTimes(handshake: .microseconds(1_234_560), roundTrip: .microseconds(12_500))

    @Test func resultsAreSpelledAsTheRunnersReadThem() throws {
        let older = try HolePunchTest(TestEnvironment(["MODE": "dial", "TRANSPORT": "tcp"]))
        #expect(older.result(Self.times) == #"{"rtt_to_holepunched_peer_millis": 12.5}"#)
        let newer = try HolePunchTest(TestEnvironment(Self.newer.merging(["IS_DIALER": "true"]) { $1 }))
        #expect(
            newer.result(Self.times) == """
                # Measurements from dialer
                handshakeTime: 1234.56
                unit: ms
                latency:
                  handshake_plus_one_rtt: 1247.06
                  ping_rtt: 12.50
                  unit: ms
                """)
    }
}
