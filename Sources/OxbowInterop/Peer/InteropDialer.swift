import NIOCore
import Oxbow
import OxbowCommandLine
import OxbowNIO
import OxbowProtocols

/// The cases of the interop contract, from the dialer's side.
struct InteropDialer: Sendable {
    let host: OxbowHost
    let peer: Peer
    let address: Multiaddr
    let bytes: Int
    let isHalfClosing: Bool
    let closing: InteropClosing

    func perform(_ case: InteropDialCommand.Case, count: Int) async throws -> InteropResult {
        switch `case` {
        case .identify: try identify()
        case .ping: try await ping(count)
        case .echo: try await echo()
        case .streams: try await streams(count)
        case .vanish: try await vanish()
        case .upgrade: try await upgrade()
        case .migrate: try await migrate(count)
        }
    }

    private func identify() throws -> InteropResult {
        guard let info = peer.info else {
            throw CommandFailure(.failed, "the peer's identify did not come, or is wrong")
        }
        return InteropResult(
            ok: true,
            fields: [
                ("agent", .string(info.agentVersion ?? "")), ("protocol_version", .string(info.protocolVersion ?? "")),
                ("protocols", .array(info.protocols.map { .string($0.rawValue) })),
                ("listen_addrs", .array(info.listenAddresses.map { .string($0.description) })),
                ("observed_addr", info.observedAddress.map { .string($0.description) } ?? .null),
            ])
    }

    private func ping(_ count: Int) async throws -> InteropResult {
        var times: [JSON] = []
        var stream = try await PingStream.open(to: peer, on: host)
        for _ in 0..<count { times.append(.rounded(try await stream.ping().milliseconds)) }
        stream.stream.close()
        return InteropResult(ok: true, fields: [("rtt_ms", .array(times))])
    }

    private func echo() async throws -> InteropResult {
        let (received, isEqual) = try await peer.withStream([Interop.echo]) { stream in
            try await stream.exchangeEcho(bytes, isHalfClosing: isHalfClosing)
        }
        return InteropResult(
            ok: isEqual,
            fields: [
                ("bytes", .int(Int64(received))), ("sha256_equal", .bool(isEqual)),
                ("half_close", .bool(isHalfClosing)),
            ])
    }

    /// Opens all streams before the first byte flows on any, then uses them all at once.
    private func streams(_ count: Int) async throws -> InteropResult {
        var streams: [OxbowStream] = []
        for _ in 0..<count { streams.append(try await host.open(to: peer.id, [Interop.echo])) }
        let good = await withTaskGroup(of: Bool.self) { group in
            for stream in streams {
                group.addTask {
                    let result = try? await stream.exchangeEcho(bytes, isHalfClosing: false)
                    stream.close()
                    return result?.isEqual ?? false
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        return InteropResult(
            ok: good == count, fields: [("count", .int(Int64(count))), ("ok_count", .int(Int64(good)))])
    }

    /// Echoes without end until the peer is gone; then nothing may be left.
    private func vanish() async throws -> InteropResult {
        var ending = ""
        do {
            try await peer.withStream([Interop.echo]) { stream in try await echoForever(stream) }
        } catch let error as StreamError {
            ending = "StreamError: \(error)"
        }
        let deadline = ContinuousClock.now + .seconds(10)
        var census = host.census
        while !census.isZero, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(20))
            census = host.census
        }
        return InteropResult(
            ok: !ending.isEmpty && census.isZero,
            fields: [
                ("typed_error", .string(ending)), ("connections_left", .int(Int64(census.connections))),
                ("streams_left", .int(Int64(census.streams))),
            ])
    }

    /// A stream on the relay, one more when a direct connection stands, and what became of the first.
    private func upgrade() async throws -> InteropResult {
        let began = ContinuousClock.now
        let first = try await host.open(to: peer.id, [Interop.echo], allowsLimited: true)
        var isEqual = try await first.exchangeEcho(bytes, isHalfClosing: false).isEqual
        let firstPath = first.connection
        var upgradedAfter: Double?
        while upgradedAfter == nil, began.duration(to: .now) < .seconds(30) {
            // The best one, on which new streams are opened: a connection that is just there isn't it yet.
            if let best = peer.connections.first, !best.path.isRelayed {
                upgradedAfter = began.duration(to: .now).seconds
            } else {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        let second = try await host.open(to: peer.id, [Interop.echo], allowsLimited: true)
        isEqual = try await second.exchangeEcho(bytes, isHalfClosing: false).isEqual && isEqual
        let firstIsAlive = try await first.exchangeEcho(bytes, isHalfClosing: false).isEqual
        let fields: [(String, JSON)] = [
            ("upgraded_after", upgradedAfter.map(JSON.rounded) ?? .null),
            ("first_relayed", .bool(firstPath?.isRelayed ?? false)), ("first_path", firstPath?.json ?? .null),
            ("first_alive", .bool(firstIsAlive)), ("first_moved", .bool(first.migrationCount > 0)),
            ("second_relayed", .bool(second.connection?.isRelayed ?? true)),
            ("second_path", second.connection?.json ?? .null),
        ]
        first.close()
        second.close()
        return InteropResult(ok: isEqual, fields: fields)
    }

    private func migrate(_ attempts: Int) async throws -> InteropResult {
        let mover = InteropMover(host: host, peer: peer, address: address, bytes: bytes, closing: closing)
        return try await mover.perform(attempts: attempts)
    }

    private func echoForever(_ stream: OxbowStream) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let chunk = ByteBuffer(repeating: 7, count: Interop.chunk)
                while true { try await stream.outbound.write(chunk) }
            }
            group.addTask {
                var progress = InteropProgress(Interop.echo)
                for try await bytes in stream.inbound { progress.receive(bytes.readableBytes) }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
