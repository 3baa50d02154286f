import NIOCore
import OxbowCore
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Which port of this host a dial comes from.
package enum DialSource: Hashable, Sendable {
    /// One that the system chooses.
    case anyPort
    /// The one that the host listens on, so that peers observe an address at which it can be reached and a NAT keeps
    /// one mapping for all; another one when the system doesn't allow that.
    case listeningPortIfPossible
    /// The one that the host listens on, or none: a hole is punched there or not at all.
    case listeningPort
}

/// The sockets that a host listens on, as far as dials can come from their ports.
final class ListeningPorts: Sendable {
    private let listeners = Mutex<[SocketAddress]>([])

    /// Lets dials come from the port of a socket that listens, as long as it does.
    ///
    /// The port is shared only now, behind `bind`: a second program that wants to listen there finds it taken, as it
    /// would without this.
    func add(_ channel: any Channel) -> EventLoopFuture<Void> {
        guard let address = channel.localAddress else { return channel.eventLoop.makeSucceededVoidFuture() }
        channel.closeFuture.whenComplete { [self] _ in
            listeners.withLock { listeners in
                if let index = listeners.firstIndex(of: address) { listeners.remove(at: index) }
            }
        }
        return channel.setOption(.sharedPort, value: 1)
            .map { [self] in listeners.withLock { $0.append(address) } }
            // A system without this listens all the same, and dials from other ports.
            .recover { _ in }
    }

    /// The address that a dial to `remote` is to come from; nil when no listener's port will do.
    func source(for remote: SocketAddress) -> SocketAddress? {
        let family = listeners.withLock { $0 }.filter { $0.protocol == remote.protocol }
        let isLocal = remote.isLoopback
        let candidate =
            family.first { isLocal && $0.isLoopback } ?? family.first(where: \.isUnspecified)
            ?? family.first { !isLocal && !$0.isLoopback }
        // From a port to itself TCP connects a socket with itself.
        guard let candidate, candidate.port != remote.port || !remote.isOwn else { return nil }
        return candidate
    }
}

extension ChannelOption where Self == ChannelOptions.Types.SocketOption {
    /// Several sockets of this user may have the port, of which one may listen: needed at the listener and at each
    /// socket that dials from its port.
    static var sharedPort: Self { .socketOption(NIOBSDSocket.Option(rawValue: SO_REUSEPORT)) }
}

extension SocketAddress {
    private var scope: IPScope? { Multiaddr(self)?.host?.scope }

    fileprivate var isLoopback: Bool { scope == .loopback }
    fileprivate var isUnspecified: Bool { scope == .unspecified }

    /// Whether it leads to this very machine.
    fileprivate var isOwn: Bool {
        guard !isLoopback, !isUnspecified else { return true }
        let devices = (try? System.enumerateDevices()) ?? []
        return devices.contains { $0.address?.ipAddress == ipAddress }
    }

    /// The address of an endpoint that is no name; nil for a name, and for an address of one link, whose interface
    /// only the system's resolver reads.
    init?(_ endpoint: TCPEndpoint) {
        switch endpoint.host {
        case .ip4, .ip6(_, zone: nil):
            guard let address = try? SocketAddress(ipAddress: endpoint.host.socketText, port: Int(endpoint.port))
            else { return nil }
            self = address
        case .ip6, .dns: return nil
        }
    }
}
