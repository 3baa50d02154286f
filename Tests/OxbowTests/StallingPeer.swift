import NIOCore
import NIOPosix
import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowSecurity
import OxbowTesting
import OxbowUpgrade

/// A peer on a real socket that goes along with the handshake up to a point, and then says something else, nothing
/// more, or hangs up.
///
/// Isolation: it lives on its channel's event loop.
final class StallingPeer: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Up to where it is a good peer.
    enum Stop: Hashable, CaseIterable, Sendable {
        case atOnce
        case beforeNoise
        case beforeTLS
        /// After a Noise handshake that settles no multiplexer.
        case beforeMuxer

        /// Where the other side then finds itself.
        var phase: UpgradePhase {
            switch self {
            case .atOnce: .securityNegotiation
            case .beforeNoise: .noiseHandshake
            case .beforeTLS: .tlsHandshake
            case .beforeMuxer: .muxerNegotiation
            }
        }

        var security: ProtocolID { self == .beforeTLS ? "/tls/1.0.0" : "/noise" }
    }

    enum Then: Hashable, Sendable {
        case silence
        case hangUp
        case say([UInt8])
    }

    private let role: SecurityRole
    private let stop: Stop
    private let then: Then
    private var input: ArraySlice<UInt8> = []
    private var dialer: MultistreamDialer
    private var listener = MultistreamListener(eager: true)
    private var isChosen = false
    private var handshake: NoiseHandshake?
    private var secure: SecureTransport?
    private var hasStopped = false

    init(_ role: SecurityRole, _ stop: Stop, _ then: Then) {
        (self.role, self.stop, self.then) = (role, stop, then)
        dialer = MultistreamDialer(protocols: [stop.security], mode: .sequential)
    }

    func channelActive(context: ChannelHandlerContext) {
        guard stop != .atOnce else { return finish(context) }
        send(role == .initiator ? dialer.start() : listener.start(), context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasStopped else { return }
        input += unwrapInboundIn(data).readableBytesView
        do { try advance(context) } catch { context.close(promise: nil) }
    }

    private func advance(_ context: ChannelHandlerContext) throws {
        if !isChosen { try choose(context) }
        guard isChosen, !hasStopped else { return }
        guard stop == .beforeMuxer else { return finish(context) }
        if handshake == nil {
            let identity = FixedKeys.all[7]
            handshake = try NoiseHandshake(role: role, configuration: SecurityConfiguration(identity: identity))
            send(handshake?.start() ?? [], context)
        }
        while let step = try handshake?.receive(&input) {
            switch step {
            case .needMore: return
            case .send(let bytes): send(bytes, context)
            case .finished(let bytes, _):
                send(bytes, context)
                if let done = handshake.take() { secure = .noise(done.takeTransport()) }
                return finish(context)
            }
        }
    }

    private func choose(_ context: ChannelHandlerContext) throws {
        switch role {
        case .initiator:
            guard case .selected = try dialer.receive(&input) else { return }
            isChosen = true
        case .responder:
            switch try listener.receive(&input, isSupported: { $0 == stop.security }) {
            case .needMore(let bytes): send(bytes, context)
            case .selected(_, let bytes):
                send(bytes, context)
                isChosen = true
            }
        }
    }

    private func finish(_ context: ChannelHandlerContext) {
        hasStopped = true
        switch then {
        case .silence: break
        case .hangUp: context.close(promise: nil)
        case .say(let bytes): send((try? secure?.seal(bytes)) ?? bytes, context)
        }
    }

    private func send(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        guard !bytes.isEmpty else { return }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }

    // MARK: Sockets

    /// Listens as such a peer.
    static func listen(_ stop: Stop, _ then: Then) async throws -> (address: Multiaddr, channel: any Channel) {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(StallingPeer(.responder, stop, then))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return (try Multiaddr("/ip4/127.0.0.1/tcp/\(channel.localAddress?.port ?? 0)"), channel)
    }

    /// Connects to a host as such a peer.
    static func connect(to address: Multiaddr, _ stop: Stop, _ then: Then) async throws -> any Channel {
        guard let port = address.tcpEndpoint?.port else { preconditionFailure("\(address) is no TCP address") }
        return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(StallingPeer(.initiator, stop, then))
                }
            }
            .connect(host: "127.0.0.1", port: Int(port)).get()
    }
}
