import Oxbow
import OxbowCommandLine

/// What goes wrong in a soak.
enum SoakError: Error, Hashable, Sendable, CustomStringConvertible {
    case malformedFrame(kind: UInt8, length: Int)
    case unexpectedFrame(stream: Int, String)
    /// A byte of the pattern is lost, doubled, changed or in the wrong place.
    case wrongBytes(stream: Int, offset: UInt64)
    /// A clean end of the stream where more had to come: what was cut off looks like all there is.
    case truncated(stream: Int, offset: UInt64)
    case wrongTotals(stream: Int, sent: UInt64, received: UInt64)
    case streamLost(stream: Int, String)
    case notMoved(stream: Int, number: Int, attempts: Int, String)
    case noMigration
    case peerFailed(String)
    case peerVanished
    case unexpectedMessage(String)
    case tookTooLong(String, Duration, String)

    var description: String {
        switch self {
        case .malformedFrame(let kind, let length): "a frame of kind \(kind) and length \(length) makes no sense"
        case .unexpectedFrame(let stream, let what): "stream \(stream): \(what)"
        case .wrongBytes(let stream, let offset):
            "stream \(stream): the bytes from \(offset) on are not those that were sent"
        case .truncated(let stream, let offset):
            "stream \(stream): a clean end after \(offset) bytes, though more had to come"
        case .wrongTotals(let stream, let sent, let received):
            "stream \(stream): \(sent) bytes were sent and \(received) arrived, or their digests differ"
        case .streamLost(let stream, let why): "stream \(stream) was lost: \(why)"
        case .notMoved(let stream, let number, let attempts, let why):
            "stream \(stream): migration \(number) failed \(attempts) times, at last: \(why)"
        case .noMigration: "the peer does not support stream migration"
        case .peerFailed(let why): "the other end gave up: \(why)"
        case .peerVanished: "the other end is gone"
        case .unexpectedMessage(let what): "the other end sent \(what)"
        case .tookTooLong(let what, let limit, let state):
            "\(what) took longer than \(decimal(limit.seconds, 0)) s" + (state.isEmpty ? "" : "; \(state)")
        }
    }
}

/// Runs `body`, but not for longer than `limit`.
///
/// - Parameter state: asked in the end how far it had come.
func within<Value: Sendable>(
    _ limit: Duration, _ what: String, state: @escaping @Sendable () -> String = { "" },
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let value = try await group.next() ?? nil else { throw SoakError.tookTooLong(what, limit, state()) }
        return value
    }
}
