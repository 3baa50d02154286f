import Foundation
import NIOCore
import Oxbow
import OxbowNIO

/// What the ends of a soak tell each other besides the streams: JSON objects, one a line, on a stream that doesn't move.
enum SoakMessage: Codable, Sendable, Equatable {
    // Both.
    /// Every stream is open. The listener answers when it has them all: before that, a stream that is lost may be one that
    /// it never hears of.
    case opened

    // The dialer.
    case start(SoakPlan)
    /// Streams may move up to this number.
    case allow(Int)
    /// Measure your memory.
    case measure
    /// From now on look for the longest time in which nothing comes on a stream.
    case watchGaps
    /// Every stream has ended: report.
    case finish

    // The listener.
    case ready
    case memory(UInt64?)
    case report(SoakSideReport)
    case failed(String)
}

/// The protocols of a soak.
enum Soak {
    static let control: ProtocolID = "/oxbow/soak/control/1.0.0"
    /// On each connection once: the number by which both ends know it.
    static let slot: ProtocolID = "/oxbow/soak/slot/1.0.0"
    static let data: ProtocolID = "/oxbow/soak/data/1.0.0"

    static func send(_ message: SoakMessage, on stream: OxbowStream) async throws {
        var line = try JSONEncoder().encode(message)
        line.append(UInt8(ascii: "\n"))
        try await stream.outbound.write(line)
    }
}

/// Reads the other end's messages.
struct SoakMessageReader: Sendable {
    /// The longest is a report: a few thousand small numbers.
    private static let maximumLine = 1 << 18

    private let stream: OxbowStream
    private var waiting: [UInt8] = []

    init(_ stream: OxbowStream) {
        self.stream = stream
    }

    /// The next message; nil at the end.
    mutating func next() async throws -> SoakMessage? {
        var iterator = stream.inbound.makeAsyncIterator()
        while true {
            if let end = waiting.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Data(waiting[..<end])
                waiting.removeSubrange(...end)
                do {
                    return try JSONDecoder().decode(SoakMessage.self, from: line)
                } catch { throw SoakError.unexpectedMessage("what can't be understood: \(error)") }
            }
            guard waiting.count < Self.maximumLine else { throw SoakError.unexpectedMessage("a line without an end") }
            guard let bytes = try await iterator.next() else { return nil }
            waiting += bytes.readableBytesView
        }
    }
}
