import NIOCore
package import OxbowCore
import OxbowCrypto
import OxbowMigration
import OxbowMux
import OxbowProtocols
import OxbowSecurity
import OxbowSwarm
package import OxbowUpgrade
import OxbowWire
import Synchronization

/// A handler of inbound streams. It is called on the event loop of the connection on which the stream was opened and
/// must not block it.
package typealias InboundStreamHandler = @Sendable (LogicalStream, ConnectionDriver) -> Void

/// All connections of one host, the peers behind them and the streams on them. Any thread.
package final class Swarm: Sendable {
    let identity: PrivateKey
    let localPeer: PeerID
    let configuration: SwarmConfiguration
    /// What all streams share of the configuration; those of a relay's circuits have short queues.
    let migrationConfiguration: Shared<MigrationConfiguration>
    let streamLimits: Shared<StreamLimits>
    let circuitLimits: Shared<StreamLimits>
    let upgradeConfiguration: UpgradeConfiguration
    package let transports: SwarmTransports
    let ledger: SwarmLedger
    /// What is known of peers, connected or not.
    package let peerBook: PeerBook
    /// What works by itself, in the order in which it learns of things.
    let components: [any SwarmComponent]
    /// Gets every event, on the thread on which it happened; must not block.
    let eventSink: @Sendable (SwarmEvent) -> Void
    /// The time for certificates, in seconds since 1970.
    let unixTime: @Sendable () -> Int64
    /// Where the ids of a peer's streams begin (SM-L2).
    let labelStart: @Sendable () throws -> UInt64
    /// Signatures that have held: those of peers that come again.
    let verified = VerifiedSignatures()
    /// This host's addresses, signed; nil as long as nobody has asked.
    let signedRecord = Mutex<SignedRecord?>(nil)
    let state = Mutex(State())

    struct State {
        var peers: [PeerID: PeerState] = [:]
        /// Every connection whose transport is open, upgraded or not.
        var connections: [ConnectionID: ConnectionDriver] = [:]
        var handlers: [ProtocolID: InboundStreamHandler] = [:]
        /// Who waits for a connection to stand or to fail.
        var openWaiters: [ConnectionID: @Sendable (Result<ConnectionDriver, ConnectionError>) -> Void] = [:]
        /// Who waits for all connections to be gone.
        var drainWaiters: [@Sendable () -> Void] = []
        var addresses: [AddressSource: [Multiaddr]] = [:]
        /// The dials that run, by their number.
        var dials: [UInt64: DialDriver] = [:]
        /// Those of them that others may join.
        var sharedDials: [DialKey: SharedDial] = [:]
        var isClosed = false
    }

    package init(
        upgrade: UpgradeConfiguration, configuration: SwarmConfiguration, transports: SwarmTransports,
        unixTime: @escaping @Sendable () -> Int64,
        labelStart: @escaping @Sendable () throws -> UInt64 = { try SecureRandom.uint64() }, hasComponents: Bool = true,
        eventSink: @escaping @Sendable (SwarmEvent) -> Void
    ) {
        identity = upgrade.identity
        localPeer = upgrade.identity.publicKey.peerID
        self.configuration = configuration
        migrationConfiguration = Shared(configuration.migration)
        streamLimits = Shared(configuration.stream)
        circuitLimits = Shared(configuration.stream.forCircuits)
        var upgrade = upgrade
        upgrade.verified = verified
        upgradeConfiguration = upgrade
        self.transports = transports
        ledger = SwarmLedger(
            limits: configuration.limits.resources, meter: configuration.meter, eventSink: eventSink)
        peerBook = PeerBook(configuration, unixTime: unixTime) { Instant(transports.tcp.group.next().now) }
        let others =
            Self.discoveryComponents(configuration, localPeer: localPeer, group: transports.tcp.group)
            + Self.makeComponents(configuration, localPeer: localPeer)
        components = [peerBook] + (hasComponents ? others : [])
        self.unixTime = unixTime
        self.labelStart = labelStart
        self.eventSink = eventSink
    }

    private static func makeComponents(
        _ configuration: SwarmConfiguration, localPeer: PeerID
    ) -> [any SwarmComponent] {
        var components: [any SwarmComponent] = [
            ReachabilityService(configuration.reachability),
            RelayClient(configuration.relayClient, localPeer: localPeer),
        ]
        if let relayServer = configuration.relayServer { components.append(RelayServer(relayServer)) }
        if configuration.holePunch.isEnabled {
            components.append(HolePuncher(configuration.holePunch, localPeer: localPeer))
        }
        return components
    }

    /// Lets the components begin what they do on their own account.
    package func start() {
        for component in components { component.started(in: self) }
    }

    // MARK: Protocols

    /// Registers a handler, or takes the one of `id` away.
    package func setHandler(_ id: ProtocolID, _ handler: InboundStreamHandler?) {
        state.withLock { $0.handlers[id] = handler }
    }

    /// What identify tells of this host's protocols.
    var protocols: [ProtocolID] {
        let handled = state.withLock { $0.handlers.keys.sorted { $0.rawValue < $1.rawValue } }
        guard configuration.isMigrationEnabled else { return handled }
        return handled + [MigrationDialect.draft.protocolID, MigrationDialect.proofOfConcept.protocolID]
    }

    package func peer(_ id: PeerID) -> PeerState? {
        state.withLock { $0.peers[id] }
    }

    func peer(of connection: ConnectionDriver) -> PeerState? {
        connection.peer.flatMap { peer($0.peer) }
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    package var allPeers: [PeerState] { state.withLock { Array($0.peers.values) } }

    // MARK: Connections

    /// Takes a transport whose bytes are to become a connection. On the transport's event loop.
    ///
    /// - Parameter completion: called once, when the connection stands or has failed.
    func adopt(
        _ transport: any ByteTransport, path: ConnectionPath, expectedPeer: PeerID?,
        completion: (@Sendable (Result<ConnectionDriver, ConnectionError>) -> Void)?
    ) -> ConnectionDriver? {
        do throws(ResourceRefusal) {
            // Before anything is made or computed for it: what is too much has to be cheap.
            try ledger.open(path, on: transport.eventLoop)
        } catch {
            transport.close(discarding: true)
            completion?(.failure(.overLimit(error)))
            return nil
        }
        var muxer = configuration.muxer
        muxer.asksBeforeGrowth = true
        let upgrade = ConnectionUpgrade(
            role: path.role == .dialer ? .initiator : .responder, configuration: upgradeConfiguration,
            expectedPeer: expectedPeer, unixTime: unixTime())
        let connection = ConnectionDriver(
            transport: transport, path: path, upgrade: upgrade, expectedPeer: expectedPeer,
            muxer: muxer, limits: configuration.connection, owner: self)
        connection.circuitBudget = CircuitBudget(path.limit, reserve: configuration.relayClient.handOverReserve)
        let isOpen = state.withLock { state in
            guard !state.isClosed else { return false }
            state.connections[path.id] = connection
            state.openWaiters[path.id] = completion
            return true
        }
        guard !isOpen else { return connection }
        ledger.close(path.id)
        transport.close(discarding: true)
        // A dial, in whichever part, is told of by its completion.
        if path.role == .listener, completion == nil { eventSink(.inboundFailed(path: path, error: .closedLocally)) }
        completion?(.failure(.closedLocally))
        return nil
    }

    /// Closes every connection and takes no new ones. `completion` runs when all are gone.
    package func close(completion: @escaping @Sendable () -> Void) {
        let connections: [ConnectionDriver]? = state.withLock { state in
            state.isClosed = true
            // They refer back to the swarm. A connection that is being closed takes no new stream.
            state.handlers = [:]
            for dial in state.dials.values { dial.eventLoop.execute { dial.abandon() } }
            guard !state.connections.isEmpty else { return nil }
            state.drainWaiters.append(completion)
            // A circuit's goodbye goes through the connection with its relay, which is older.
            return state.connections.values.sorted { $1.id < $0.id }
        }
        for component in components { component.close(in: self) }
        guard let connections else { return completion() }
        for connection in connections { connection.close() }
    }

    /// What is alive now.
    package var census: SwarmCensus {
        var census = SwarmCensus()
        let peers = state.withLock { state in
            census.connections = state.connections.count
            census.peers = state.peers.count
            census.dials = state.dials.count
            return Array(state.peers.values)
        }
        let booked = ledger.counts
        census.reservations = booked.streams + abs(booked.connections - census.connections)
        if booked.connections == 0 { census.reservations += booked.scopes }
        for peer in peers {
            peer.state.withLock { state in
                census.streams += state.streams.count
                census.timers += state.streams.values.reduce(0) { $0 + $1.timerCount }
                census.labels += state.table.liveCount
                census.heldMigrates += state.table.held.count
                census.migrations += state.table.migrations
            }
        }
        return census
    }
}
