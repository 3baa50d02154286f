public import CoreMetrics
public import Logging
public import NIOCore
import NIOPosix
public import OxbowCore
public import OxbowNIO
import OxbowUpgrade

/// How a host secures its connections.
public enum SecurityProtocol: String, Hashable, Sendable, CaseIterable {
    /// `/noise`: Noise XX with ChaCha20-Poly1305.
    case noise
    /// `/tls/1.0.0`: TLS 1.3.
    case tls

    var protocolID: ProtocolID {
        switch self {
        case .noise: UpgradeConfiguration.noise
        case .tls: UpgradeConfiguration.tls
        }
    }
}

/// Everything about a host that isn't its identity.
public struct HostConfiguration: Sendable {
    /// Where the host listens from its start, such as `/ip4/0.0.0.0/tcp/4001`; more by ``Host/listen(on:)``.
    public var listenAddresses: [Multiaddr] = []
    /// In the order of preference of a dialer; at least one.
    public var security: [SecurityProtocol] = [.noise, .tls]
    /// The bounds and times of connections, streams and migrations.
    public var swarm = SwarmConfiguration()
    /// Where connections live. The default is NIO's shared group, with one loop for each core.
    public var eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    /// The network of `/memory` addresses.
    public var memoryNetwork = MemoryNetwork.shared
    /// Inbound streams that may wait for ``Host/run()`` to take them; more are reset. Those whose handlers run on an event
    /// loop are counted for each loop.
    public var maximumWaitingStreams = 1_024
    /// Events that wait for a slow observer of ``Host/events()``; older ones are dropped.
    public var maximumWaitingEvents = 1_024
    /// Gets connections, failed dials and migrations, at the levels debug to notice; never keys or payload. The default
    /// writes nothing.
    public var logger = Logger(label: "oxbow") { _ in SwiftLogNoOpLogHandler() }
    /// Where the host's metrics go. Nil is the process's own `MetricsSystem` as it is when the host is made: nothing is
    /// counted when it was not bootstrapped by then.
    public var metricsFactory: (any MetricsFactory)?

    /// Where what is known of peers is kept beyond the life of the process; in memory alone when nil.
    public var peerStorage: (any PeerStorage)?
    /// How long changes are collected before ``peerStorage`` gets them. The end of the host doesn't wait.
    public var peerStorageInterval: Duration = .seconds(5)
    /// How peers are found: the swarm's own setting.
    public var discovery: DiscoveryConfiguration {
        get { swarm.discovery }
        set { swarm.discovery = newValue }
    }

    public init(listenAddresses: [Multiaddr] = []) {
        self.listenAddresses = listenAddresses
    }
}

/// Why a host can't be made.
public enum HostError: Error, Hashable, Sendable, CustomStringConvertible {
    case noSecurityProtocol
    case identity(String)
    /// The configuration of the multiplexer contradicts itself.
    case muxer(String)
    /// The limits contradict themselves.
    case limits(String)
    /// The configuration can't work; the text says what to change.
    case configuration(String)
    /// ``Host/run()`` was called before; a host runs once.
    case alreadyRan
    /// No protocol was given for a stream.
    case noProtocol
    /// The peer has no connection with this host; connect first.
    case notConnected(PeerID)
    /// All connections with the peer are bounded by a relay, and the stream could not leave them.
    case limitedConnection(PeerID)
    /// The connection is over, or leads to another peer.
    case connectionClosed(ConnectionID)

    public var description: String {
        switch self {
        case .noSecurityProtocol: "a host needs at least one security protocol"
        case .identity(let why): "the identity key can't be used: \(why)"
        case .muxer(let problem): "the configuration of the multiplexer can't work: \(problem)"
        case .limits(let problem): "the configuration of the limits can't work: \(problem)"
        case .configuration(let problem): problem
        case .alreadyRan: "the host ran already; a host runs once"
        case .noProtocol: "a stream is for at least one protocol; give one"
        case .notConnected(let peer): "there is no connection with \(peer); call connect(to:at:) first"
        case .limitedConnection(let peer):
            "the connection with \(peer) goes through a relay that bounds its bytes and its life; connect directly, let the "
                + "stream migrate, or open it with allowsLimited: true"
        case .connectionClosed(let id): "connection \(id) is closed, or not one with this peer"
        }
    }
}
