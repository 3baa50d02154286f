import ArgumentParser
import Oxbow
import OxbowCommandLine

/// The perf tests: with options as libp2p/test-plans has them, or with the environment of unified-testing.
struct InteropPerfCommand: TestCommand {
    static let configuration = CommandConfiguration(
        commandName: "perf", abstract: "Be a peer of libp2p's perf tests (/perf/1.0.0).",
        discussion: "Without options the environment says what to do, as Interop/test-plans/README.md tells.")

    @Flag(help: "Be the server that clients measure.") var runServer = false
    @Option(help: ArgumentHelp("Where the server is, or is to be.", valueName: "host:port")) var serverAddress: String?
    @Option(help: "The transport: tcp.") var transport = "tcp"
    @Option(help: "How much to send.") var uploadBytes: UInt64 = 0
    @Option(help: "How much to ask for.") var downloadBytes: UInt64 = 0

    func validate() throws {
        guard transport == "tcp" else {
            throw ValidationError("--transport \(transport) is not supported: there is tcp")
        }
        if let serverAddress { _ = try Self.address(serverAddress) }
        if runServer, serverAddress == nil { throw ValidationError("--run-server needs --server-address") }
    }

    func perform(in environment: TestEnvironment) async throws {
        guard let serverAddress else { return try await perform(PerfTest(environment)) }
        let address = try Self.address(serverAddress)
        if runServer { try await serve(at: address) } else { try await measure(address) }
    }

    /// `host:port` as a TCP address.
    static func address(_ text: String) throws -> Multiaddr {
        guard let place = RedisAddress(text), text.hasSuffix(":\(place.port)") else {
            throw ValidationError("'\(text)' is no address such as 192.0.2.1:4001")
        }
        for kind in place.host.contains(":") ? ["ip6"] : ["ip4", "dns"] {
            if let address = try? Multiaddr("/\(kind)/\(place.host)/tcp/\(place.port)") { return address }
        }
        throw ValidationError("'\(text)' is no address such as 192.0.2.1:4001")
    }

    // MARK: test-plans

    private func serve(at address: Multiaddr) async throws {
        try await withHost(identity: PerfIdentity.key(), configuration: .forPerf) { host in
            host.servePerf()
            for address in try await host.listen(on: address) { StandardOutput.write(line: address.description) }
            try await Task.sleep(for: .seconds(Int64(TestTime.range.upperBound)))
        }
    }

    private func measure(_ address: Multiaddr) async throws {
        let server = try await PerfIdentity.peer(at: address)
        log("\(server) is at \(address)")
        try await withHost(identity: .generate(.ed25519), configuration: .forPerf) { host in
            let progress = PerfProgress(at: .now)
            let peer = try await host.connect(to: server, at: [address])
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { [progress] in try await report(peer, progress) }
                _ = try await peer.perf(upload: uploadBytes, download: downloadBytes)
                group.cancelAll()
            }
            let result = progress.final(uploaded: uploadBytes, downloaded: downloadBytes, at: .now)
            StandardOutput.write(line: result.description)
        }
    }

    /// Tells every second what has been carried.
    private func report(_ peer: Peer, _ progress: PerfProgress) async throws {
        var progress = progress
        var last: (uploaded: UInt64, downloaded: UInt64) = (0, 0)
        while !Task.isCancelled {
            try await Task.sleep(for: .seconds(1))
            last = peer.perfBytes ?? last
            let line = progress.intermediary(uploaded: last.uploaded, downloaded: last.downloaded, at: .now)
            StandardOutput.write(line: line.description)
        }
    }

    // MARK: unified-testing

    private func perform(_ test: PerfTest) async throws {
        let deadline = ContinuousClock.now + test.timeout
        let redis = try await RedisClient.connect(to: test.redis, until: deadline)
        let configuration = HostConfiguration.forTest(test.security)
        try await withHost(identity: .generate(.ed25519), configuration: configuration) { host in
            guard !test.isDialer else { return try await dial(test, host, redis, until: deadline) }
            host.servePerf()
            let addresses = try await host.listen(on: test.listenAddress)
            guard let address = addresses.reachable(preferring: redis.localAddress) else {
                throw CommandFailure(.failed, "no address of \(test.listenAddress) can be told to others")
            }
            log("listening on \(address)")
            try await redis.set(test.addressKey, to: address.description, until: deadline)
            // The runner ends it, and the measurements may take long.
            try await Task.sleep(for: .seconds(Int64(TestTime.range.upperBound)))
        }
        await redis.close()
    }

    private func dial(
        _ test: PerfTest, _ host: OxbowHost, _ redis: RedisClient, until deadline: ContinuousClock.Instant
    ) async throws {
        let target = try PeerAddress.parse(try await redis.value(of: test.addressKey, until: deadline))
        log("the listener is at \(target.address)")
        let peer = try await host.connect(to: target.peer, at: [target.address])
        let measurements = PerfMeasurements(
            upload: try await series(test.uploadIterations) {
                try await peer.gigabitsPerSecond(upload: test.uploadBytes, download: 0)
            },
            download: try await series(test.downloadIterations) {
                try await peer.gigabitsPerSecond(upload: 0, download: test.downloadBytes)
            },
            latency: try await series(test.latencyIterations) {
                try await peer.perfTime(upload: 1, download: 1).milliseconds
            })
        StandardOutput.write(line: measurements.yaml)
    }

    private func series(_ count: Int, _ measure: () async throws -> Double) async throws -> PerfStatistics {
        var values: [Double] = []
        for _ in 0..<count { values.append(try await measure()) }
        log("measured \(count) times")
        return PerfStatistics(values)
    }
}

extension Peer {
    /// From the opening of a stream for `/perf/1.0.0` until all has come back.
    fileprivate func perfTime(upload: UInt64, download: UInt64) async throws -> Duration {
        let began = ContinuousClock.now
        _ = try await perf(upload: upload, download: download)
        return ContinuousClock.now - began
    }

    /// How fast bytes go, either up or down.
    fileprivate func gigabitsPerSecond(upload: UInt64, download: UInt64) async throws -> Double {
        let time = try await perfTime(upload: upload, download: download)
        return Double(max(upload, download)) * 8 / time.seconds / 1e9
    }
}
