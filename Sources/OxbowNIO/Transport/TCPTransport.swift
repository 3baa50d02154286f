import NIOCore
import NIOPosix
import OxbowCore

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// TCP over SwiftNIO: dialing and listening.
struct TCPTransport: Sendable {
    let group: any EventLoopGroup
    /// Where dials can come from.
    let ports = ListeningPorts()

    init(group: any EventLoopGroup) {
        self.group = group
    }

    /// What a socket reads at once: two of the largest Noise records, so that most of them arrive whole. NIO keeps a
    /// buffer per socket, so it starts small, and shrinks again when little comes.
    private static let receiveAllocator = AdaptiveRecvByteBufferAllocator(
        minimum: 2_048, initial: 4_096, maximum: 128 * 1_024)
    /// Past this, a connection stops to frame: enough to keep the socket busy, little enough that a migration finds
    /// its bytes unframed.
    private static let writeWatermark = ChannelOptions.Types.WriteBufferWaterMark(low: 32 * 1_024, high: 64 * 1_024)

    /// Opens a socket to `endpoint`, with a ``SocketHandler`` in its pipeline. Names are resolved and their addresses
    /// raced by NIO (RFC 8305); they are dialled from any port.
    ///
    /// - Parameter willConnect: gets each channel before it connects: closing it ends the attempt.
    /// - Returns: the channel, and whether it comes from a port that the host listens on. The future is of the
    ///   channel's event loop.
    func connect(
        to endpoint: TCPEndpoint, from source: DialSource, timeout: Duration,
        willConnect: @escaping @Sendable (any Channel) -> Void
    ) -> EventLoopFuture<(channel: any Channel, isFromListeningPort: Bool)> {
        // A dial's own loop, if it comes from one: what happens to the socket is then no message to another thread.
        connect(on: group.any(), to: endpoint, from: source, timeout: timeout, willConnect: willConnect)
    }

    private func connect(
        on loop: any EventLoop, to endpoint: TCPEndpoint, from source: DialSource, timeout: Duration,
        willConnect: @escaping @Sendable (any Channel) -> Void
    ) -> EventLoopFuture<(channel: any Channel, isFromListeningPort: Bool)> {
        let bootstrap = bootstrap(on: loop, timeout: timeout, willConnect: willConnect)
        let remote = SocketAddress(endpoint)
        let local = source == .anyPort ? nil : remote.flatMap { ports.source(for: $0) }
        guard let remote, let local else {
            guard source != .listeningPort else { return loop.makeFailedFuture(NoListeningPort()) }
            // An address needs no resolver, whose thread and race of attempts cost as much as the connecting itself.
            let connected =
                remote.map { bootstrap.connect(to: $0) }
                ?? bootstrap.connect(host: endpoint.host.socketText, port: Int(endpoint.port))
            return connected.map { ($0, false) }
        }
        let connected =
            bootstrap
            .channelOption(.socketOption(.so_reuseaddr), value: 1)
            .channelOption(.sharedPort, value: 1)
            .bind(to: local)
            .connect(to: remote)
            .map { (channel: $0, isFromListeningPort: true) }
        guard source == .listeningPortIfPossible else { return connected }
        return connected.flatMapError { error in
            // The pair of addresses may be in use, or be so still, and the listener's address may not lead there.
            guard let error = error as? IOError, Self.isAboutSource(error.errnoCode) else {
                return loop.makeFailedFuture(error)
            }
            return connect(on: loop, to: endpoint, from: .anyPort, timeout: timeout, willConnect: willConnect)
        }
    }

    private static func isAboutSource(_ code: CInt) -> Bool {
        [EADDRINUSE, EADDRNOTAVAIL, EACCES, EPERM, EINVAL, ENETUNREACH, EHOSTUNREACH].contains(code)
    }

    private func bootstrap(
        on loop: any EventLoop, timeout: Duration, willConnect: @escaping @Sendable (any Channel) -> Void
    ) -> ClientBootstrap {
        ClientBootstrap(group: loop)
            .connectTimeout(.nanoseconds(timeout.saturatingNanoseconds))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(.autoRead, value: false)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.recvAllocator, value: Self.receiveAllocator)
            .channelOption(.writeBufferWaterMark, value: Self.writeWatermark)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    willConnect(channel)
                    try channel.pipeline.syncOperations.addHandler(SocketHandler(channel: channel))
                }
            }
    }

    /// Listens on `endpoint`, and hands each socket to `accept` on the socket's event loop.
    func listen(
        on endpoint: TCPEndpoint, accept: @escaping @Sendable (SocketHandler, any Channel) -> Void
    ) -> EventLoopFuture<any Channel> {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.recvAllocator, value: Self.receiveAllocator)
            .childChannelOption(.writeBufferWaterMark, value: Self.writeWatermark)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // Nothing can be written or read before the socket is registered with its loop.
                    let handler = SocketHandler(channel: channel) { accept($0, channel) }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .bind(host: endpoint.host.socketText, port: Int(endpoint.port))
            .flatMap { [ports] channel in ports.add(channel).map { channel } }
    }
}

/// A dial can't come from the port that the host listens on: it listens on none, or on none of that family.
struct NoListeningPort: Error, CustomStringConvertible {
    var description: String { "this host listens on no TCP port of that address family" }
}

extension EndpointHost {
    /// The host as the operating system's resolver takes it.
    var socketText: String {
        switch self {
        case .ip4(let address): address.description
        case .ip6(let address, let zone): zone.map { "\(address)%\($0)" } ?? address.description
        case .dns(let name, _): name
        }
    }
}

extension Multiaddr {
    /// The TCP address of a socket; nil for a socket of another kind.
    init?(_ address: SocketAddress?) {
        guard let address, let port = address.port.flatMap({ UInt16(exactly: $0) }) else { return nil }
        let host: Component?
        switch address {
        case .v4: host = address.ipAddress.flatMap(IPv4Address.init).map { .ip4($0) }
        case .v6:
            // The system writes a scope behind a link-local address; the multiaddr keeps the address.
            let text = address.ipAddress.map { String($0.prefix { $0 != "%" }) }
            host = text.flatMap(IPv6Address.init).map { .ip6($0) }
        case .unixDomainSocket: host = nil
        }
        guard let host, let result = try? Multiaddr(components: [host, .tcp(port)]) else { return nil }
        self = result
    }
}
