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
        case .handshake: try handshake()
        case .identify: try identify()
        case .ping: try await ping(count)
        case .echo: try await echo()
        case .streams: try await streams(count)
        case .transfer: try await transfer()
        case .perf: try await perf()
        case .vanish: try await vanish()
        case .upgrade: try await upgrade()
        case .migrate: try await migrate(count)
        }
    }

    /// Who it turned out to be, and what the connection is made of.
    private func handshake() throws -> InteropResult {
        guard let path = peer.connections.first?.path else { throw HostError.notConnected(peer.id) }
        return InteropResult(ok: true, fields: path.interopFields(of: peer.id))
    }

    private func identify() throws -> InteropResult {
        guard let info = peer.info else {
            throw CommandFailure(.failed, "the peer's identify did not come, or is wrong")
        }
        return InteropResult(ok: true, fields: info.interopFields)
    }

    private func ping(_ count: Int) async throws -> InteropResult {
        var times: [JSON] = []
        var stream = try await PingStream.open(to: peer, on: host)
        for _ in 0..<count { times.append(.rounded(try await stream.ping().milliseconds)) }
        stream.stream.close()
        return InteropResult(ok: true, fields: [("rtt_ms", .array(times))])
    }

    private func echo() async throws -> InteropResult {
        let (received, isEqual, isRelayed) = try await peer.withStream(Interop.echoes, allowsLimited: true) { stream in
            let (received, isEqual) = try await stream.exchangeEcho(bytes, isHalfClosing: isHalfClosing)
            // It may have been on none before its first byte, and is on none behind its end.
            return (received, isEqual, stream.connection?.isRelayed)
        }
        return InteropResult(
            ok: isEqual,
            fields: [
                ("bytes", .int(Int64(received))), ("sha256_equal", .bool(isEqual)),
                ("half_close", .bool(isHalfClosing)), ("relayed", isRelayed.map(JSON.bool) ?? .null),
            ])
    }

    /// So many bytes up, then as many down, each way alone.
    private func transfer() async throws -> InteropResult {
        let received = try await peer.withStream(Interop.transfers) { stream in
            try await stream.exchangeTransfer(UInt64(bytes))
        }
        return InteropResult(
            ok: received == bytes, fields: [("bytes_up", .int(Int64(bytes))), ("bytes_down", .uint(received))])
    }

    private func perf() async throws -> InteropResult {
        let result = try await peer.perf(upload: UInt64(bytes), download: UInt64(bytes))
        return InteropResult(
            ok: result.downloaded == bytes,
            fields: [("bytes_up", .uint(result.uploaded)), ("bytes_down", .uint(result.downloaded))])
    }

    /// Opens all streams before the first byte flows on any, then uses them all at once.
    private func streams(_ count: Int) async throws -> InteropResult {
        var streams: [OxbowStream] = []
        for _ in 0..<count { streams.append(try await host.open(to: peer.id, Interop.echoes)) }
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
            try await peer.withStream(Interop.echoes) { stream in try await echoForever(stream) }
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
        let first = try await host.open(to: peer.id, Interop.echoes, allowsLimited: true)
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
        let second = try await host.open(to: peer.id, Interop.echoes, allowsLimited: true)
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
                var progress = InteropProgress(Interop.echo, with: stream.peer)
                for try await bytes in stream.inbound { progress.receive(bytes.readableBytes) }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}

extension IdentifyInfo {
    /// The contract's fields of an identify message.
    var interopFields: [(String, JSON)] {
        [
            ("agent", .string(agentVersion ?? "")), ("protocol_version", .string(protocolVersion ?? "")),
            ("protocols", .array(protocols.map { .string($0.rawValue) })),
            ("listen_addrs", .array(listenAddresses.map { .string($0.description) })),
            ("observed_addr", observedAddress.map { .string($0.description) } ?? .null),
        ]
    }
}

extension ConnectionPath {
    /// The contract's fields of a connection that stands.
    func interopFields(of peer: PeerID) -> [(String, JSON)] {
        [
            ("peer", .string(peer.description)), ("early_muxer", .bool(isMuxerEarly)),
            ("security", security.map { .string($0.rawValue) } ?? .null),
            ("remote_addr", remoteAddress.map { .string($0.description) } ?? .null),
        ]
    }
}
