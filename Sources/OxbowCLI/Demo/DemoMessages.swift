import Foundation
import OxbowCommandLine
import Synchronization

/// What the two processes tell each other besides the stream: one JSON object a line, on B's standard input and
/// output. No byte of the files goes this way.
enum DemoMessage: Codable, Sendable, Equatable {
    // A to B.
    case start(DemoPlan)
    /// Move the stream to the connection at this one of your addresses when so many bytes have arrived.
    case move(number: Int, threshold: Int, slot: Int)
    /// So many bytes may be sent.
    case allow(Int)
    /// The stream is over here: report.
    case finish

    // B to A.
    case ready(peer: String, addresses: [String], process: Int32)
    /// So many bytes have arrived.
    case progress(Int)
    case moved(number: Int)
    /// The stream has ended here: everything that A sent has arrived.
    case arrived
    case report(DemoSideReport)
    case failed(String)
}

/// One end of the control channel.
struct DemoLink: Sendable {
    /// Fails when the other end is gone.
    let send: @Sendable (DemoMessage) throws -> Void
    /// Ends when the other end is gone. The plan bounds how many there can be: two for each move, and one for each
    /// two-hundredth of the file.
    let messages: AsyncStream<DemoMessage>
    /// Tells the other end that no more comes.
    let close: @Sendable () -> Void

    /// Two ends in one process.
    static func pair() -> (DemoLink, DemoLink) {
        let (left, toLeft) = AsyncStream<DemoMessage>.makeStream()
        let (right, toRight) = AsyncStream<DemoMessage>.makeStream()
        return (
            DemoLink(send: { toRight.yield($0) }, messages: left, close: { toRight.finish() }),
            DemoLink(send: { toLeft.yield($0) }, messages: right, close: { toLeft.finish() })
        )
    }

    /// A link over two file descriptors. It owns them from now on.
    ///
    /// - Parameter onEnd: called on a thread of its own when the other end is gone.
    static func descriptors(
        reading input: Int32, writing output: Int32, onEnd: @escaping @Sendable () -> Void = {}
    ) -> DemoLink {
        let (messages, continuation) = AsyncStream<DemoMessage>.makeStream()
        let writer = LineWriter(output)
        let thread = Thread {
            readLines(input, into: continuation)
            onEnd()
        }
        thread.start()
        return DemoLink(send: { try writer.write($0) }, messages: messages, close: { writer.close() })
    }

    /// A line is never longer: the longest is a report of 250 moves.
    private static let maximumLine = 1 << 20

    private static func readLines(_ input: Int32, into continuation: AsyncStream<DemoMessage>.Continuation) {
        defer {
            continuation.finish()
            OpenFile(input).close()
        }
        let decoder = JSONDecoder()
        var pending: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(input, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            pending += chunk[..<count]
            while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                guard let message = try? decoder.decode(DemoMessage.self, from: Data(pending[..<end])) else { return }
                pending.removeSubrange(...end)
                continuation.yield(message)
            }
            guard pending.count < maximumLine else { return }
        }
    }

    /// Writes whole lines, from any task.
    private final class LineWriter: Sendable {
        private let output: Mutex<OpenFile?>

        init(_ output: Int32) {
            self.output = Mutex(OpenFile(output, name: "the control channel"))
        }

        deinit {
            close()
        }

        func write(_ message: DemoMessage) throws {
            var line = try JSONEncoder().encode(message)
            line.append(UInt8(ascii: "\n"))
            try output.withLock { output in
                guard let output else { throw DemoError.peerVanished }
                do { try output.write(line) } catch { throw DemoError.peerVanished }
            }
        }

        func close() {
            output.withLock { output in
                output?.close()
                output = nil
            }
        }
    }
}
