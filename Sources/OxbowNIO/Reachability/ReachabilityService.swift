import NIOCore
import OxbowCore
import OxbowProtocols
import OxbowSwarm
import Synchronization

/// Finds out where this host can be reached: collects what peers see, asks servers of AutoNAT, and announces what they
/// have reached.
///
/// Any thread; all state is behind one lock, under which nothing is called. One question is asked at a time.
final class ReachabilityService: SwarmComponent {
    let configuration: ReachabilityConfiguration
    let server: AutoNATServer
    let state: Mutex<State>

    struct State {
        var observed: ObservedAddresses
        var tracker: ReachabilityTracker
        /// Connected peers that serve AutoNAT, as identify says.
        var servers: [PeerID: KnownServer] = [:]
        var question: Question?
        /// Whether the protocol on which nonces arrive is registered: from the first question on.
        var takesDialBacks = false
        var timer: (task: Scheduled<Void>, deadline: Instant)?
        var host = HostReachability.unknown
        var mapping = NATMapping.unknown
        /// What was found to be reachable, besides what the host listens on.
        var announced: [Multiaddr] = []
        var loop: (any EventLoop)?
        var isClosed = false
    }

    /// A peer that may be asked.
    struct KnownServer {
        let hasVersion2: Bool
        /// Not before this time.
        var askAgain: Instant
    }

    /// Servers that are remembered at most.
    static let maximumServers = 128

    init(_ configuration: ReachabilityConfiguration) {
        self.configuration = configuration
        server = AutoNATServer(configuration)
        state = Mutex(
            State(
                observed: ObservedAddresses(configuration.observations),
                tracker: ReachabilityTracker(configuration.judgement)))
    }

    // MARK: What happens in the swarm

    func register(in swarm: Swarm) {
        state.withLock { state in
            state.loop = swarm.transports.tcp.group.next()
            state.host = configuration.known ?? .unknown
        }
        let isPublic = configuration.known == .public
        if configuration.server == .always || (configuration.server == .automatic && isPublic) {
            server.start(in: swarm)
        }
    }

    func identified(_ peer: PeerState, _ info: IdentifyInfo?, on connection: ConnectionDriver, in swarm: Swarm) {
        guard let info else { return }
        observe(info, of: peer, on: connection, in: swarm)
        guard configuration.isEnabled else { return }
        note(peer.id, info)
        reconsider(in: swarm)
    }

    /// Keeps where a peer sees this host: hole punching asks for it also where nobody is asked and nothing is announced.
    private func observe(
        _ info: IdentifyInfo, of peer: PeerState, on connection: ConnectionDriver, in swarm: Swarm
    ) {
        let path = connection.path
        guard let observed = info.observedAddress, !path.isRelayed else { return }
        let observer = path.remoteAddress.flatMap(NetworkGroup.init) ?? .peer(peer.id)
        let listenAddresses = swarm.listenAddresses
        state.withLock { state in
            state.observed.setListenAddresses(listenAddresses)
            state.observed.expire(at: connection.now)
            state.observed.record(
                ObservedAddresses.Observation(
                    connection: connection.id.rawValue, localAddress: path.localAddress, observer: observer,
                    observed: observed, isOutbound: path.role == .dialer))
        }
    }

    func identifyChanged(_ peer: PeerState, _ info: IdentifyInfo, on connection: ConnectionDriver, in swarm: Swarm) {
        guard configuration.isEnabled else { return }
        note(peer.id, info)
        reconsider(in: swarm)
    }

    func connectionClosed(_ connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm) {
        let isGone = swarm.peer(peer.id) == nil
        let isAlone = swarm.allPeers.isEmpty
        state.withLock { state in
            state.observed.connectionClosed(connection.id.rawValue, at: connection.now)
            if isGone { state.servers[peer.id] = nil }
            // A host that has lost everybody may be somewhere else when it finds somebody again.
            if isAlone { state.tracker.recheck(at: connection.now) }
        }
        if configuration.isEnabled { reconsider(in: swarm) }
    }

    func announcedAddressesChanged(in swarm: Swarm) {
        guard configuration.isEnabled else { return }
        reconsider(in: swarm)
    }

    func close(in swarm: Swarm) {
        let timer = state.withLock { state in
            state.isClosed = true
            defer { state.timer = nil }
            return state.timer
        }
        timer?.task.cancel()
        server.close()
    }

    private func note(_ peer: PeerID, _ info: IdentifyInfo) {
        let hasVersion2 = info.protocols.contains(AutoNAT.dialRequestProtocolID)
        state.withLock { state in
            guard hasVersion2 || info.protocols.contains(AutoNAT.protocolID) else {
                state.servers[peer] = nil
                return
            }
            let known = state.servers[peer]
            guard known != nil || state.servers.count < Self.maximumServers else { return }
            let askAgain = known?.askAgain ?? Instant(nanoseconds: .min)
            state.servers[peer] = KnownServer(hasVersion2: hasVersion2, askAgain: askAgain)
        }
    }

