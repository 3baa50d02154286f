import NIOCore
import Oxbow
import OxbowCommandLine
import OxbowNIO
import Synchronization

/// The listener of the interop contract.
final class InteropListener: Sendable {
    private let host: OxbowHost
    /// Streams whose end has not been reported: the counts must not reach zero before their lines are out.
    private let unreported = Mutex(0)

    init(_ host: OxbowHost) {
        self.host = host
    }

    /// Serves until standard input ends, or the task is cancelled.
    func run(at addresses: [Multiaddr]) async throws {
        for name in Interop.echoes { serve(name, as: Interop.echo, Self.echo) }
        for name in Interop.transfers { serve(name, as: Interop.transfer, Self.transfer) }
        host.servePerf()
        let events = host.events()
        Interop.emit([
            ("peer_id", .string(host.id.description)),
            ("addrs", .array(addresses.map { .string($0.description) })),
        ])
        await withTaskGroup { group in
            group.addTask { await self.report(events) }
            try? await BlockingFile(.standardInput).waitForEnd()
            group.cancelAll()
        }
    }

    private func serve(
        _ name: ProtocolID, as id: ProtocolID,
        _ body: @escaping @Sendable (OxbowStream, inout InteropProgress) async throws -> Void
    ) {
        host.handle(name) { stream in
            self.unreported.withLock { $0 += 1 }
            defer { self.unreported.withLock { $0 -= 1 } }
            var progress = InteropProgress(id, with: stream.peer)
            do {
                try await body(stream, &progress)
                stream.close()
                progress.end(nil)
            } catch {
                progress.end(error)
                throw error
            }
        }
    }

    private static func echo(_ stream: OxbowStream, _ progress: inout InteropProgress) async throws {
        for try await bytes in stream.inbound {
            progress.receive(bytes.readableBytes)
            try await stream.outbound.write(bytes)
            progress.sent += UInt64(bytes.readableBytes)
        }
    }

    /// `up` and `down` as numbers, then so many bytes one way, then the other.
    private static func transfer(_ stream: OxbowStream, _ progress: inout InteropProgress) async throws {
        guard var header = try await stream.read(exactly: 16),
            let up: UInt64 = header.readInteger(), let down: UInt64 = header.readInteger()
        else { throw StreamError.endedEarly(missing: 16) }
        var iterator = stream.inbound.makeAsyncIterator()
        while progress.received < up {
            guard let bytes = try await iterator.next() else {
                throw StreamError.endedEarly(missing: Int(clamping: up - progress.received))
            }
            progress.receive(bytes.readableBytes)
        }
        try await stream.outbound.writeZeros(down)
        progress.sent = down
    }

    /// Prints who has connected and what it says of itself, the counts whenever a connection has closed, and those again until they are steady.
    private func report(_ events: AsyncStream<SwarmEvent>) async {
        for await event in events {
            switch event {
            case .connectionClosed, .inboundFailed: await reportUntilSteady()
            case .connectionOpened(let peer, let path):
                Interop.emit([("event", .string("connected"))] + path.interopFields(of: peer))
            case .identified(let peer, let info):
                Interop.emit(
                    [("event", .string("identified")), ("peer", .string(peer.description))] + info.interopFields)
            default: break
            }
        }
    }

    private func reportUntilSteady() async {
        var shown: (Int, Int)?
        for _ in 0..<200 where !Task.isCancelled {
            let census = host.census
            let counts = (census.connections, max(census.streams, unreported.withLock { $0 }))
            if shown.map({ $0 != counts }) ?? true {
                Interop.emit([
                    ("event", "counts"), ("connections", .int(Int64(counts.0))), ("streams", .int(Int64(counts.1))),
                ])
                shown = counts
            }
            if counts == (0, 0) { return }
            try? await Task.sleep(for: .milliseconds(25))
        }
    }
}
