import ArgumentParser
import NIOCore
import Oxbow
import OxbowCommandLine
import OxbowCrypto
import OxbowMigration
import OxbowNIO
import Synchronization

/// When the case `migrate` ends its write side.
enum InteropClosing: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// Before the first attempt, behind all bytes.
    case before
    /// Once everything has come back, or the peer has ended: while an answer is outstanding, if the peer wants it so.
    case during
    /// Behind the last attempt, with the second half of the bytes in front.
    case after
}

/// The case `migrate` of the interop contract: an echo whose stream moves between two connections.
struct InteropMover: Sendable {
    let host: OxbowHost
    let peer: Peer
    let address: Multiaddr
    let bytes: Int
    let closing: InteropClosing

    /// Makes `attempts` attempts to move the stream, one behind the other, and sees the echo through.
    func perform(attempts: Int) async throws -> InteropResult {
        guard let first = peer.connections.first else { throw HostError.notConnected(peer.id) }
        let stream = try await host.open(to: peer.id, [Interop.echo], on: first)
        let echo = Echo(stream, total: bytes, isClosingWhenDone: closing == .during)
        do {
            let (outcomes, isEqual) = try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await echo.read() }
                try await echo.write(closing == .after ? bytes / 2 : bytes)
                if closing == .before { stream.outbound.finish() }
                let second = try await host.connectAgain(to: peer.id, at: [address])
                let outcomes = await move(stream, between: [second, first], attempts)
                if closing == .after {
                    try await echo.write(bytes)
                    stream.outbound.finish()
                }
                try await group.waitForAll()
                return (outcomes, echo.isEqual)
            }
            return InteropResult(
                ok: isEqual, fields: fields(stream, outcomes, error: nil) + [("sha256_equal", .bool(isEqual))])
        } catch let error as StreamError {
            let fields = fields(stream, stream.migrations.map(\.outcome.name), error: error)
            return InteropResult(ok: false, fields: fields + [("sha256_equal", .bool(false))])
        }
    }

    private func move(_ stream: OxbowStream, between connections: [Connection], _ attempts: Int) async -> [String] {
        var outcomes: [String] = []
        for number in 0..<attempts {
            outcomes.append(await attempt(stream, to: connections[number % connections.count]))
        }
        return outcomes
    }

    /// One attempt, once it is time for it (SM-F2), in one word.
    private func attempt(_ stream: OxbowStream, to connection: Connection) async -> String {
        while true {
            do {
                let record = try await peer.migrate(stream, to: connection)
                return record.outcome.name
            } catch MigrationRefusal.tooSoon(let wait) {
                do { try await Task.sleep(for: wait) } catch { return "cancelled" }
            } catch let refusal as MigrationRefusal {
                return "refused: \(refusal)"
            } catch let error as MigrationAttemptError {
                return error.record?.outcome.name ?? "failed"
            } catch {
                return "aborted: \(error)"
            }
        }
    }

    private func fields(_ stream: OxbowStream, _ outcomes: [String], error: StreamError?) -> [(String, JSON)] {
        [
            ("attempts", .array(outcomes.map(JSON.string))), ("moves", .int(Int64(stream.migrationCount))),
            ("bytes", .uint(stream.bytesRead)), ("stream_error", error.map { .string("\($0)") } ?? .null),
        ]
    }
}

/// An echo whose parts are written when the case wants them.
private final class Echo: Sendable {
    private struct State: ~Copyable {
        var written = 0
        var sent = SHA256Stream()
        var received = SHA256Stream()
        var receivedCount = 0
        var hasEnded = false
    }

    private let stream: OxbowStream
    private let total: Int
    private let isClosingWhenDone: Bool
    private let state = Mutex(State())

    init(_ stream: OxbowStream, total: Int, isClosingWhenDone: Bool) {
        self.stream = stream
        self.total = total
        self.isClosingWhenDone = isClosingWhenDone
    }

    /// Whether everything was written, and the same came back with a clean end behind it.
    var isEqual: Bool {
        state.withLock { state in
            state.hasEnded && state.written == total && state.receivedCount == total
                && state.sent.digest() == state.received.digest()
        }
    }

    /// Writes up to `end`, counted from the stream's beginning.
    func write(_ end: Int) async throws {
        var start = state.withLock { $0.written }
        while start < end {
            let chunk = ByteBuffer(bytes: try SecureRandom.bytes(min(Interop.chunk, end - start)))
            start += chunk.readableBytes
            state.withLock { state in
                state.written = start
                state.sent.update(chunk.readableBytesView)
            }
            try await stream.outbound.write(chunk)
        }
    }

    /// Reads to the end.
    func read() async throws {
        for try await bytes in stream.inbound {
            let isAll = state.withLock { state in
                state.received.update(bytes.readableBytesView)
                state.receivedCount += bytes.readableBytes
                return state.receivedCount >= total
            }
            if isAll, isClosingWhenDone { stream.outbound.finish() }
        }
        state.withLock { $0.hasEnded = true }
        if isClosingWhenDone { stream.outbound.finish() }
    }
}
