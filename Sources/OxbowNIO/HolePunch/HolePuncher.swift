import NIOCore
import OxbowCore
import OxbowProtocols
import Synchronization

/// Upgrades relayed connections to direct ones: `/libp2p/dcutr`, both sides (libp2p/specs, relay/DCUtR.md).
///
/// Whoever was dialled through a relay begins, when identify has told about the peer; the other side answers. There is
/// one punch with a peer at a time. Connections that come of it are left to those who choose between connections.
final class HolePuncher: SwarmComponent {
    private let configuration: HolePunchConfiguration
    private let localPeer: PeerID
    private let state = Mutex(State())

    private struct State {
        var runs: [PeerID: HolePunchRun] = [:]
        var histories: [PeerID: HolePunchHistory] = [:]
        /// Relayed connections over which an upgrade was tried, or is.
        var tried: Set<ConnectionID> = []
        /// Where peers could knock when it was last looked at.
        var addresses: [Multiaddr] = []
        var isClosed = false
    }

    /// Peers whose histories are kept when they are gone.
    private static let maximumHistories = 1_024

    init(_ configuration: HolePunchConfiguration, localPeer: PeerID) {
        (self.configuration, self.localPeer) = (configuration, localPeer)
    }

    func register(in swarm: Swarm) {
        swarm.setHandler(DCUtR.protocolID) { [self, weak swarm] stream, connection in
            guard let swarm else { return stream.reset(code: 0) }
            answer(LoopStream(stream, on: connection.eventLoop), on: connection, in: swarm)
        }
    }

    // MARK: What happens to connections

    func connectionOpened(_ connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm) {
        let path = connection.path
        guard !path.isRelayed, let run = state.withLock({ $0.runs[peer.id] }) else { return }
        run.relayed.eventLoop.execute { run.connected(path) }
    }

    func connectionClosed(_ connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm) {
        let run = state.withLock { state in
            state.tried.remove(connection.id)
            return state.runs[peer.id]
        }
        if let run, run.relayed === connection { run.abandon(.relayedConnectionLost) }
    }

    func identified(_ peer: PeerState, _ info: IdentifyInfo?, on connection: ConnectionDriver, in swarm: Swarm) {
        guard let info else { return }
        identifyChanged(peer, info, on: connection, in: swarm)
    }

    func identifyChanged(
        _ peer: PeerState, _ info: IdentifyInfo, on connection: ConnectionDriver, in swarm: Swarm
    ) {
        lookAround(in: swarm)
        attempt(with: peer, info, over: connection, in: swarm)
    }

    func announcedAddressesChanged(in swarm: Swarm) {
        tryAll(in: swarm)
    }

    func close(in swarm: Swarm) {
        let runs = state.withLock { state in
            state.isClosed = true
            return state.runs.values.sorted { $0.began < $1.began }
        }
        for run in runs { run.relayed.onLoop { _ in run.abandon(.closed) } }
    }

    // MARK: This side's attempts

    /// Tries again where the host has learned of another address of its own: reachability heard of it just before.
    private func lookAround(in swarm: Swarm) {
        let addresses = swarm.holePunchAddresses
        let isNews = state.withLock { state in
            defer { state.addresses = addresses }
            return !Set(addresses).isSubset(of: state.addresses)
        }
        if isNews { tryAll(in: swarm) }
    }

    /// Looks for relayed connections that can be upgraded now: another own address is known, or a place is free.
    private func tryAll(in swarm: Swarm) {
        for peer in swarm.allPeers {
            guard let info = peer.info else { continue }
            for connection in peer.usableConnections where connection.path.isRelayed {
                connection.onLoop { [weak self, weak swarm] connection in
                    guard let swarm else { return }
                    self?.attempt(with: peer, info, over: connection, in: swarm)
                }
            }
        }
    }

