import Oxbow
import OxbowCommandLine

/// One part of a hole-punch test, as the environment describes it.
struct HolePunchTest: Hashable, Sendable {
    enum Role: Hashable, Sendable {
        case relay, listener, dialer
    }

    let convention: TestConvention
    let role: Role
    let security: SecurityProtocol
    let listenAddress: Multiaddr
    let redis: RedisAddress
    let timeout: Duration

    /// The port at which relays listen, by custom.
    static let relayPort: UInt16 = 4_001

    init(_ environment: TestEnvironment) throws(TestEnvironmentError) {
        if environment["MODE"] != nil {
            try self.init(testPlans: environment)
        } else if ["IS_RELAY", "IS_DIALER", "RELAY_IP"].contains(where: { environment[$0] != nil }) {
            try self.init(unified: environment)
        } else {
            throw .noConvention(
                "nothing says which part to take: set MODE and TRANSPORT, or IS_RELAY or IS_DIALER, and REDIS_ADDR, "
                    + "TEST_KEY, TRANSPORT, SECURE_CHANNEL and MUXER")
        }
    }

    private init(testPlans environment: TestEnvironment) throws(TestEnvironmentError) {
        convention = .testPlans
        let mode = try environment.required("MODE")
        switch mode {
        case "listen": role = .listener
        case "dial": role = .dialer
        // Not of the convention, which has one relay for all: for runs without that.
        case "relay": role = .relay
        default: throw .invalid(name: "MODE", value: mode, wanted: "listen or dial")
        }
        security = try environment.security(
            transport: "TRANSPORT", security: "security", muxer: "muxer", isImplied: true)
        listenAddress = try environment.listenAddress(
            "ip", default: "0.0.0.0", port: role == .relay ? Self.relayPort : 0)
        redis = try environment.redis("redis_addr", default: RedisAddress(host: "redis"))
        timeout = try environment.timeout("test_timeout_seconds")
    }

    private init(unified environment: TestEnvironment) throws(TestEnvironmentError) {
        convention = .unified(key: try environment.required("TEST_KEY"))
        // The runner doesn't set IS_RELAY, as its documentation says: where the relay is tells enough.
        let isRelay =
            environment["IS_RELAY"] == nil
            ? environment["IS_DIALER"] == nil && environment["RELAY_IP"] != nil : try environment.flag("IS_RELAY")
        role = isRelay ? .relay : try environment.flag("IS_DIALER") ? .dialer : .listener
        security = try environment.security(transport: "TRANSPORT", security: "SECURE_CHANNEL", muxer: "MUXER")
        // The documentation has PEER_IP for both, the runner a name for each.
        let own = role == .dialer ? "DIALER_IP" : "LISTENER_IP"
        let name = isRelay ? "RELAY_IP" : environment[own] == nil ? "PEER_IP" : own
        listenAddress = try environment.listenAddress(
            name, default: "0.0.0.0", port: isRelay ? Self.relayPort : 0)
        redis = try environment.redis("REDIS_ADDR", default: nil)
        timeout = try environment.timeout("TEST_TIMEOUT_SECS")
    }

    /// What the dialer prints.
    func result(_ times: HolePunchTimes) -> String {
        switch convention {
        case .testPlans:
            return JSON.object([("rtt_to_holepunched_peer_millis", .rounded(times.roundTrip.milliseconds))]).description
        case .unified:
            let handshake = times.handshake.milliseconds
            // The first form is documented, the second one is what the runner reads.
            return """
                # Measurements from dialer
                handshakeTime: \(decimal(handshake, 2))
                unit: ms
                latency:
                  handshake_plus_one_rtt: \(decimal(handshake + times.roundTrip.milliseconds, 2))
                  ping_rtt: \(decimal(times.roundTrip.milliseconds, 2))
                  unit: ms
                """
        }
    }
}

/// What the dialer of a hole-punch test measures.
struct HolePunchTimes: Hashable, Sendable {
    /// From the beginning of the upgrade until a direct connection stood.
    let handshake: Duration
    /// Of a ping on the direct connection.
    let roundTrip: Duration
}
