import Foundation
import Oxbow

/// The protocols of the second process.
enum BenchProtocol {
    /// Reads to the end, then answers with how many bytes came and the longest gap between two reads (two UInt64).
    static let sink: ProtocolID = "/oxbow-bench/sink"
    /// Reads for how many milliseconds to send (UInt32), sends as much as it can, ends.
    static let source: ProtocolID = "/oxbow-bench/source"
    static let echo: ProtocolID = "/oxbow-bench/echo"
    /// How many bytes go up and how many down (two UInt64), then they do: what the peers of the interop tests serve too.
    static let transfer: ProtocolID = "/xfer/1.0.0"
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

    /// The same for crowds: streams by the hundred thousand, and as many of them that move at once.
    static func forCrowds(_ security: [SecurityProtocol]) -> HostConfiguration {
        var configuration = forBenchmarks(security)
        configuration.swarm.muxer.maximumInboundStreams = 1_000_000
        configuration.swarm.muxer.maximumOutboundStreams = 1_000_000
        configuration.swarm.migration.maximumStreams = 1_000_000
        configuration.swarm.migration.maximumConcurrent = 100_000
        configuration.maximumWaitingStreams = 1_000_000
        return configuration
    }

    /// The same for a relay, and for those who meet through it: nothing is bounded, and nobody leaves it by himself.
    static func forRelays(_ security: [SecurityProtocol], isRelay: Bool) -> HostConfiguration {
        var configuration = forBenchmarks(security)
        configuration.swarm.holePunch.isEnabled = false
        configuration.swarm.policy = .manual
        guard isRelay else { return configuration }
        configuration.swarm.reachability.known = .public
        var relay = RelayServerConfiguration()
        relay.limit = nil
        configuration.swarm.relayServer = relay
        return configuration
    }
}

/// What the second process is.
struct ServerRole {
    /// For crowds: larger bounds, and four addresses, each of which has all ports of a dialer's.
    var isForCrowds = false
    /// A relay, that besides forwards plain TCP to this port of this machine.
    var relayPort: Int?
    /// Listens through this relay.
    var relay: Multiaddr?

    init() {}

    init(_ arguments: some Sequence<String>) throws {
        var iterator = arguments.makeIterator()
        while let name = iterator.next() {
            switch name {
            case "--crowd": isForCrowds = true
            case "--relay": relayPort = iterator.next().flatMap(Int.init)
            case "--through": relay = try iterator.next().map { try Multiaddr($0) }
            default: throw Failure("unknown option of a server: \(name)")
            }
        }
    }

    var arguments: [String] {
        (isForCrowds ? ["--crowd"] : []) + (relayPort.map { ["--relay", "\($0)"] } ?? [])
            + (relay.map { ["--through", "\($0)"] } ?? [])
    }

    fileprivate var configuration: HostConfiguration {
        let both: [SecurityProtocol] = [.noise, .tls]
        if isForCrowds { return .forCrowds(both) }
        return relayPort == nil && relay == nil ? .forBenchmarks(both) : .forRelays(both, isRelay: relayPort != nil)
    }

    fileprivate func listenAddresses() throws -> [Multiaddr] {
        if let relay { return [try Multiaddr("\(relay)/p2p-circuit")] }
        return try (1...(isForCrowds ? 4 : 1)).map { try Multiaddr("/ip4/127.0.0.\($0)/tcp/0") }
    }
}

enum Server {
    static func run(_ role: ServerRole) async throws {
        Machine.raiseFileLimit()
        try await withHost(identity: .generate(.ed25519), configuration: role.configuration) { host in
            host.handle(BenchProtocol.sink, onEventLoop: true, sink)
            host.handle(BenchProtocol.source, onEventLoop: true, source)
            host.handle(BenchProtocol.transfer, onEventLoop: true, transfer)
            host.handle(BenchProtocol.echo, onEventLoop: true) { stream in
                for try await bytes in stream.inbound { try await stream.outbound.write(bytes) }
                stream.outbound.finish()
            }
            let plain: Int
            if let port = role.relayPort {
                plain = try await PlainRelay.start(to: port)
            } else {
                plain = try await PlainServer.start()
            }
            var addresses: [Multiaddr] = []
            for address in try role.listenAddresses() { addresses += try await host.listen(on: address) }
            guard !addresses.isEmpty else { throw Failure("nothing to listen on") }
            let words = ["\(host.id)", "\(plain)"] + addresses.map { "\($0)" }
            ChildProcess.say(words.joined(separator: " "))
            await ChildProcess.endOfInput()
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

    private static func transfer(_ stream: Oxbow.Stream) async throws {
        guard let head = try await stream.read(exactly: 16),
            let (up, down) = head.getMultipleIntegers(at: 0, as: (UInt64, UInt64).self)
        else { return }
        var received: UInt64 = 0
        var inbound = stream.inbound.makeAsyncIterator()
        while received < up, let bytes = try await inbound.next() { received += UInt64(bytes.readableBytes) }
        for _ in 0..<(Int(down) / block.readableBytes) { try await stream.outbound.write(block) }
        stream.outbound.finish()
    }
}
