import Oxbow
import OxbowCommandLine

/// One side of a transport test, as the environment describes it.
struct TransportTest: Hashable, Sendable {
    let convention: TestConvention
    let isDialer: Bool
    let security: SecurityProtocol
    let listenAddress: Multiaddr
    let redis: RedisAddress
    let timeout: Duration

    init(_ environment: TestEnvironment) throws(TestEnvironmentError) {
        if environment["transport"] != nil || environment["is_dialer"] != nil {
            try self.init(testPlans: environment)
        } else if environment["TRANSPORT"] != nil || environment["IS_DIALER"] != nil {
            try self.init(unified: environment)
        } else {
            throw .noConvention(
                "nothing says which test to run: set transport, muxer, security and is_dialer, or TRANSPORT, MUXER, "
                    + "SECURE_CHANNEL, IS_DIALER, REDIS_ADDR and TEST_KEY")
        }
    }

    private init(testPlans environment: TestEnvironment) throws(TestEnvironmentError) {
        convention = .testPlans
        isDialer = try environment.flag("is_dialer")
        security = try environment.security(transport: "transport", security: "security", muxer: "muxer")
        listenAddress = try environment.listenAddress("ip", default: "0.0.0.0")
        redis = try environment.redis("redis_addr", default: RedisAddress(host: "redis"))
        timeout = try environment.timeout("test_timeout_seconds")
    }

    private init(unified environment: TestEnvironment) throws(TestEnvironmentError) {
        convention = .unified(key: try environment.required("TEST_KEY"))
        isDialer = try environment.flag("IS_DIALER")
        security = try environment.security(transport: "TRANSPORT", security: "SECURE_CHANNEL", muxer: "MUXER")
        listenAddress = try environment.listenAddress("LISTENER_IP", default: "0.0.0.0")
        redis = try environment.redis("REDIS_ADDR", default: nil)
        timeout = try environment.timeout("TEST_TIMEOUT_SECS")
    }

    /// Under which key the listener tells its address: a list in both conventions, whatever is written of the newer one.
    var addressKey: String {
        switch convention {
        case .testPlans: "listenerAddr"
        case .unified(let key): "\(key)_listener_multiaddr"
        }
    }

    /// What the dialer prints.
    func result(_ times: TransportTimes) -> String {
        switch convention {
        case .testPlans:
            JSON.object([
                ("handshakePlusOneRTTMillis", .rounded(times.handshakePlusRoundTrip.milliseconds)),
                ("pingRTTMilllis", .rounded(times.roundTrip.milliseconds)),
            ]).description
        case .unified:
            """
            # Measurements from dialer
            latency:
              handshake_plus_one_rtt: \(decimal(times.handshakePlusRoundTrip.milliseconds, 3))
              ping_rtt: \(decimal(times.roundTrip.milliseconds, 3))
              unit: ms
            """
        }
    }
}

/// What the dialer of a transport test measures.
struct TransportTimes: Hashable, Sendable {
    /// From the beginning of the dial until a ping has come back.
    let handshakePlusRoundTrip: Duration
    /// Of that ping alone.
    let roundTrip: Duration
}
