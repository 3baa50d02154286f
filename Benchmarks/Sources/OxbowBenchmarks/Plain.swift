import NIOCore
import NIOPosix
import Oxbow

// The reference: TCP through SwiftNIO's callbacks, bare or with an AEAD per frame, and nothing else.

/// How the reference encrypts each frame.
enum PlainCipher: UInt8 {
    case none, chacha20poly1305, aes256gcm
}

/// What the client asks for by its first byte; for `bulk` the cipher follows.
enum PlainMode: UInt8 {
    case bulk, echo
}

enum PlainTCP {
    /// As long as Oxbow's records: more at once costs loopback half of its rate.
    static let frame = 65_408
    static let tag = 16
    static let receiveAllocator = FixedSizeRecvByteBufferAllocator(capacity: 128 * 1_024)
    static let watermark = ChannelOptions.Types.WriteBufferWaterMark(low: 32 * 1_024, high: 64 * 1_024)
}

/// One key for a direction, or none.
struct FrameCipher: ~Copyable {
    private var chacha: ChaCha20Poly1305Key?
    private var aes: AES256GCMKey?
    private var nonce: UInt64 = 0

    init(_ cipher: PlainCipher) throws {
        let secret = [UInt8](repeating: 9, count: 32)
        chacha = cipher == .chacha20poly1305 ? try ChaCha20Poly1305Key(key: secret) : nil
        aes = cipher == .aes256gcm ? try AES256GCMKey(key: secret) : nil
    }

    mutating func seal(_ plaintext: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws {
        try chacha?.seal(nonce: nonce, plaintext: plaintext, into: output)
        try aes?.seal(nonce: nonce, plaintext: plaintext, into: output)
        nonce += 1
    }

    mutating func open(_ ciphertext: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws {
        _ = try chacha?.open(nonce: nonce, ciphertextAndTag: ciphertext, into: output)
        _ = try aes?.open(nonce: nonce, ciphertextAndTag: ciphertext, into: output)
        nonce += 1
    }
}

/// Sends frames until its time is over, ends its side, and waits for the count that comes back.
///
/// Isolation: a handler lives on its channel's event loop.
final class PlainSender: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var cipher: FrameCipher
    private let kind: PlainCipher
    private let time: Duration
    private let result: EventLoopPromise<Double>
    private let plaintext = [UInt8](repeating: 0x5a, count: PlainTCP.frame)
    private let bare: ByteBuffer
    /// So that as much is flushed at once, however small the writes are.
    private let framesPerFlush: Int
    private var start = ContinuousClock.now
    private var isOver = false

    /// - Parameter size: The bytes of a write; encrypted frames have one size.
    init(
        _ kind: PlainCipher, writes size: Int = PlainTCP.frame, for time: Duration, result: EventLoopPromise<Double>
    ) throws {
        precondition(kind == .none || size == PlainTCP.frame, "the receiver knows one size of encrypted frames")
        cipher = try FrameCipher(kind)
        bare = ByteBuffer(repeating: 0x5a, count: size)
        framesPerFlush = max(1, PlainTCP.frame / size)
        (self.kind, self.time, self.result) = (kind, time, result)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(ByteBuffer(bytes: [PlainMode.bulk.rawValue, kind.rawValue])), promise: nil)
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
            for _ in 0..<framesPerFlush { context.write(wrapOutboundOut(nextFrame()), promise: nil) }
            context.flush()
        }
    }

    private func nextFrame() -> ByteBuffer {
        guard kind != .none else { return bare }
        var frame = ByteBufferAllocator().buffer(capacity: PlainTCP.frame + PlainTCP.tag)
        frame.writeWithUnsafeMutableBytes(minimumWritableBytes: PlainTCP.frame + PlainTCP.tag) { output in
            let isSealed = plaintext.withUnsafeBytes { (try? cipher.seal($0, into: output)) != nil }
            precondition(isSealed, "libcrypto refused to encrypt")
            return PlainTCP.frame + PlainTCP.tag
        }
        return frame
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

/// The server: counts and decrypts, or echoes. Isolation: as ``PlainSender``.
final class PlainReceiver: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var mode: PlainMode?
    private var kind: PlainCipher?
    private var cipher: FrameCipher?
    private var pending = ByteBuffer()
    private var plaintext = [UInt8](repeating: 0, count: PlainTCP.frame + PlainTCP.tag)
    private var count = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var input = unwrapInboundIn(data)
        if mode == nil { mode = input.readInteger(as: UInt8.self).flatMap(PlainMode.init) }
        guard mode == .bulk else { return context.writeAndFlush(wrapOutboundOut(input), promise: nil) }
        if kind == nil, let chosen = input.readInteger(as: UInt8.self).flatMap(PlainCipher.init) {
            kind = chosen
            cipher = try? FrameCipher(chosen)
        }
        guard kind != PlainCipher.none else { return count += input.readableBytes }
        if pending.readableBytes == 0 { pending = input } else { pending.writeImmutableBuffer(input) }
        while let frame = pending.readSlice(length: PlainTCP.frame + PlainTCP.tag) { open(frame) }
        if pending.readableBytes == 0 { pending = ByteBuffer() } else { pending.discardReadBytes() }
    }

    private func open(_ frame: ByteBuffer) {
        let isOpen = frame.withUnsafeReadableBytes { input in
            plaintext.withUnsafeMutableBytes { (try? cipher?.open(input, into: $0)) != nil }
        }
        precondition(isOpen, "a frame of the reference doesn't open")
        count += PlainTCP.frame
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        guard mode == .bulk else { return context.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(integer: UInt64(count))), promise: nil)
    }
}

