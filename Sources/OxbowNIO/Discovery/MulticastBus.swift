package import NIOCore
import NIOPosix
import OxbowCore
import OxbowSwarm

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A message that came from the local network.
package struct MulticastDatagram: Sendable {
    package let bytes: [UInt8]
    package let sender: SocketAddress

    package init(bytes: [UInt8], sender: SocketAddress) {
        self.bytes = bytes
        self.sender = sender
    }
}

/// An open place on the local network.
package protocol MulticastPort: Sendable {
    /// Sends to all, or back to one.
    func send(_ bytes: [UInt8], to destination: SocketAddress?)
    func close()
}

/// Where multicast DNS is spoken: the sockets of this host, or a network of a test's own.
package protocol MulticastBus: Sendable {
    /// What the port depends on: when it has changed, the port is opened anew.
    var fingerprint: Int { get }
    /// - Parameter receive: called on `loop` for each message.
    func open(
        on loop: any EventLoop, receive: @escaping @Sendable (MulticastDatagram) -> Void
    ) -> EventLoopFuture<any MulticastPort>
}

/// Multicast DNS over UDP (RFC 6762, section 3): a socket for each interface and family, on the port that all share.
struct UDPMulticast: MulticastBus {
    static let port = 5_353
    private static let (group4, group6) = ("224.0.0.251", "ff02::fb")

    private var devices: [NIONetworkDevice] {
        ((try? System.enumerateDevices()) ?? []).filter { device in
            guard device.multicastSupported, let host = EndpointHost(device.address) else { return false }
            // One address of IPv6 stands for the interface: the one that every interface has.
            if case .ip6 = host { return host.scope == .linkLocal }
            return host.scope != .loopback
        }
    }

    var fingerprint: Int {
        var hasher = Hasher()
        for device in devices { hasher.combine("\(device.name) \(device.address?.ipAddress ?? "")") }
        return hasher.finalize()
    }

    func open(
        on loop: any EventLoop, receive: @escaping @Sendable (MulticastDatagram) -> Void
    ) -> EventLoopFuture<any MulticastPort> {
        let networks = LocalNetworks.surroundings().networks
        let sockets = devices.map { open($0, on: loop, networks, receive) }
        return EventLoopFuture.whenAllComplete(sockets, on: loop).map { results in
            UDPPort(sockets: results.compactMap { try? $0.get() })
        }
    }

    private func open(
        _ device: NIONetworkDevice, on loop: any EventLoop, _ networks: [IPNetwork],
        _ receive: @escaping @Sendable (MulticastDatagram) -> Void
    ) -> EventLoopFuture<UDPPort.Socket> {
        let isIPv6 = device.address?.protocol == .inet6
        let group: SocketAddress
        do {
            group = try SocketAddress(ipAddress: isIPv6 ? Self.group6 : Self.group4, port: Self.port)
        } catch { return loop.makeFailedFuture(error) }
        // Bound to the group, so that nothing else comes in; shared with the system's own responder.
        return DatagramBootstrap(group: loop)
            .channelOption(.socketOption(.so_reuseaddr), value: 1)
            .channelOption(.socketOption(NIOBSDSocket.Option(rawValue: SO_REUSEPORT)), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramReader(networks, receive))
                }
            }
            .bind(to: group)
            .flatMap { channel in
                Self.configure(channel, group, device, isIPv6: isIPv6).map {
                    UDPPort.Socket(channel: channel, group: group)
                }
                .flatMapError { error in
                    channel.close(promise: nil)
                    return loop.makeFailedFuture(error)
                }
            }
    }

    private static func configure(
        _ channel: any Channel, _ group: SocketAddress, _ device: NIONetworkDevice, isIPv6: Bool
    ) -> EventLoopFuture<Void> {
        guard let multicast = channel as? any MulticastChannel, let options = channel as? any SocketOptionProvider
        else {
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        let joined = multicast.joinGroup(group, device: device)
        // RFC 6762, section 11: a hop limit of 255 shows that nobody has forwarded it.
        if isIPv6 {
            return joined.flatMap { options.setIPv6MulticastIF(CUnsignedInt(device.interfaceIndex)) }
                .flatMap { options.setIPv6MulticastHops(255) }
        }
        guard case .ip4(let address)? = EndpointHost(device.address) else { return joined }
        return joined.flatMap { options.setIPMulticastIF(onWire(address)) }
            .flatMap { options.setIPMulticastTTL(255) }
    }

    /// The address as the system's own type: the four bytes that it is on the wire.
    private static func onWire<SystemAddress: BitwiseCopyable>(_ address: IPv4Address) -> SystemAddress {
        precondition(MemoryLayout<SystemAddress>.size == 4, "an address of IPv4 has four bytes")
        return withUnsafeBytes(of: address.bits.bigEndian) { $0.loadUnaligned(as: SystemAddress.self) }
    }
}

/// The sockets of all interfaces.
private struct UDPPort: MulticastPort {
    struct Socket: Sendable {
        let channel: any Channel
        let group: SocketAddress
    }

    let sockets: [Socket]

    func send(_ bytes: [UInt8], to destination: SocketAddress?) {
        let family = destination?.protocol
        for socket in sockets where family == nil || socket.group.protocol == family {
            let envelope = AddressedEnvelope(
                remoteAddress: destination ?? socket.group, data: ByteBuffer(bytes: bytes))
            socket.channel.writeAndFlush(envelope, promise: nil)
            // One asker gets one answer.
            if destination != nil { return }
        }
    }

    func close() {
        for socket in sockets { socket.channel.close(promise: nil) }
    }
}

/// Hands on what comes from the local networks, and nothing from elsewhere (RFC 6762, section 11).
private final class DatagramReader: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let networks: [IPNetwork]
    private let receive: @Sendable (MulticastDatagram) -> Void

    init(_ networks: [IPNetwork], _ receive: @escaping @Sendable (MulticastDatagram) -> Void) {
        self.networks = networks
        self.receive = receive
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        let sender = envelope.remoteAddress
        guard let host = EndpointHost(sender),
            host.scope == .linkLocal || networks.contains(where: { $0.contains(host) })
        else { return }
        receive(MulticastDatagram(bytes: Array(envelope.data.readableBytesView), sender: sender))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What can't be sent or read is lost, as datagrams are; the next question comes by itself.
    }
}