    // MARK: What follows from it

    /// What is to be done outside of the lock.
    private struct Effects {
        var events: [SwarmEvent] = []
        var announced: [Multiaddr]?
        var servesOthers: Bool?
        var servers: [PeerID] = []
    }

    /// Looks at everything anew: which addresses count, what is announced, whom to ask, when to look again.
    func reconsider(in swarm: Swarm) {
        let listenAddresses = swarm.listenAddresses
        let effects: (Effects, Instant)? = state.withLock { state in
            guard !state.isClosed, let loop = state.loop else { return nil }
            let now = Instant(loop.now)
            var effects = Effects()
            update(&state, listenAddresses, at: now, &effects)
            if configuration.known == nil, state.question == nil,
                !state.tracker.addressesToProbe(limit: 1, at: now).isEmpty
            {
                effects.servers = state.serversToAsk(at: now)
            }
            return (effects, now)
        }
        guard let (effects, now) = effects else { return }
        for event in effects.events { swarm.eventSink(event) }
        if configuration.server == .automatic, let isPublic = effects.servesOthers {
            isPublic ? server.start(in: swarm) : server.stop(in: swarm)
        }
        if let announced = effects.announced { swarm.setAddresses(announced, of: .observed) }
        ask(effects.servers, in: swarm, at: now)
        arm(in: swarm)
    }

    private func update(
        _ state: inout State, _ listenAddresses: [Multiaddr], at now: Instant, _ effects: inout Effects
    ) {
        state.observed.setListenAddresses(listenAddresses)
        state.observed.expire(at: now)
        let candidates = listenAddresses + state.observed.confirmed + state.observed.samePort
        _ = state.tracker.setAddresses(candidates.filter(configuration.addresses.allows), at: now)
        let own = Set(listenAddresses)
        // Who is known to be public is so where peers agree to see it.
        let confirmed = configuration.known == .public ? state.observed.confirmed : state.tracker.reachable
        let announced = confirmed.filter { !own.contains($0) && configuration.addresses.allows($0) }
        if announced != state.announced {
            let (before, after) = (Set(state.announced), Set(announced))
            effects.events += state.announced.filter { !after.contains($0) }.map { .externalAddressExpired($0) }
            effects.events += announced.filter { !before.contains($0) }.map { .externalAddressConfirmed($0) }
            effects.announced = announced
            state.announced = announced
        }
        let host = configuration.known ?? state.tracker.host
        if host != state.host {
            state.host = host
            effects.events.append(.reachabilityChanged(host))
            effects.servesOthers = host == .public
        }
        let mapping = state.observed.mapping
        if mapping != state.mapping {
            state.mapping = mapping
            effects.events.append(.natMappingChanged(mapping))
        }
    }

    /// Keeps one timer, for the next moment at which time alone changes something.
    private func arm(in swarm: Swarm) {
        let timer = state.withLock { state -> Scheduled<Void>? in
            guard !state.isClosed, let loop = state.loop else { return nil }
            let deadline = nextDeadline(state)
            guard deadline != state.timer?.deadline else { return nil }
            let old = state.timer?.task
            state.timer = deadline.map { deadline in
                let task = loop.scheduleTask(deadline: NIODeadline(deadline)) { [self, weak swarm] in
                    timerFired(in: swarm)
                }
                return (task, deadline)
            }
            return old
        }
        timer?.cancel()
    }

    private func timerFired(in swarm: Swarm?) {
        state.withLock { $0.timer = nil }
        if let swarm { reconsider(in: swarm) }
    }

    private func nextDeadline(_ state: State) -> Instant? {
        var deadlines = [state.observed.nextExpiry].compactMap(\.self)
        if configuration.known == nil, state.question == nil, let probe = state.tracker.nextProbe,
            let server = state.servers.values.map(\.askAgain).min()
        {
            deadlines.append(max(probe, server))
        }
        return deadlines.min()
    }
}

extension ReachabilityService.State {
    /// Those that may be asked now: version 2 before version 1, then who wasn't asked for the longest time.
    fileprivate func serversToAsk(at now: Instant) -> [PeerID] {
        servers.filter { $0.value.askAgain <= now }.sorted { left, right in
            if left.value.hasVersion2 != right.value.hasVersion2 { return left.value.hasVersion2 }
            return (left.value.askAgain, left.key) < (right.value.askAgain, right.key)
        }.map(\.key)
    }
}
