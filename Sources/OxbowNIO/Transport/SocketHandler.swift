import NIOCore
import OxbowCore

/// A channel as a ``ByteTransport``: the one handler in the pipeline of a connection.
///
/// Reads are asked for one by one, so that switching them off stops the socket at once; each brings up to a receive
/// buffer's worth, which NIO allocates.
final class SocketHandler: ChannelInboundHandler, ByteTransport {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let eventLoop: any EventLoop
    private let channel: any Channel
    private weak var delegate: (any ByteTransportDelegate)?
    /// What keeps the driver alive: it lives as long as its transport is open.
    private var retainedDelegate: (any ByteTransportDelegate)?
    private var context: ChannelHandlerContext?
    private var isReading = true
    private var isClosing = false
    private var isInactive = false
    private var failure: (any Error)?

    private var onActive: ((SocketHandler) -> Void)?

    /// - Parameter onActive: called when the socket is open; not at all when it is already.
    init(channel: any Channel, onActive: ((SocketHandler) -> Void)? = nil) {
        self.channel = channel
        eventLoop = channel.eventLoop
        self.onActive = onActive
    }

    /// Starts to read for `delegate`. To be called on the event loop, once, when the handler is in the pipeline.
    func start(delegate: any ByteTransportDelegate) {
        eventLoop.preconditionInEventLoop()
        // The first write may have met a socket that the peer had reset already.
        guard !isInactive else { return delegate.transportClosed(self, error: failure) }
        self.delegate = delegate
        retainedDelegate = delegate
        if isReading { context?.read() }
    }

    var isWritable: Bool { channel.isWritable && !isClosing }

    func write(_ buffer: ByteBuffer) {
        guard !isClosing else { return }
        context?.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    func setReading(_ isOn: Bool) {
        guard isOn != isReading else { return }
        isReading = isOn
        if isOn { context?.read() }
    }

    func close(discarding: Bool) {
        guard !discarding else {
            isClosing = true
            return channel.close(promise: nil)
        }
        guard !isClosing else { return }
        isClosing = true
        guard let context else { return channel.close(promise: nil) }
        // An empty write comes to its end behind everything that was written before it. Only the own direction ends
        // then: a socket that is closed with input unread answers with a reset, which can take from the peer what it
        // has not read. What still comes is dropped, until the peer ends its direction or the closing takes too long.
        let channel = channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in
            channel.close(mode: .output, promise: nil)
        }
        isReading = true
        context.read()
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        let onActive = onActive
        self.onActive = nil
        onActive?(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let delegate else { return }
        delegate.transport(self, received: unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isReading, delegate != nil { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { delegate?.transportBecameWritable(self) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = failure ?? error
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        isInactive = true
        let delegate = retainedDelegate
        retainedDelegate = nil
        delegate?.transportClosed(self, error: failure)
    }
}
