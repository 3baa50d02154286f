import Oxbow
import OxbowCommandLine

/// One side of a perf test of unified-testing, as the environment describes it.
struct PerfTest: Hashable, Sendable {
    let key: String
    let isDialer: Bool
    let security: SecurityProtocol
    let listenAddress: Multiaddr
    let redis: RedisAddress
    let timeout: Duration
    let uploadBytes: UInt64
    let downloadBytes: UInt64
    let uploadIterations: Int
    let downloadIterations: Int
    let latencyIterations: Int

    init(_ environment: TestEnvironment) throws(TestEnvironmentError) {
        guard environment["IS_DIALER"] != nil else {
            throw .noConvention(
                "nothing says what to measure: give --server-address HOST:PORT, with --run-server at the server, or set "
                    + "IS_DIALER, REDIS_ADDR, TEST_KEY, TRANSPORT, SECURE_CHANNEL and MUXER")
        }
        key = try environment.required("TEST_KEY")
        isDialer = try environment.flag("IS_DIALER")
        security = try environment.security(transport: "TRANSPORT", security: "SECURE_CHANNEL", muxer: "MUXER")
        listenAddress = try environment.listenAddress("LISTENER_IP", default: "0.0.0.0")
        redis = try environment.redis("REDIS_ADDR", default: nil)
        timeout = try environment.timeout("TEST_TIMEOUT_SECS")
        uploadBytes = try environment.number("UPLOAD_BYTES", default: 1 << 30, in: 1...UInt64.max)
        downloadBytes = try environment.number("DOWNLOAD_BYTES", default: 1 << 30, in: 1...UInt64.max)
        uploadIterations = try Self.iterations("UPLOAD_ITERATIONS", 10, environment)
        downloadIterations = try Self.iterations("DOWNLOAD_ITERATIONS", 10, environment)
        latencyIterations = try Self.iterations("LATENCY_ITERATIONS", 100, environment)
    }

    private static func iterations(
        _ name: String, _ standard: UInt64, _ environment: TestEnvironment
    ) throws(TestEnvironmentError) -> Int {
        Int(try environment.number(name, default: standard, in: 1...100_000))
    }

    var addressKey: String { "\(key)_listener_multiaddr" }
}

/// The three series of a perf test.
struct PerfMeasurements: Sendable {
    /// Gigabits per second.
    let upload: PerfStatistics
    let download: PerfStatistics
    /// Milliseconds for one byte there and one back.
    let latency: PerfStatistics

    /// What the dialer prints.
    var yaml: String {
        """
        # Measurements from dialer
        \(upload.yaml("upload", unit: "Gbps", digits: 2))
        \(download.yaml("download", unit: "Gbps", digits: 2))
        \(latency.yaml("latency", unit: "ms", digits: 3))
        """
    }
}
