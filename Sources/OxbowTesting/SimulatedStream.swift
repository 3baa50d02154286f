package import NIOCore
import NIOEmbedded
import OxbowCore
package import OxbowNIO

/// A stream in a ``SimulatedWorld``: what came, when, and how it ended.
package final class SimulatedStream: @unchecked Sendable {
    /// How reading ended.
    package enum End: Equatable {
        case clean
        case failed(StreamError)
    }

    package let logical: LogicalStream
    private let loopStream: LoopStream
    private let loop: EmbeddedEventLoop
    /// Everything that was delivered.
    package private(set) var received = ByteBuffer()
    /// When something was delivered, and how many bytes.
    package private(set) var arrivals: [(at: Duration, count: Int)] = []
    package private(set) var end: End?
    package private(set) var endedAt: Duration?
    /// What came of each call of ``migrate(to:)``, in the order of their ends.
    package private(set) var migrations: [Result<MigrationRecord, any Error>] = []
    /// Called for each delivery.
    package var onBytes: ((ByteBuffer) -> Void)?
    /// Bytes of the pattern that were written.
    package private(set) var sent = 0
    private var isStarted = false
    private var isSending = false
    private var isEchoing = false

    init(_ logical: LogicalStream, on loop: EmbeddedEventLoop) {
        self.logical = logical
        self.loop = loop
        loopStream = LoopStream(logical, on: loop)
    }

    /// Reads until the end. Without it the stream's reader stands still.
    package func start() {
        guard !isStarted else { return }
        isStarted = true
        loopStream.start(within: nil) { [self] event in
            switch event {
            case .bytes(let buffer):
                arrivals.append((loop.virtualTime, buffer.readableBytes))
                received.writeImmutableBuffer(buffer)
                onBytes?(buffer)
            case .end:
                (end, endedAt) = (.clean, loop.virtualTime)
                if isEchoing { logical.closeWrite() }
            case .failed(let error): (end, endedAt) = (.failed(error), loop.virtualTime)
            }
        }
    }

    /// The longest time between two deliveries.
    package var longestGap: Duration {
        zip(arrivals, arrivals.dropFirst()).map { $1.at - $0.at }.max() ?? .zero
    }

    // MARK: Writing

    /// Writes text; it has to fit.
    package func write(_ text: String) {
        let outcome = logical.tryWrite(ByteBuffer(string: text))
        guard case .written = outcome else { preconditionFailure("the text was not written: \(outcome)") }
    }

    /// Sends back all that comes, and ends with the peer.
    package func echo() {
        isEchoing = true
        onBytes = { [unowned self] in _ = logical.tryWrite($0) }
    }

    /// Writes `chunk` bytes of the pattern each `step`, as far as there is room, until `total` are written or
    /// ``stopSending()``; then ends the write side.
    package func send(_ total: Int = .max, chunk: Int, each step: Duration) {
        isSending = true
        sendNext(total, chunk, step)
    }

    package func stopSending() {
        isSending = false
    }

    private func sendNext(_ total: Int, _ chunk: Int, _ step: Duration) {
        guard isSending, sent < total, isAlive else { return logical.closeWrite() }
        let count = min(chunk, total - sent)
        if case .written = logical.tryWrite(Pattern.bytes(from: sent, count: count)) { sent += count }
        loop.after(step) { [self] in sendNext(total, chunk, step) }
    }

    private var isAlive: Bool {
        if case .failed? = end { false } else { true }
    }

    package func closeWrite() {
        logical.closeWrite()
    }

    package func finish() {
        loopStream.finish()
    }

    package func reset(code: UInt32 = 0) {
        logical.reset(code: code)
    }

    // MARK: Moving

    /// Asks to move the stream to another link; `host` is the one at this end.
    package func migrate(_ host: SimulatedHost, to link: SimulatedLink) {
        migrate(host, to: link.connection(of: host))
    }

    /// Asks to move the stream to a connection with a peer that need not be a simulated host.
    package func migrate(_ host: SimulatedHost, to connection: ConnectionDriver) {
        host.swarm.migrate(logical, to: connection) { [self] in migrations.append($0) }
    }
}
