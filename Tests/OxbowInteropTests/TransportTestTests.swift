import Oxbow
import Testing

@testable import OxbowInterop

@Suite struct TransportTestTests {
    private static let older = ["transport": "tcp", "muxer": "yamux", "security": "noise", "is_dialer": "true"]
    private static let newer = [
        "TRANSPORT": "tcp", "MUXER": "yamux", "SECURE_CHANNEL": "tls", "IS_DIALER": "false",
        "REDIS_ADDR": "transport-redis:6379", "TEST_KEY": "a5b50d5e",
    ]

    private static func changed(_ values: [String: String], _ change: [String: String]) -> TestEnvironment {
        TestEnvironment(values.merging(change) { $1 })
    }

    @Test func theOlderConventionHasDefaults() throws {
        let test = try TransportTest(TestEnvironment(Self.older))
        #expect(test.convention == .testPlans)
        #expect(test.isDialer)
        #expect(test.security == .noise)
        #expect(test.listenAddress == (try Multiaddr("/ip4/0.0.0.0/tcp/0")))
        #expect(test.redis == RedisAddress(host: "redis", port: 6_379))
        #expect(test.timeout == .seconds(180))
        #expect(test.addressKey == "listenerAddr")
    }

    @Test func theOlderConventionsSettings() throws {
        let test = try TransportTest(
            Self.changed(
                Self.older,
                [
                    "ip": "::1", "redis_addr": "127.0.0.1:7", "test_timeout_seconds": "9", "is_dialer": "false",
                    "security": "tls",
                ]
            ))
        #expect(!test.isDialer)
        #expect(test.security == .tls)
        #expect(test.listenAddress == (try Multiaddr("/ip6/::1/tcp/0")))
        #expect(test.redis == RedisAddress(host: "127.0.0.1", port: 7))
        #expect(test.timeout == .seconds(9))
    }

    @Test func theNewerConvention() throws {
        let test = try TransportTest(Self.changed(Self.newer, ["LISTENER_IP": "127.0.0.2", "DEBUG": "false"]))
        #expect(test.convention == .unified(key: "a5b50d5e"))
        #expect(!test.isDialer)
        #expect(test.security == .tls)
        #expect(test.listenAddress == (try Multiaddr("/ip4/127.0.0.2/tcp/0")))
        #expect(test.redis == RedisAddress(host: "transport-redis", port: 6_379))
        #expect(test.addressKey == "a5b50d5e_listener_multiaddr")
    }

    @Test(arguments: [
        (["transport": "quic-v1"], "transport"), (["transport": "ws"], "transport"), (["muxer": "mplex"], "muxer"),
        (["security": "plaintext"], "security"),
    ])
    func whatThisImplementationLacks(_ change: [String: String], _ variable: String) throws {
        let value = try #require(change[variable])
        #expect {
            _ = try TransportTest(Self.changed(Self.older, change))
        } throws: { error in
            if case TestEnvironmentError.unsupported(variable, value, _) = error { true } else { false }
        }
    }

    @Test(arguments: ["transport", "muxer", "security", "is_dialer"])
    func theOlderConventionNeeds(_ variable: String) {
        #expect(throws: TestEnvironmentError.missing(variable)) {
            try TransportTest(Self.changed(Self.older, [variable: ""]))
        }
    }

    @Test(arguments: ["TRANSPORT", "MUXER", "SECURE_CHANNEL", "IS_DIALER", "REDIS_ADDR", "TEST_KEY"])
    func theNewerConventionNeeds(_ variable: String) {
        #expect(throws: TestEnvironmentError.missing(variable)) {
            try TransportTest(Self.changed(Self.newer, [variable: "null"]))
        }
    }

    @Test(arguments: [
        ["is_dialer": "yes"], ["ip": "localhost"], ["ip": "300.0.0.1"], ["redis_addr": "redis:x"],
        ["test_timeout_seconds": "0"], ["test_timeout_seconds": "-1"], ["test_timeout_seconds": "1e3"],
        ["test_timeout_seconds": "99999999999999999999"],
    ])
    func nonsense(_ change: [String: String]) throws {
        let (name, value) = try #require(change.first)
        #expect {
            _ = try TransportTest(Self.changed(Self.older, change))
        } throws: { error in
            if case TestEnvironmentError.invalid(name, value, _) = error { true } else { false }
        }
    }

    @Test func nothingAtAll() {
        #expect {
            _ = try TransportTest(TestEnvironment(["PATH": "/bin"]))
        } throws: { error in
            if case TestEnvironmentError.noConvention = error { true } else { false }
        }
    }

    private static let times = TransportTimes(
        handshakePlusRoundTrip: .microseconds(12_345), roundTrip: .microseconds(500))

    @Test func resultsAreSpelledAsTheRunnersReadThem() throws {
        #expect(
            try TransportTest(TestEnvironment(Self.older)).result(Self.times)
                == #"{"handshakePlusOneRTTMillis": 12.345, "pingRTTMilllis": 0.5}"#)
        #expect(
            try TransportTest(TestEnvironment(Self.newer)).result(Self.times)
                == "# Measurements from dialer\nlatency:\n  handshake_plus_one_rtt: 12.345\n  ping_rtt: 0.500\n  unit: ms"
        )
    }

    @Test func whatIsToldToOthersIsWhereTheyFindThisHost() throws {
        let all = try ["/ip4/127.0.0.1/tcp/1", "/ip4/169.254.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/10.1.0.1/tcp/1"]
            .map { try Multiaddr($0) }
        #expect(all.reachable(preferring: nil) == all[2])
        #expect(all.reachable(preferring: "10.1.0.1") == all[3])
        #expect(all.reachable(preferring: "127.0.0.1") == all[2])
        #expect(all[..<1].reachable(preferring: nil) == all[0])
        #expect(try [Multiaddr("/ip4/0.0.0.0/tcp/1")].reachable(preferring: nil) == nil)
    }
}
