import NIOCore
import NIOPosix
import Oxbow

/// The reference of a relay: forwards plain TCP, both connections on one event loop, as a relay's circuit is.
enum PlainRelay {
    /// - Returns: the port where connections are taken that go on to `target` of this machine.
    static func start(to target: Int) async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.recvAllocator, value: PlainTCP.receiveAllocator)
            .childChannelOption(.writeBufferWaterMark, value: PlainTCP.watermark)
            .childChannelInitializer { near in
                ClientBootstrap(group: near.eventLoop)
                    .channelOption(.allowRemoteHalfClosure, value: true)
                    .channelOption(.maxMessagesPerRead, value: 1)
                    .channelOption(.recvAllocator, value: PlainTCP.receiveAllocator)
                    .channelOption(.writeBufferWaterMark, value: PlainTCP.watermark)
                    .connect(host: "127.0.0.1", port: target)
                    .flatMapThrowing { far in
                        let (here, there) = Forwarder.pair()
                        try near.pipeline.syncOperations.addHandler(here)
                        try far.pipeline.syncOperations.addHandler(there)
                    }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        guard let port = channel.localAddress?.port else { throw Failure("the plain relay has no port") }
        return port
    }
}

/// Writes what it reads to the other channel, and asks for more when that has room.
///
/// Isolation: both channels are on one event loop.
private final class Forwarder: ChannelDuplexHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// The other one; until this channel is over.
    private var other: Forwarder?
    private var context: ChannelHandlerContext?
    private var wantsToRead = false

    static func pair() -> (Forwarder, Forwarder) {
        let (first, second) = (Forwarder(), Forwarder())
        (first.other, second.other) = (second, first)
        return (first, second)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        other?.readOn()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        (self.context, other) = (nil, nil)
    }

    /// The other channel may have room now.
    private func readOn() {
        guard wantsToRead else { return }
        wantsToRead = false
        context?.read()
    }

    func read(context: ChannelHandlerContext) {
        if other?.context?.channel.isWritable == true { context.read() } else { wantsToRead = true }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        other?.context?.writeAndFlush(wrapOutboundOut(unwrapInboundIn(data)), promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { other?.readOn() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        other?.context?.close(mode: .output, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        other?.context?.close(promise: nil)
    }
}
