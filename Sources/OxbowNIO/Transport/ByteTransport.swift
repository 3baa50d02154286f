package import NIOCore
import OxbowCore

/// The ordered, reliable byte pipe under a connection: a TCP socket, or two ends in memory.
///
/// Everything happens on ``eventLoop``. The pipe knows nothing of what it carries; the connection that drives it knows
/// nothing of sockets.
package protocol ByteTransport: AnyObject {
    var eventLoop: any EventLoop { get }
    /// Whether bytes may be written without piling up beyond the transport's watermark.
    var isWritable: Bool { get }
    /// Queues and flushes `buffer`. Bytes written after ``close(discarding:)`` are dropped.
    func write(_ buffer: ByteBuffer)
    /// While off, nothing is read: the peer's sending comes to a stop.
    func setReading(_ isOn: Bool)
    /// Closes: behind what was written, or at once.
    func close(discarding: Bool)
}

/// Who drives a transport. Calls come on the transport's event loop.
package protocol ByteTransportDelegate: AnyObject {
    func transport(_ transport: any ByteTransport, received buffer: ByteBuffer)
    func transportBecameWritable(_ transport: any ByteTransport)
    /// The transport is closed; nothing follows. `error` is nil for a plain end.
    ///
    /// It may come while ``ByteTransport/write(_:)`` runs: that is when a socket learns that the peer has reset it.
    func transportClosed(_ transport: any ByteTransport, error: (any Error)?)
}
