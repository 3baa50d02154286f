import Oxbow

/// One stream, writes of 64 KiB, two processes over loopback.
enum Throughput {
    /// The figures of one security protocol and one direction.
    private struct Figures {
        let rate, rateOnLoop, processorTime: Figure

        init(_ security: Security, _ direction: String, per reference: Figure, _ referenceCPU: Figure) {
            let (key, words) = ("\(security.key).\(direction)", "\(security.name), \(direction)")
            rate = Figure("throughput.\(key)", .throughput, "one stream, \(words)", "Gbit/s", per: reference)
            rateOnLoop = Figure(
                "throughput.\(key).loop", .throughput, "the same on the connection's loop, \(words)", "Gbit/s",
                per: reference)
            processorTime = Figure("cpu.\(key)", .cpu, "CPU per GiB, both sides, \(words)", "s", per: referenceCPU)
        }
    }

    static func measure(_ options: Options, _ report: Report, _ child: Child) async throws {
        let references: [(Figure, Figure?, PlainCipher)] = [
            (.plain, nil, .none), (.plainChaCha, .plainChaChaCPU, .chacha20poly1305),
            (.plainAES, .plainAESCPU, .aes256gcm),
        ]
        for (figure, cpu, cipher) in references where options.wants(figure) {
            try await metered(figure, cpu, report, child, options.duration) {
                try await PlainClient.throughput(cipher, to: child.plainPort, for: options.duration)
            }
        }
        let securities: [(Security, Figure, Figure)] = [
            (.noise, .plainChaCha, .plainChaChaCPU), (.tls, .plainAES, .plainAESCPU),
        ]
        for (security, reference, cpu) in securities {
            let up = Figures(security, "up", per: reference, cpu)
            try await measure(security.kind, up, options, report, child) { try await send($0, for: $1).rate }
            let down = Figures(security, "down", per: reference, cpu)
            try await measure(security.kind, down, options, report, child, receive)
        }
    }

    /// - Parameter body: Sends or receives for a time, and gives Gbit/s.
    private static func measure(
        _ security: SecurityProtocol, _ figures: Figures, _ options: Options, _ report: Report, _ child: Child,
        _ body: (Peer, Duration) async throws -> Double
    ) async throws {
        guard options.wants(figures.rate) || options.wants(figures.rateOnLoop) else { return }
        try await withPeer(child, security) { peer in
            _ = try await body(peer, warmUp)
            if options.wants(figures.rate) {
                try await metered(figures.rate, figures.processorTime, report, child, options.duration) {
                    try await body(peer, options.duration)
                }
            }
            guard options.wants(figures.rateOnLoop) else { return }
            let rate = try await withTaskExecutorPreference(peer.connections.first?.taskExecutor) {
                try await body(peer, options.duration)
            }
            report.add(figures.rateOnLoop, rate)
        }
    }

    /// The first bytes of a stream find a small window.
    static let warmUp = Duration.milliseconds(200)

    /// Reports the rate that `body` gives, and the processor time that both processes spent on it.
    private static func metered(
        _ figure: Figure, _ cpu: Figure?, _ report: Report, _ child: Child, _ time: Duration,
        _ body: () async throws -> Double
    ) async throws {
        let meter = ProcessorMeter(child)
        let rate = try await body()
        let gibibytes = rate * 1e9 / 8 * (time / .seconds(1)) / Double(1 << 30)
        report.add(figure, rate)
        if let cpu { report.add(cpu, meter.seconds / gibibytes) }
    }

    /// A host of its own that is connected to the child.
    static func withPeer(
        _ child: Child, _ security: SecurityProtocol, _ body: (Peer) async throws -> Void
    ) async throws {
        try await withHost(identity: .generate(.ed25519), configuration: .forBenchmarks([security])) { host in
            try await body(try await host.connect(to: child.peer, at: [child.address]))
        }
    }

    /// - Returns: Gbit/s, and the longest gap between two reads at the other side.
    static func send(
        _ peer: Peer, on connection: Connection? = nil, for time: Duration,
        alongside: @escaping @Sendable (Oxbow.Stream) async throws -> Void = { _ in }
    ) async throws -> (rate: Double, gap: Duration) {
        try await peer.withStream([BenchProtocol.sink], on: connection) { stream in
            let other = Task { try await alongside(stream) }
            let start = ContinuousClock.now
            while start.duration(to: .now) < time { try await stream.outbound.write(block) }
            other.cancel()
            try? await other.value
            stream.outbound.finish()
            guard var reply = try await stream.read(exactly: 16),
                let (count, gap) = reply.readMultipleIntegers(as: (UInt64, UInt64).self)
            else { throw Failure("the sink gave no answer") }
            return (gigabits(Int(count), in: start.duration(to: .now)), .nanoseconds(Int64(gap)))
        }
    }

    private static func receive(_ peer: Peer, _ time: Duration) async throws -> Double {
        try await peer.withStream([BenchProtocol.source]) { stream in
            let start = ContinuousClock.now
            try await stream.outbound.write(ByteBuffer(integer: UInt32(time / .milliseconds(1))))
            stream.outbound.finish()
            var count = 0
            for try await bytes in stream.inbound { count += bytes.readableBytes }
            return gigabits(count, in: start.duration(to: .now))
        }
    }
}

/// Processor time of both processes from its making on.
struct ProcessorMeter {
    private let child: Int32
    private let start: Double

    init(_ child: Child) {
        self.child = child.pid
        start = Self.now(child.pid)
    }

    var seconds: Double { Self.now(child) - start }

    private static func now(_ child: Int32) -> Double {
        Machine.processorSeconds(Machine.ownProcess) + Machine.processorSeconds(child)
    }
}
