import Oxbow

/// One stream, writes of 64 KiB, two processes over loopback.
enum Throughput {
    static func measure(_ options: Options, _ report: Report, _ child: Child) async throws {
        let references: [(Figure, PlainCipher)] = [
            (.plain, .none), (.plainChaCha, .chacha20poly1305), (.plainAES, .aes256gcm),
        ]
        for (figure, cipher) in references where options.wants(figure.rawValue) {
            let meter = ProcessorMeter(child)
            let rate = try await PlainClient.throughput(cipher, to: child.plainPort, for: options.duration)
            report.add(figure, rate)
            if figure == .plainChaCha {
                report.add(.plainCPU, meter.seconds / gibibytes(rate, options.duration))
            }
        }
        try await measure(.noise, options, report, child, up: .noiseUp, down: .noiseDown, cpu: .noiseCPU)
        try await measure(.tls, options, report, child, up: .tlsUp, down: .tlsDown, cpu: .tlsCPU)
    }

    private static func measure(
        _ security: SecurityProtocol, _ options: Options, _ report: Report, _ child: Child, up: Figure, down: Figure,
        cpu: Figure
    ) async throws {
        guard options.wants(up.rawValue) || options.wants(down.rawValue) else { return }
        try await withPeer(child, security) { peer in
            if options.wants(up.rawValue) {
                _ = try await send(peer, for: .milliseconds(200))
                let meter = ProcessorMeter(child)
                let (rate, _) = try await send(peer, for: options.duration)
                report.add(up, rate)
                report.add(cpu, meter.seconds / gibibytes(rate, options.duration))
            }
            if options.wants(down.rawValue) {
                _ = try await receive(peer, for: .milliseconds(200))
                report.add(down, try await receive(peer, for: options.duration))
            }
        }
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

    private static func receive(_ peer: Peer, for time: Duration) async throws -> Double {
        try await peer.withStream([BenchProtocol.source]) { stream in
            let start = ContinuousClock.now
            try await stream.outbound.write(ByteBuffer(integer: UInt32(time / .milliseconds(1))))
            stream.outbound.finish()
            var count = 0
            for try await bytes in stream.inbound { count += bytes.readableBytes }
            return gigabits(count, in: start.duration(to: .now))
        }
    }

    private static func gibibytes(_ gigabits: Double, _ time: Duration) -> Double {
        gigabits * 1e9 / 8 * (time / .seconds(1)) / Double(1 << 30)
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
