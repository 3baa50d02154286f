import NIOCore
import OxbowCore

/// A circuit as the pipe of bytes under a connection.
///
/// Isolation: everything happens on `eventLoop`; that is what makes the class `@unchecked Sendable`.
final class CircuitTransport: ByteTransport, @unchecked Sendable {
    let eventLoop: any EventLoop
    private let circuit: CircuitStream
    private let limit: CircuitLimit?
    private let began: NIODeadline
    private var delegate: (any ByteTransportDelegate)?
    /// Called once, when the circuit is over.
    private var onClose: (() -> Void)?
    private var isClosing = false
    private var isClosed = false
    private var isAwaitingRoom = false
    private var received: UInt64 = 0
    private var sent: UInt64 = 0

    init(_ circuit: CircuitStream, limit: CircuitLimit?, onClose: @escaping () -> Void) {
        eventLoop = circuit.eventLoop
        self.circuit = circuit
        self.limit = limit
        self.onClose = onClose
        began = eventLoop.now
    }

    /// Starts to deliver.
    func start(delegate: any ByteTransportDelegate) {
        guard !isClosed else { return delegate.transportClosed(self, error: nil) }
        self.delegate = delegate
        circuit.run { [weak self] event in self?.received(event) }
    }

    private func received(_ event: LoopStream.Event) {
        switch event {
        case .bytes(let buffer):
            guard !isClosed else { return }
            received += UInt64(buffer.readableBytes)
            delegate?.transport(self, received: buffer)
        case .end:
            circuit.finish()
            closed(nil)
        case .failed(let error): closed(cut(error))
        }
    }

    var isWritable: Bool { !isClosing && circuit.stream.hasRoom }

    func write(_ buffer: ByteBuffer) {
        guard !isClosing else { return }
        sent += UInt64(buffer.readableBytes)
        if case .failed(let error) = circuit.stream.tryWrite(buffer, pastWatermark: true) {
            isClosing = true
            return eventLoop.execute { self.closed(self.cut(error)) }
        }
        awaitRoom()
    }

    private func awaitRoom() {
        guard !isAwaitingRoom else { return }
        isAwaitingRoom = !circuit.stream.hasRoom { [self] in eventLoop.execute { self.roomAppeared() } }
    }

    private func roomAppeared() {
        isAwaitingRoom = false
        guard !isClosing else { return }
        // What was written since the room appeared may have used it up: then it is the next that is told of.
        awaitRoom()
        if !isAwaitingRoom { delegate?.transportBecameWritable(self) }
    }

    func setReading(_ isOn: Bool) {
        isOn ? circuit.resume() : circuit.pause()
    }

    func close(discarding: Bool) {
        if discarding {
            circuit.reset()
        } else if !isClosing {
            circuit.finish()
        }
        isClosing = true
        eventLoop.execute { self.closed(nil) }
    }

    private func closed(_ error: CircuitCut?) {
        isClosing = true
        guard !isClosed else { return }
        isClosed = true
        let (delegate, onClose) = (delegate, onClose)
        (self.delegate, self.onClose) = (nil, nil)
        delegate?.transportClosed(self, error: error)
        onClose?()
    }

    private func cut(_ error: StreamError) -> CircuitCut {
        let lasted = Duration.nanoseconds((eventLoop.now - began).nanoseconds)
        return CircuitCut(cause: error, limit: limit, received: received, sent: sent, lasted: lasted)
    }
}

/// A circuit that broke off, with what explains it: relays reset what goes past their limits, and don't say so.
struct CircuitCut: Error, CustomStringConvertible {
    let cause: StreamError
    let limit: CircuitLimit?
    let received: UInt64
    let sent: UInt64
    let lasted: Duration

    var description: String {
        let seconds = lasted.components.seconds
        let facts = "the circuit broke off after \(seconds) s, \(received) bytes in and \(sent) out"
        guard let limit else { return "\(facts): \(cause)" }
        let bounds = [
            limit.bytes.map { "\($0) bytes each way" }, limit.duration.map { "\($0.components.seconds) s" },
        ].compactMap { $0 }
        return "\(facts) (\(cause)); its relay lets \(bounds.joined(separator: " and ")) through: "
            + "a direct connection, or a relay without limits, carries more"
    }
}
