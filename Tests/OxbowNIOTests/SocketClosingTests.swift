import NIOCore
import NIOEmbedded
import OxbowCore
import Testing

@testable import OxbowNIO

/// Sockets that close at the wrong moment.
@Suite struct SocketClosingTests {
    private final class Delegate: ByteTransportDelegate {
        var closed = 0

        func transport(_ transport: any ByteTransport, received buffer: ByteBuffer) {}
        func transportBecameWritable(_ transport: any ByteTransport) {}
        func transportClosed(_ transport: any ByteTransport, error: (any Error)?) { closed += 1 }
    }

    /// A peer that doesn't read: no write ever comes to its end.
    private final class StuckWrites: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer

        var promises: [EventLoopPromise<Void>] = []

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            if let promise { promises.append(promise) }
        }
    }

    @Test("A close in order that doesn't come to its end can be forced")
    func forced() throws {
        let (channel, stuck, delegate) = (EmbeddedChannel(), StuckWrites(), Delegate())
        let handler = SocketHandler(channel: channel)
        try channel.pipeline.syncOperations.addHandlers([stuck, handler])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        handler.start(delegate: delegate)
        handler.write(ByteBuffer(string: "stuck"))
        handler.close(discarding: false)
        channel.embeddedEventLoop.run()
        #expect(delegate.closed == 0)
        handler.close(discarding: true)
        channel.embeddedEventLoop.run()
        #expect(delegate.closed == 1)
        for promise in stuck.promises { promise.fail(ChannelError.ioOnClosedChannel) }
        stuck.promises = []
        _ = try? channel.finish()
    }

    @Test("A socket that failed before its driver was told to start still tells the end")
    func failedBeforeStart() throws {
        let (channel, delegate) = (EmbeddedChannel(), Delegate())
        let handler = SocketHandler(channel: channel)
        try channel.pipeline.syncOperations.addHandler(handler)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.close().wait()
        handler.start(delegate: delegate)
        #expect(delegate.closed == 1)
        // The pipeline lets go of its handlers in a later turn.
        channel.embeddedEventLoop.run()
    }
}
