import Oxbow

/// Round trips on an open stream, and streams that live for one echo.
enum SmallThings {
    /// The figures of one security protocol.
    private struct Figures {
        /// The median and the 99th percentile.
        let roundTrips, roundTripsOnLoop: (Figure, Figure)
        /// One by one, and sixteen at once.
        let opens, opensOnLoop, ends: (Figure, Figure)

        init(_ security: Security) {
            let (key, name) = (security.key, security.name)
            func roundTrips(_ suffix: String, _ title: String) -> (Figure, Figure) {
                func figure(_ part: String) -> Figure {
                    Figure(
                        "roundtrip.\(key)\(suffix).\(part)", .roundTrips, "\(title), \(name), \(part)", "µs",
                        per: .plainRoundTrip)
                }
                return (figure("median"), figure("p99"))
            }
            func opens(_ suffix: String, _ title: String) -> (Figure, Figure) {
                func figure(_ part: String, _ words: String) -> Figure {
                    Figure("opens.\(key)\(suffix).\(part)", .opens, "\(title), \(name), \(words)", "/s")
                }
                return (figure("sequential", "one by one"), figure("16", "16 at once"))
            }
            self.roundTrips = roundTrips("", "round trip, open stream")
            roundTripsOnLoop = roundTrips(".loop", "the same on the connection's loop")
            self.opens = opens("", "open + 32-byte echo")
            opensOnLoop = opens(".loop", "the same on the connection's loop")
            ends = opens(".end", "open + 32-byte echo, then its end")
        }
    }

    static func measure(_ options: Options, _ report: Report, _ child: Child) async throws {
        if options.wants(.plainRoundTrip) {
            let samples = try await PlainClient.roundTrips(to: child.plainPort, for: options.shortDuration)
            report.add(.plainRoundTrip, percentile(samples, 0.5))
        }
        for security in [Security.noise, .tls] {
            let figures = Figures(security)
            try await Throughput.withPeer(child, security.kind) { peer in
                // An application's tasks run on the default executor; those that ask for it, on the connection's loop.
                let loop = peer.connections.first?.taskExecutor
                try await roundTrips(options, report, peer, figures.roundTrips, on: nil)
                try await roundTrips(options, report, peer, figures.roundTripsOnLoop, on: loop)
                try await opens(options, report, figures.opens, on: nil) { try await openAndEcho(peer) }
                try await opens(options, report, figures.opensOnLoop, on: loop) { try await openAndEcho(peer) }
                try await opens(options, report, figures.ends, on: nil) { try await openEchoAndEnd(peer) }
            }
        }
    }

    private static func roundTrips(
        _ options: Options, _ report: Report, _ peer: Peer, _ figures: (median: Figure, tail: Figure),
        on executor: (any TaskExecutor)?
    ) async throws {
        guard options.wants(figures.median) else { return }
        let samples = try await withTaskExecutorPreference(executor) {
            try await roundTrips(peer, BenchProtocol.echo, for: options.shortDuration)
        }
        report.add(figures.median, percentile(samples, 0.5))
        report.add(figures.tail, percentile(samples, 0.99))
    }

    /// How long each of 32 bytes took to come back, on one stream.
    static func roundTrips(_ peer: Peer, _ name: ProtocolID, for time: Duration) async throws -> [Duration] {
        try await peer.withStream([name]) { stream in
            var samples: [Duration] = []
            let begin = ContinuousClock.now
            while begin.duration(to: .now) < time {
                let sent = ContinuousClock.now
                try await echo(on: stream)
                samples.append(sent.duration(to: .now))
            }
            return samples
        }
    }

    /// How often `exchange` runs in a second, in one task and in sixteen.
    private static func opens(
        _ options: Options, _ report: Report, _ figures: (single: Figure, sixteen: Figure),
        on executor: (any TaskExecutor)?, _ exchange: @escaping @Sendable () async throws -> Void
    ) async throws {
        for (figure, tasks) in [(figures.single, 1), (figures.sixteen, 16)] where options.wants(figure) {
            let start = ContinuousClock.now
            let count = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<tasks {
                    group.addTask(executorPreference: executor) {
                        var count = 0
                        while start.duration(to: .now) < options.shortDuration {
                            try await exchange()
                            count += 1
                        }
                        return count
                    }
                }
                return try await group.reduce(0, +)
            }
            report.add(figure, Double(count) / (start.duration(to: .now) / .seconds(1)))
        }
    }

    /// One question and its answer; what is left of the stream ends by itself.
    private static func openAndEcho(_ peer: Peer) async throws {
        try await peer.withStream([BenchProtocol.echo]) { try await echo(on: $0) }
    }

    /// The end is asked for once the answer is read, and waited for: a second round trip.
    private static func openEchoAndEnd(_ peer: Peer) async throws {
        try await peer.withStream([BenchProtocol.echo]) { stream in
            try await echo(on: stream)
            stream.outbound.finish()
            guard try await stream.read(exactly: 1) == nil else { throw Failure("more came back than was sent") }
        }
    }

    static func echo(on stream: Oxbow.Stream) async throws {
        try await stream.outbound.write(ByteBuffer(repeating: 1, count: 32))
        guard try await stream.read(exactly: 32)?.readableBytes == 32 else { throw Failure("the echo ended") }
    }

    /// In microseconds.
    static func percentile(_ samples: [Duration], _ share: Double) -> Double {
        let sorted = samples.sorted()
        guard !sorted.isEmpty else { return 0 }
        return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))] / .microseconds(1)
    }
}