    /// Begins to upgrade a connection, if it is one that this side upgrades and there is something to begin with. On the
    /// connection's event loop.
    private func attempt(
        with peer: PeerState, _ info: IdentifyInfo, over connection: ConnectionDriver, in swarm: Swarm
    ) {
        guard connection.path.isRelayed, connection.role == .listener, !peer.hasDirectConnection else { return }
        let own = swarm.holePunchAddresses
        let canExchange =
            info.protocols.contains(DCUtR.protocolID) && !configuration.addresses.sendable(own).isEmpty
        let canDial =
            !configuration.addresses.dialable(info.listenAddresses, of: peer.id, own: own).isEmpty
        guard canExchange || canDial else { return }
        let machine = HolePunchAttempt(with: peer.id, own: own, configuration: configuration)
        let run = HolePunchRun(machine, .initiator, with: peer, over: connection, in: swarm) {
            [weak self, weak swarm] run, outcome in
            guard let swarm else { return }
            self?.ended(run, outcome, in: swarm)
        }
        let mayBegin = state.withLock { state in
            guard !state.isClosed, state.runs[peer.id] == nil, state.runs.count < configuration.maximumPunches,
                !state.tried.contains(connection.id), takeToken(of: peer.id, at: connection.now, &state)
            else { return false }
            state.tried.insert(connection.id)
            state.runs[peer.id] = run
            return true
        }
        guard mayBegin else { return }
        swarm.eventSink(.holePunchBegan(peer: peer.id, side: .initiator))
        // It may have come up just before the run was there to learn of it.
        if let path = peer.directPath { return run.connected(path) }
        run.start(announced: info.listenAddresses)
    }

    // MARK: The peer's attempts

    private func answer(_ stream: LoopStream, on connection: ConnectionDriver, in swarm: Swarm) {
        guard connection.path.isRelayed, connection.role == .dialer, let peer = swarm.peer(of: connection),
            !peer.hasDirectConnection
        else { return stream.reset() }
        let own = swarm.holePunchAddresses
        let part: HolePunchPart? = state.withLock { state in
            guard !state.isClosed else { return nil }
            if let running = state.runs[peer.id] {
                // Both sides have dialled each other through a relay, and both begin: the lower peer id's attempt goes
                // on. Otherwise it is the peer's next try, and this side's dials of the one before are late.
                guard running.side == .responder || peer.id < localPeer else { return nil }
            } else {
                guard state.runs.count < configuration.maximumPunches else { return nil }
            }
            guard takeToken(of: peer.id, at: connection.now, &state) else { return nil }
            return state.histories[peer.id]?.part ?? .client
        }
        guard let part else { return stream.reset() }
        let running = state.withLock { $0.runs.removeValue(forKey: peer.id) }
        if let running {
            let failure: HolePunchFailure = running.side == .responder ? .unreachable(tries: 1) : .yielded
            // Mostly the same loop; an other one has its turn later, and nothing depends on which comes first.
            running.relayed.onLoop { _ in running.abandon(failure) }
        }
        let machine = HolePunchAnswer(
            to: peer.id, own: own, part: part, configuration: configuration, at: connection.now)
        let run = HolePunchRun(machine, .responder, with: peer, over: connection, in: swarm) {
            [weak self, weak swarm] run, outcome in
            guard let swarm else { return }
            self?.ended(run, outcome, in: swarm)
        }
        state.withLock { $0.runs[peer.id] = run }
        swarm.eventSink(.holePunchBegan(peer: peer.id, side: .responder))
        run.start(answering: stream)
    }

    // MARK: Ends

    private func ended(_ run: HolePunchRun, _ outcome: HolePunchOutcome, in swarm: Swarm) {
        let wasFull = state.withLock { state in
            let wasFull = state.runs.count >= configuration.maximumPunches
            if state.runs[run.peer.id] === run { state.runs[run.peer.id] = nil }
            // Once there is an address, it is worth another attempt.
            if outcome == .failed(.noOwnAddress) { state.tried.remove(run.relayed.id) }
            if let answer = run.machine as? HolePunchAnswer {
                state.histories[run.peer.id]?.answered(hasCollided: answer.hasCollided)
            }
            return wasFull
        }
        let record = HolePunchRecord(
            side: run.side, outcome: outcome, path: run.path, tries: run.machine.tries,
            duration: run.relayed.now - run.began, roundTrip: run.machine.roundTrip)
        swarm.eventSink(.holePunchEnded(peer: run.peer.id, record: record))
        // Others may have waited for a place.
        if wasFull { tryAll(in: swarm) }
    }

    private func takeToken(of peer: PeerID, at now: Instant, _ state: inout State) -> Bool {
        if state.histories[peer] == nil, state.histories.count >= Self.maximumHistories {
            state.histories = state.histories.filter { !$0.value.isForgettable(at: now) }
            guard state.histories.count < Self.maximumHistories else { return false }
        }
        return state.histories[peer, default: HolePunchHistory()].take(at: now)
    }
}

extension PeerState {
    fileprivate var hasDirectConnection: Bool { directPath != nil }

    fileprivate var directPath: ConnectionPath? {
        usableConnections.lazy.map(\.path).first { !$0.isRelayed }
    }
}
