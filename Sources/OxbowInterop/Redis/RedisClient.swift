import NIOCore
import NIOPosix
import OxbowCommandLine

/// Why Redis couldn't be used.
enum RedisError: Error, Sendable, CustomStringConvertible {
    case unreachable(RedisAddress, String)
    case timedOut(String)
    /// The connection is over.
    case closed(String)
    case invalid(RedisProtocolError)
    /// The server says that a command can't be done.
    case refused(String)
    /// A reply of another kind than the command has.
    case unexpected(String)

    var description: String {
        switch self {
        case .unreachable(let address, let why): "redis at \(address) can't be reached: \(why)"
        case .timedOut(let what): "redis: timed out: \(what)"
        case .closed(let why): "redis: the connection is over: \(why)"
        case .invalid(let error): "redis: \(error)"
        case .refused(let why): "redis: \(why)"
        case .unexpected(let what): "redis: \(what)"
        }
    }
}

/// A connection with a Redis server. One command at a time; each has a deadline, past which the connection is over.
final class RedisClient: Sendable {
    private let channel: any Channel
    private let replies: NIOLoopBound<RedisReplies>

    private init(_ channel: any Channel, _ replies: NIOLoopBound<RedisReplies>) {
        (self.channel, self.replies) = (channel, replies)
    }

    /// Connects, again and again until `deadline`: the server of a test may start later than its peers.
    static func connect(to address: RedisAddress, until deadline: ContinuousClock.Instant) async throws -> RedisClient {
        while true {
            do {
                return try await connect(to: address, within: deadline - .now)
            } catch {
                guard ContinuousClock.now + .milliseconds(100) < deadline else {
                    throw RedisError.unreachable(address, "\(error)")
                }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private static func connect(to address: RedisAddress, within limit: Duration) async throws -> RedisClient {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.nanoseconds(max(1, Int64(limit.seconds * 1e9))))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .connect(host: address.host, port: address.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let replies = RedisReplies()
                    try channel.pipeline.syncOperations.addHandler(replies)
                    return RedisClient(channel, NIOLoopBound(replies, eventLoop: channel.eventLoop))
                }
            }
    }

    /// The address from which this host talks to the server.
    var localAddress: String? { channel.localAddress?.ipAddress }

    /// Sends a command and waits for its reply.
    ///
    /// - Throws: ``RedisError``; `CancellationError` when the task was cancelled. The connection is over then.
    func send(_ words: String..., until deadline: ContinuousClock.Instant) async throws -> RedisReply {
        let what = words.prefix(2).joined(separator: " ")
        var bytes = channel.allocator.buffer(capacity: 128)
        bytes.writeRedisCommand(words)
        let (channel, replies) = (channel, replies)
        let reply = channel.eventLoop.makePromise(of: RedisReply.self)
        let alarm = channel.eventLoop.scheduleTask(in: .nanoseconds(Int64((deadline - .now).seconds * 1e9))) {
            replies.value.end(with: RedisError.timedOut(what))
            channel.close(promise: nil)
        }
        defer { alarm.cancel() }
        channel.eventLoop.execute { [bytes] in
            guard replies.value.expect(reply) else { return }
            channel.writeAndFlush(bytes, promise: nil)
        }
        let answer = try await withTaskCancellationHandler {
            try await reply.futureResult.get()
        } onCancel: {
            channel.eventLoop.execute { replies.value.end(with: CancellationError()) }
            channel.close(promise: nil)
        }
        if case .error(let why) = answer { throw RedisError.refused(why) }
        return answer
    }

    func close() async {
        try? await channel.close()
    }
}

/// Gives each reply to the command that waits for it. On its channel's event loop.
private final class RedisReplies: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var reader = RedisReplyReader()
    private var waiting: EventLoopPromise<RedisReply>?
    private var ending: (any Error)?

    /// - Returns: false when the connection is over; the promise has failed then.
    func expect(_ promise: EventLoopPromise<RedisReply>) -> Bool {
        if let ending {
            promise.fail(ending)
            return false
        }
        guard waiting == nil else {
            promise.fail(RedisError.unexpected("a command was sent while another one waits"))
            return false
        }
        waiting = promise
        return true
    }

    func end(with error: any Error) {
        ending = ending ?? error
        waiting?.fail(error)
        waiting = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        reader.receive(&bytes)
        do throws(RedisProtocolError) {
            while let reply = try reader.next() {
                guard let promise = waiting else { return fail(.unexpected("a reply that nobody asked for"), context) }
                waiting = nil
                promise.succeed(reply)
            }
        } catch { fail(.invalid(error), context) }
    }

    private func fail(_ error: RedisError, _ context: ChannelHandlerContext) {
        end(with: error)
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(.closed("\(error)"), context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(with: RedisError.closed("the server closed it"))
    }
}
