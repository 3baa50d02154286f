import Oxbow
import OxbowCommandLine
import Synchronization

/// One side's part in the demo: it sends a file, receives the other's, and moves the stream when it is told to. Both
/// processes run it, each with its own end of the stream.
final class DemoSide: Sendable {
    static let protocolID: ProtocolID = "/oxbow/demo/1.0.0"
    /// Bytes of one write.
    static let portion = 131_072

    let party: DemoParty
    let plan: DemoPlan
    let stream: OxbowStream
    let delivered = Meter()
    let sent = Meter()
    let allowed: Meter
    /// 1 once both files are through.
    let isThrough = Meter()
    private let heldBack = Mutex(Duration.zero)
    private let digests = Mutex(Digests())

    private struct Digests {
        var sent = ""
        var received = ""
    }

    init(_ party: DemoParty, _ plan: DemoPlan, _ stream: OxbowStream) {
        (self.party, self.plan, self.stream) = (party, plan, stream)
        allowed = Meter(plan.allowance(after: 0))
    }

    // MARK: The files

    /// Sends the file, as far as the plan allows at each time, and then the end of the stream.
    func send(_ source: consuming DemoSource) async throws {
        var hasher = SHA256Stream()
        var offset = 0
        while offset < source.size {
            let limit = try await mayGo(beyond: offset)
            let bytes = try source.next(min(Self.portion, limit - offset))
            hasher.update(bytes.readableBytesView)
            offset += bytes.readableBytes
            try await stream.outbound.write(bytes)
            sent.add(bytes.readableBytes)
        }
        let digest = Self.text(hasher.digest())
        digests.withLock { $0.sent = digest }
        _ = try await mayGo(beyond: source.size)
        stream.outbound.finish()
    }

    private func mayGo(beyond offset: Int) async throws -> Int {
        let present = allowed.value
        guard present <= offset else { return present }
        let clock = ContinuousClock()
        let began = clock.now
        let limit = try await allowed.wait(for: offset + 1)
        heldBack.withLock { $0 += clock.now - began }
        return limit
    }

    /// Receives the other's file, to its clean end.
    func receive(onProgress: @Sendable (Int) throws -> Void = { _ in }) async throws {
        var hasher = SHA256Stream()
        let step = max(1, plan.size / 200)
        var next = step
        for try await bytes in stream.inbound {
            hasher.update(bytes.readableBytesView)
            let total = delivered.add(bytes.readableBytes)
            guard total >= next else { continue }
            next = total + step
            try onProgress(total)
        }
        try onProgress(delivered.value)
        let digest = Self.text(hasher.digest())
        digests.withLock { $0.received = digest }
    }

    private static func text(_ digest: [UInt8]) -> String {
        digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    // MARK: Moving

    /// Waits until the move is due, moves the stream to `target`, and closes the connection that it has left.
    func move(_ host: OxbowHost, at threshold: Int, to target: Connection) async throws {
        try await delivered.wait(for: threshold)
        guard let peer = host.peer(stream.peer) else { throw DemoError.peerVanished }
        let left = stream.connection
        let stream = stream
        try await withTaskCancellationHandler {
            _ = try await peer.migrate(stream, to: target)
        } onCancel: {
            stream.reset()
        }
        // In order: a goodbye behind the last frame. All that came before has arrived, or the move weren't complete.
        peer.connections.first { $0.id == left?.id }?.close()
    }

    // MARK: The end

    func report(connectionsLeft: Int) -> DemoSideReport {
        let digests = digests.withLock { $0 }
        return DemoSideReport(
            sentDigest: digests.sent, receivedDigest: digests.received, bytesSent: sent.value,
            bytesReceived: delivered.value, migrations: stream.migrationCount,
            moves: stream.migrations.filter(\.isCompleted).map(DemoMove.init),
            heldBackSeconds: heldBack.withLock { $0 } / .seconds(1), connectionsLeft: connectionsLeft,
            trace: stream.trace)
    }
}

/// Counts how many of a host's connections have ended. What it doesn't see, the host's own list shows.
struct DemoClosings: Sendable {
    let closed = Meter()
    private let events: AsyncStream<SwarmEvent>

    init(_ host: OxbowHost) {
        events = host.events()
    }

    /// Counts until the host is shut down.
    func run() async {
        for await event in events {
            if case .connectionClosed = event { closed.add(1) }
        }
    }

    /// Waits until so many have ended, but not for ever: one that stays is a result too.
    func wait(for count: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await closed.wait(for: count) }
            group.addTask { try await Task.sleep(for: .seconds(10)) }
            try await group.next()
            group.cancelAll()
        }
    }
}

extension DemoPlan {
    var configuration: HostConfiguration {
        var configuration = HostConfiguration()
        configuration.security = SecurityProtocol(rawValue: security).map { [$0] } ?? configuration.security
        // The demo says itself what moves.
        configuration.swarm.policy = .manual
        // Those that stand, and as many that are on their way out.
        configuration.swarm.limits.connectionsPerPeer = 2 * connections
        configuration.swarm.stream.migrationRecords = max(1, migrations)
        // Eight for each move, and some for the beginning and the end.
        if isTraced { configuration.swarm.stream.traceEvents = 10 * migrations + 32 }
        return configuration
    }
}
