import Foundation
import Oxbow

/// The protocols of the second process.
enum BenchProtocol {
    /// Reads to the end, then answers with how many bytes came and the longest gap between two reads (two UInt64).
    static let sink: ProtocolID = "/oxbow-bench/sink"
    /// Reads for how many milliseconds to send (UInt32), sends as much as it can, ends.
    static let source: ProtocolID = "/oxbow-bench/source"
    static let echo: ProtocolID = "/oxbow-bench/echo"
}

/// What a write of the throughput measurements carries.
let block = ByteBuffer(repeating: 0x5a, count: 64 * 1_024)

extension HostConfiguration {
    /// Bounds that the measurements don't run into.
    static func forBenchmarks(_ security: [SecurityProtocol]) -> HostConfiguration {
        var configuration = HostConfiguration()
        configuration.security = security
        configuration.swarm.limits.resources = .unlimited
        configuration.swarm.muxer.maximumInboundStreams = 20_000
        configuration.swarm.muxer.maximumOutboundStreams = 20_000
        configuration.maximumWaitingStreams = 20_000
        return configuration
    }
}

enum Server {
    static func run() async throws {
        let configuration = HostConfiguration.forBenchmarks([.noise, .tls])
        try await withHost(identity: .generate(.ed25519), configuration: configuration) { host in
            host.handle(BenchProtocol.sink, onEventLoop: true, sink)
            host.handle(BenchProtocol.source, onEventLoop: true, source)
            host.handle(BenchProtocol.echo, onEventLoop: true) { stream in
                for try await bytes in stream.inbound { try await stream.outbound.write(bytes) }
                stream.outbound.finish()
            }
            let plain = try await PlainServer.start()
            guard let address = try await host.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0")).first else {
                throw Failure("nothing to listen on")
            }
            FileHandle.standardOutput.write(Data("\(host.id) \(address) \(plain)\n".utf8))
            await endOfInput()
        }
    }

    private static func sink(_ stream: Oxbow.Stream) async throws {
        var (count, gap) = (0, Duration.zero)
        var last: ContinuousClock.Instant?
        for try await bytes in stream.inbound {
            let now = ContinuousClock.now
            if let last { gap = max(gap, now - last) }
            last = now
            count += bytes.readableBytes
        }
        var reply = ByteBuffer()
        reply.writeMultipleIntegers(UInt64(count), UInt64(gap / .nanoseconds(1)))
        try await stream.outbound.write(reply)
        stream.outbound.finish()
    }

    private static func source(_ stream: Oxbow.Stream) async throws {
        guard let time = try await stream.read(exactly: 4)?.getInteger(at: 0, as: UInt32.self) else { return }
        let start = ContinuousClock.now
        while start.duration(to: .now) < .milliseconds(Int(time)) { try await stream.outbound.write(block) }
        stream.outbound.finish()
    }

    /// Waits for the end of the standard input on a thread of its own.
    private static func endOfInput() async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            Thread.detachNewThread {
                while !FileHandle.standardInput.availableData.isEmpty {}
                continuation.resume()
            }
        }
    }
}
