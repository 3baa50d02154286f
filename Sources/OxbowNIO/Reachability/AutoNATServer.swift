import NIOCore
import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowSecurity
import OxbowUpgrade
import OxbowWire
import Synchronization

/// Dials peers that want to know whether they can be reached (AutoNAT, both versions).
///
/// It dials as a swarm of its own, with a key of its own and from no port that listens: a dial can't be mistaken for a
/// connection between the two hosts, takes none of their places, and opens no hole in the asking one's NAT (autonat-v2.md,
/// "Implementation Suggestions"). Any thread.
final class AutoNATServer: Sendable {
    let configuration: ReachabilityConfiguration
    private let state: Mutex<State>

    private struct State {
        var limiter: AutoNATLimiter
        /// Made when the first peer asks.
        var dialer: Swarm?
        var isStarted = false
        var isClosed = false
    }

    init(_ configuration: ReachabilityConfiguration) {
        self.configuration = configuration
        state = Mutex(State(limiter: AutoNATLimiter(configuration.serverLimits)))
    }

    /// What the dials have left behind; for tests.
    var census: SwarmCensus { state.withLock { $0.dialer }?.census ?? SwarmCensus() }

    /// Requests that are served at this time.
    var runningRequests: Int { state.withLock { $0.limiter.runningRequests } }

    func start(in swarm: Swarm) {
        guard
            state.withLock({ state in
                defer { state.isStarted = true }
                return !state.isStarted && !state.isClosed
            })
        else { return }
        swarm.setHandler(AutoNAT.dialRequestProtocolID) { [self, weak swarm] stream, connection in
            serve(stream, on: connection, in: swarm) { session, policy, observed in
                let byChance = Int(((try? SecureRandom.uint64()) ?? 0) >> 32)
                session.serveVersion2(
                    AutoNATv2Server(
                        observed: observed, policy: policy,
                        dialData: AutoNAT.dialDataRange.lowerBound + byChance % AutoNAT.dialDataRange.count))
            }
        }
        swarm.setHandler(AutoNAT.protocolID) { [self, weak swarm] stream, connection in
            serve(stream, on: connection, in: swarm) { session, policy, observed in
                session.serveVersion1(AutoNATv1Server(peer: session.peer, observed: observed, policy: policy))
            }
        }
        swarm.pushIdentify()
    }

    func stop(in swarm: Swarm) {
        guard
            state.withLock({ state in
                defer { state.isStarted = false }
                return state.isStarted
            })
        else { return }
        swarm.setHandler(AutoNAT.dialRequestProtocolID, nil)
        swarm.setHandler(AutoNAT.protocolID, nil)
        swarm.pushIdentify()
    }

    func close() {
        let dialer = state.withLock { state in
            state.isClosed = true
            return state.dialer
        }
        dialer?.close {}
    }

    // MARK: Requests

    private func serve(
        _ stream: LogicalStream, on connection: ConnectionDriver, in swarm: Swarm?,
        _ start: (AutoNATSession, ReachableAddressPolicy, _ observed: Multiaddr?) -> Void
    ) {
        let loopStream = LoopStream(stream, on: connection.eventLoop)
        guard let swarm, let peer = connection.peer?.peer, let dialer = dialer(for: swarm) else {
            return loopStream.reset()
        }
        let observed = connection.path.isRelayed ? nil : connection.path.remoteAddress
        let network = observed.flatMap(NetworkGroup.init)
        let now = connection.now
        let isAdmitted = state.withLock { $0.limiter.begin(peer, from: network, at: now) }
        let session = AutoNATSession(
            loopStream, of: peer, server: self, dialer: dialer, isAdmitted: isAdmitted)
        start(session, policy(in: swarm), observed)
    }

    /// A request that was admitted is over.
    func ended(_ peer: PeerID) {
        state.withLock { $0.limiter.end(peer) }
    }

    /// Whether another host than the asking one may be dialled now.
    func takeForeignDial(at now: Instant) -> Bool {
        state.withLock { $0.limiter.takeForeignDial(at: now) }
    }

    /// A host without addresses of a family takes it that it has no way to it.
    private func policy(in swarm: Swarm) -> ReachableAddressPolicy {
        var policy = configuration.addresses
        let hosts = swarm.listenAddresses.filter { !$0.isLoopback || policy.allowsPrivate }.compactMap(\.host)
        policy.allowsIPv4 = policy.allowsIPv4 && hosts.contains { if case .ip4 = $0 { true } else { false } }
        policy.allowsIPv6 = policy.allowsIPv6 && hosts.contains { if case .ip6(_, nil) = $0 { true } else { false } }
        return policy
    }

    private func dialer(for swarm: Swarm) -> Swarm? {
        if let dialer = state.withLock({ $0.isClosed ? nil : $0.dialer }) { return dialer }
        guard let dialer = makeDialer(for: swarm) else { return nil }
        return state.withLock { state in
            guard !state.isClosed else { return nil }
            if state.dialer == nil { state.dialer = dialer }
            return state.dialer
        }
    }

    private func makeDialer(for swarm: Swarm) -> Swarm? {
        var settings = SwarmConfiguration()
        settings.isMigrationEnabled = false
        settings.dialTimeout = configuration.dialTimeout
        settings.connection = swarm.configuration.connection
        settings.connection.handshakeTimeout = min(settings.connection.handshakeTimeout, configuration.dialTimeout)
        settings.muxer = swarm.configuration.muxer
        settings.agentVersion = swarm.configuration.agentVersion
        guard let identity = try? PrivateKey.generate(.ed25519),
            let upgrade = try? UpgradeConfiguration(
                identity: identity, securityProtocols: swarm.upgradeConfiguration.securityProtocols)
        else { return nil }
        let dialer = Swarm(
            upgrade: upgrade, configuration: settings,
            transports: SwarmTransports(group: swarm.transports.tcp.group, memory: swarm.transports.memory),
            unixTime: swarm.unixTime, hasComponents: false, eventSink: { _ in })
        dialer.registerServices()
        return dialer
    }
}
