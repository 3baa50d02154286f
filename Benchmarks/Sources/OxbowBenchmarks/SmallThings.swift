import Oxbow

/// Round trips on an open stream, and streams that live for one echo.
enum SmallThings {
    static func measure(_ options: Options, _ report: Report, _ child: Child) async throws {
        if options.wants(Figure.plainRoundTrip.rawValue) {
            let samples = try await PlainClient.roundTrips(to: child.plainPort, for: options.shortDuration)
            report.add(.plainRoundTrip, percentile(samples, 0.5))
        }
        try await Throughput.withPeer(child, .noise) { peer in
            try await roundTrips(options, report, peer, .noiseRoundTrip, .noiseRoundTrip99)
            try await opens(options, report, peer, .noiseOpens, .noiseOpens16)
        }
        try await Throughput.withPeer(child, .tls) { peer in
            try await roundTrips(options, report, peer, .tlsRoundTrip, .tlsRoundTrip99)
            try await opens(options, report, peer, .tlsOpens, .tlsOpens16)
        }
    }

    private static func roundTrips(
        _ options: Options, _ report: Report, _ peer: Peer, _ median: Figure, _ tail: Figure
    ) async throws {
        guard options.wants(median.rawValue) else { return }
        let samples = try await peer.withStream([BenchProtocol.echo]) { stream in
            var samples: [Duration] = []
            let begin = ContinuousClock.now
            while begin.duration(to: .now) < options.shortDuration {
                let sent = ContinuousClock.now
                try await echo(on: stream)
                samples.append(sent.duration(to: .now))
            }
            return samples
        }
        report.add(median, percentile(samples, 0.5))
        report.add(tail, percentile(samples, 0.99))
    }

    private static func opens(
        _ options: Options, _ report: Report, _ peer: Peer, _ sequential: Figure, _ sixteen: Figure
    ) async throws {
        for (figure, tasks) in [(sequential, 1), (sixteen, 16)] where options.wants(figure.rawValue) {
            let start = ContinuousClock.now
            let count = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<tasks { group.addTask { try await openAndEcho(peer, for: options.shortDuration) } }
                return try await group.reduce(0, +)
            }
            report.add(figure, Double(count) / (start.duration(to: .now) / .seconds(1)))
        }
    }

    private static func openAndEcho(_ peer: Peer, for time: Duration) async throws -> Int {
        let start = ContinuousClock.now
        var count = 0
        while start.duration(to: .now) < time {
            try await peer.withStream([BenchProtocol.echo]) { stream in
                try await echo(on: stream)
                stream.outbound.finish()
                guard try await stream.read(exactly: 1) == nil else { throw Failure("more came back than was sent") }
            }
            count += 1
        }
        return count
    }

    static func echo(on stream: Oxbow.Stream) async throws {
        try await stream.outbound.write(ByteBuffer(repeating: 1, count: 32))
        guard try await stream.read(exactly: 32)?.readableBytes == 32 else { throw Failure("the echo ended") }
    }

    /// In microseconds.
    private static func percentile(_ samples: [Duration], _ share: Double) -> Double {
        let sorted = samples.sorted()
        guard !sorted.isEmpty else { return 0 }
        return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))] / .microseconds(1)
    }
}
