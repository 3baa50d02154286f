import NIOCore
import NIOPosix
import Oxbow

/// The reference of small writes: bytes through NIO's callbacks in pieces of one size, flushed by 64 KiB, for some time.
///
/// Isolation: a handler lives on its channel's event loop.
final class PlainWriter: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let piece: ByteBuffer
    private let time: Duration
    private let result: EventLoopPromise<Double>
    private var start = ContinuousClock.now
    private var isOver = false

    private init(writes size: Int, for time: Duration, result: EventLoopPromise<Double>) {
        piece = ByteBuffer(repeating: 0x5a, count: size)
        (self.time, self.result) = (time, result)
    }

    /// - Returns: Gbit/s.
    static func throughput(writes size: Int, to port: Int, for time: Duration) async throws -> Double {
        let group = MultiThreadedEventLoopGroup.singleton
        let promise = group.next().makePromise(of: Double.self)
        let writer = PlainWriter(writes: size, for: time, result: promise)
        do {
            _ = try await ClientBootstrap(group: group)
                .channelOption(.allowRemoteHalfClosure, value: true)
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .channelOption(.writeBufferWaterMark, value: PlainTCP.watermark)
                .channelInitializer { $0.pipeline.addHandler(writer) }
                .connect(host: "127.0.0.1", port: port).get()
        } catch {
            promise.fail(error)
        }
        return try await promise.futureResult.get()
    }

    func channelActive(context: ChannelHandlerContext) {
        let head = ByteBuffer(bytes: [PlainMode.bulk.rawValue, PlainCipher.none.rawValue])
        context.writeAndFlush(wrapOutboundOut(head), promise: nil)
        start = .now
        fill(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        fill(context)
    }

    private func fill(_ context: ChannelHandlerContext) {
        while !isOver, context.channel.isWritable {
            guard start.duration(to: .now) < time else {
                isOver = true
                return context.close(mode: .output, promise: nil)
            }
            for _ in 0..<max(1, block.readableBytes / piece.readableBytes) {
                context.write(wrapOutboundOut(piece), promise: nil)
            }
            context.flush()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var reply = unwrapInboundIn(data)
        guard let count = reply.readInteger(as: UInt64.self) else { return }
        result.succeed(gigabits(Int(count), in: start.duration(to: .now)))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        result.fail(Failure("the plain TCP server closed the connection"))
    }
}