/// Sends 32 bytes, waits for them, and again, until its time is over.
///
/// Isolation: as ``PlainSender``.
final class PlainPinger: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let time: Duration
    private let result: EventLoopPromise<[Duration]>
    private let begin = ContinuousClock.now
    private var sentAt = ContinuousClock.now
    private var missing = 0
    private var samples: [Duration] = []

    init(for time: Duration, result: EventLoopPromise<[Duration]>) {
        (self.time, self.result) = (time, result)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(ByteBuffer(bytes: [PlainMode.echo.rawValue])), promise: nil)
        send(context)
    }

    private func send(_ context: ChannelHandlerContext) {
        (sentAt, missing) = (.now, 32)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(repeating: 1, count: 32)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        missing -= unwrapInboundIn(data).readableBytes
        guard missing <= 0 else { return }
        samples.append(sentAt.duration(to: .now))
        guard begin.duration(to: .now) >= time else { return send(context) }
        result.succeed(samples)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        result.fail(Failure("the plain TCP server closed the connection"))
    }
}

enum PlainServer {
    /// - Returns: the port.
    static func start() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1_024)
            .childChannelOption(.autoRead, value: true)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: PlainTCP.receiveAllocator)
            .childChannelInitializer { $0.pipeline.addHandler(PlainReceiver()) }
            .bind(host: "127.0.0.1", port: 0).get()
        guard let port = channel.localAddress?.port else { throw Failure("the plain TCP server has no port") }
        return port
    }
}

enum PlainClient {
    private static func connect(to port: Int, _ handler: some ChannelInboundHandler & Sendable) async throws {
        _ = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(.recvAllocator, value: PlainTCP.receiveAllocator)
            .channelOption(.writeBufferWaterMark, value: PlainTCP.watermark)
            .channelInitializer { $0.pipeline.addHandler(handler) }
            .connect(host: "127.0.0.1", port: port).get()
    }

    /// - Returns: Gbit/s.
    static func throughput(
        _ cipher: PlainCipher, writes size: Int = PlainTCP.frame, to port: Int, for time: Duration
    ) async throws -> Double {
        let promise = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Double.self)
        try await connect(to: port, try PlainSender(cipher, writes: size, for: time, result: promise))
        return try await promise.futureResult.get()
    }

    static func roundTrips(to port: Int, for time: Duration) async throws -> [Duration] {
        let promise = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: [Duration].self)
        try await connect(to: port, PlainPinger(for: time, result: promise))
        return try await promise.futureResult.get()
    }
}
