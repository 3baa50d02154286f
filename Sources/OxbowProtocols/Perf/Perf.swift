public import OxbowCore

/// Facts of `/perf/1.0.0` (libp2p/specs perf/perf.md), a benchmark in which the client makes the server work: to be
/// served only where that is wanted.
public enum Perf {
    public static let protocolID: ProtocolID = "/perf/1.0.0"
    /// The client's request: how many bytes it wants back, as a big-endian number.
    static let headerLength = 8
}

/// Why a perf stream failed. Its scope is the stream: reset it.
public enum PerfError: Error, Hashable, Sendable {
    /// The client ended before it said how many bytes it wants.
    case truncatedHeader
    /// The client wants more bytes than this server gives.
    case downloadTooLarge(requested: UInt64, limit: UInt64)
    /// The client sent more bytes than this server takes.
    case uploadTooLarge(limit: UInt64)
    /// The server sent bytes, or ended, before the upload had ended.
    case answeredEarly
    /// The server sent more than it was asked for.
    case downloadTooLong(expected: UInt64)
    /// The server sent less than it was asked for.
    case downloadTooShort(received: UInt64, expected: UInt64)
}

extension PerfError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .truncatedHeader:
            "perf: the client ended the stream before it said how many bytes it wants"
        case .downloadTooLarge(let requested, let limit):
            "perf: the client wants \(requested) bytes, this server's limit is \(limit)"
        case .uploadTooLarge(let limit):
            "perf: the client sent more than this server's limit of \(limit) bytes"
        case .answeredEarly:
            "perf: the server answered before the upload had ended"
        case .downloadTooLong(let expected):
            "perf: the server sent more than the \(expected) bytes that it was asked for"
        case .downloadTooShort(let received, let expected):
            "perf: the server ended after \(received) of \(expected) bytes; the server may limit downloads"
        }
    }
}

/// What to write next. The bytes are arbitrary: the driver writes from one fixed buffer.
public enum PerfOutput: Sendable, Hashable {
    /// Write this many bytes (at least one), then ask again when there is room.
    case send(Int)
    /// End the write side. Given once.
    case finish
    /// Nothing to write in this state.
    case wait
}

/// Bytes yet to be written, then the end.
struct PerfSource: Sendable, Hashable {
    private var remaining: UInt64
    private var finished = false

    init(_ count: UInt64) {
        remaining = count
    }

    /// - Parameter room: how many bytes can be written now.
    mutating func next(room: Int) -> PerfOutput {
        guard remaining > 0 else {
            guard !finished else { return .wait }
            finished = true
            return .finish
        }
        let count = Int(min(remaining, UInt64(max(room, 0))))
        guard count > 0 else { return .wait }
        remaining -= UInt64(count)
        return .send(count)
    }

    var hasFinished: Bool { finished }
}
