import NIOCore
import OxbowCore
import OxbowNIO
import OxbowProtocols
import Synchronization

/// What `/perf/1.0.0` measured.
public struct PerfResult: Hashable, Sendable {
    /// In bytes.
    public var uploaded: UInt64
    public var downloaded: UInt64
    /// From the first byte until the peer, having read them all, began to answer: one round trip is in it.
    public var uploadTime: Duration
    /// From the first byte of the answer to its end.
    public var downloadTime: Duration
}

extension Host {
    /// Serves `/perf/1.0.0`, with which any peer can make this host take and send bytes: for where that is wanted.
    ///
    /// - Parameters:
    ///   - maximumUpload: the most bytes that one stream may bring.
    ///   - maximumDownload: the most bytes that one stream may ask for.
    public func servePerf(maximumUpload: UInt64 = .max, maximumDownload: UInt64 = .max) {
        handle(Perf.protocolID, onEventLoop: true) { stream in
            var server = PerfServer(maximumDownload: maximumDownload, maximumUpload: maximumUpload)
            for try await bytes in stream.inbound { try server.receive(bytes.readableBytesView) }
            try server.receiveEnd()
            try await stream.outbound.writePerf { server.next(room: $0) }
        }
    }
}

extension Peer {
    /// Sends `upload` bytes, asks for `download` bytes, and measures both (`/perf/1.0.0`).
    ///
    /// - Parameter connection: where to open the stream; the best connection when nil.
    /// - Throws: `PerfError` when the peer doesn't keep to the protocol, `StreamError` when the stream fails.
    public func perf(upload: UInt64, download: UInt64, on connection: Connection? = nil) async throws -> PerfResult {
        try await withStream([Perf.protocolID], on: connection) { stream in
            let run = PerfRun(PerfClient(upload: upload, download: download))
            let started = ContinuousClock.now
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await stream.outbound.write(run.client.withLock { $0.start() })
                    try await stream.outbound.writePerf { room in run.client.withLock { $0.next(room: room) } }
                }
                var answered: ContinuousClock.Instant?
                for try await bytes in stream.inbound {
                    answered = answered ?? .now
                    try run.client.withLock { client in try client.receive(count: bytes.readableBytes) }
                }
                try run.client.withLock { client in try client.receiveEnd() }
                try await group.waitForAll()
                let ended = ContinuousClock.now
                return PerfResult(
                    uploaded: upload, downloaded: download, uploadTime: (answered ?? ended) - started,
                    downloadTime: ended - (answered ?? ended))
            }
        }
    }
}

/// The client's machine, between the task that writes and the one that reads.
private final class PerfRun: Sendable {
    let client: Mutex<PerfClient>

    init(_ client: PerfClient) {
        self.client = Mutex(client)
    }
}

extension StreamOutbound {
    /// Writes zeros as a perf machine asks for, and ends the write side behind them.
    fileprivate func writePerf(_ next: (Int) -> PerfOutput) async throws {
        let zeros = ByteBuffer(repeating: 0, count: 262_144)
        while true {
            switch next(zeros.readableBytes) {
            case .send(let count): try await write(zeros.getSlice(at: 0, length: count) ?? zeros)
            case .finish: return finish()
            case .wait: return
            }
        }
    }
}
