import Oxbow

/// Throughput by the number of streams of one connection, and with small writes.
enum Fanout {
    private static let streams = [1, 4, 16, 64]
    private static let writes = [512, 4_096]
    /// For the smallest writes, also on many streams.
    private static let crowd = 16

    private static func figure(streams: Int, per reference: Figure?) -> Figure {
        let title = "\(streams) \(streams == 1 ? "stream" : "streams"), Noise, up, 64 KiB writes"
        return Figure("streams.noise.\(streams)", .streams, title, "Gbit/s", per: reference)
    }

    private static func figure(plainWrites size: Int) -> Figure {
        Figure("writes.nio.\(size)", .streams, "TCP through NIO, \(size)-byte writes, flushed by 64 KiB", "Gbit/s")
    }

    private static func figure(writes size: Int, streams: Int, per reference: Figure) -> Figure {
        let title = "\(streams) \(streams == 1 ? "stream" : "streams"), Noise, up, \(size)-byte writes"
        return Figure("writes.noise.\(size).\(streams)", .streams, title, "Gbit/s", per: reference)
    }

    static func measure(_ options: Options, _ report: Report, _ child: Child) async throws {
        let one = figure(streams: 1, per: nil)
        for count in streams {
            let figure = count == 1 ? one : figure(streams: count, per: one)
            try await measure(figure, streams: count, write: block.readableBytes, options, report, child)
        }
        for size in writes {
            let reference = figure(plainWrites: size)
            if options.wants(reference) {
                let rate = try await PlainClient.throughput(
                    .none, writes: size, to: child.plainPort, for: options.shortDuration)
                report.add(reference, rate)
            }
            for count in [1, crowd] {
                let figure = figure(writes: size, streams: count, per: reference)
                try await measure(figure, streams: count, write: size, options, report, child)
            }
        }
    }

    private static func measure(
        _ figure: Figure, streams: Int, write size: Int, _ options: Options, _ report: Report, _ child: Child
    ) async throws {
        guard options.wants(figure) else { return }
        let configuration = HostConfiguration.forBenchmarks([.noise])
        try await withHost(identity: .generate(.ed25519), configuration: configuration) { host in
            let peer = try await host.connect(to: child.peer, at: [child.address])
            _ = try await send(peer, write: size, for: Throughput.warmUp)
            let start = ContinuousClock.now
            let bytes = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<streams {
                    group.addTask { try await send(peer, write: size, for: options.shortDuration) }
                }
                return try await group.reduce(0, +)
            }
            report.add(figure, gigabits(bytes, in: start.duration(to: .now)))
        }
    }

    /// - Returns: how many bytes arrived.
    private static func send(_ peer: Peer, write size: Int, for time: Duration) async throws -> Int {
        let piece = ByteBuffer(repeating: 0x5a, count: size)
        return try await peer.withStream([BenchProtocol.sink]) { stream in
            let start = ContinuousClock.now
            // So that the clock is no part of what small writes cost.
            let batch = max(1, block.readableBytes / size)
            while start.duration(to: .now) < time {
                for _ in 0..<batch { try await stream.outbound.write(piece) }
            }
            stream.outbound.finish()
            guard let count = try await stream.read(exactly: 16)?.getInteger(at: 0, as: UInt64.self) else {
                throw Failure("the sink gave no answer")
            }
            return Int(count)
        }
    }
}
