import Foundation
import NIOCore
public import OxbowCore
public import OxbowCrypto
public import OxbowNIO
import OxbowUpgrade
public import ServiceLifecycle
import Synchronization

/// A libp2p host: an identity, the addresses at which it listens, its peers, and the streams with them.
///
/// A host works while ``run()`` does; ``withHost(identity:configuration:isolation:_:)`` takes care of that. Streams outlive the
/// connections that they were opened on: ``Peer/migrate(_:to:)`` moves one, and either peer may do so.
///
/// ```swift
/// try await withHost(identity: .generate(.ed25519)) { host in
///     host.handle("/echo/1.0.0") { stream in
///         for try await bytes in stream.inbound { try await stream.outbound.write(bytes) }
///     }
///     let addresses = try await host.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0"))
/// }
/// ```
///
/// Isolation: everything may be called from any task.
public final class Host: Sendable, Service {
    /// Who this host is.
    public let id: PeerID
    let configuration: HostConfiguration
    let swarm: Swarm
    let inbound: InboundStreams
    let observers: EventObservers
    let log: HostLog
    private let keeper: PeerKeeper?
    private let life = Mutex(Life())

    private struct Life {
        var hasRun = false
        var isShutDown = false
        var listeners: [Listener] = []
    }

    /// Makes a host. It listens and serves once ``run()`` is called.
    public init(identity: PrivateKey, configuration: HostConfiguration = HostConfiguration()) throws(HostError) {
        guard !configuration.security.isEmpty else { throw .noSecurityProtocol }
        if let problem = configuration.swarm.limits.problem { throw .limits(problem) }
        if let problem = configuration.swarm.muxer.problem { throw .muxer(problem) }
        if let problem = configuration.swarm.problem { throw .configuration(problem) }
        let upgrade: UpgradeConfiguration
        do {
            upgrade = try UpgradeConfiguration(
                identity: identity, securityProtocols: configuration.security.map(\.protocolID))
        } catch { throw .identity("\(error)") }
        id = identity.publicKey.peerID
        self.configuration = configuration
        let observers = EventObservers(limit: configuration.maximumWaitingEvents)
        self.observers = observers
        inbound = InboundStreams(limit: configuration.maximumWaitingStreams)
        var swarmConfiguration = configuration.swarm
        swarmConfiguration.meter = configuration.metricsFactory.map(HostMetrics.init) ?? HostMetrics.ofProcess()
        let log = HostLog(configuration.logger)
        self.log = log
        swarm = Swarm(
            upgrade: upgrade, configuration: swarmConfiguration,
            transports: SwarmTransports(group: configuration.eventLoopGroup, memory: configuration.memoryNetwork),
            unixTime: { Int64(Date().timeIntervalSince1970) },
            eventSink: { event in
                observers.send(event)
                log.write(event)
            })
        if let storage = configuration.peerStorage {
            keeper = PeerKeeper(storage, swarm.peerBook, log)
        } else {
            keeper = nil
        }
        swarm.registerServices()
    }

    /// Handlers and services refer back to the swarm until it is closed: a host that never ran would keep all of it.
    deinit { swarm.close {} }

    // MARK: Life

    /// Listens at the configured addresses and serves streams, each in a child task, until the task is cancelled or a
    /// graceful shutdown is asked for. Then every connection is closed in order.
    ///
    /// - Throws: ``HostError/alreadyRan`` when it was called before, `ListenError` when it can't listen.
    public func run() async throws {
        try await start()
        await serve()
    }

    /// Listens at the configured addresses.
    func start() async throws {
        let isFirst = life.withLock { life in
            defer { life.hasRun = true }
            return !life.hasRun
        }
        guard isFirst else { throw HostError.alreadyRan }
        do {
            try await keeper?.load()
            for address in configuration.listenAddresses { try await listen(on: address) }
        } catch {
            await shutdown()
            throw error
        }
        swarm.start()
    }

    /// Serves streams until the task is cancelled, a graceful shutdown is asked for or the host is shut down.
    func serve() async {
        await withTaskCancellationOrGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                if let keeper {
                    group.addTask { await keeper.run(every: self.configuration.peerStorageInterval) }
                }
                for await lane in inbound.lanes { group.addTask { await lane.serve() } }
                // The streams end with their connections, and with them their handlers; a handler that waits for
                // something else is cancelled.
                await shutdown()
                group.cancelAll()
            }
        } onCancelOrGracefulShutdown: {
            self.inbound.finish()
        }
    }

    /// Stops to listen, closes every connection and waits until they are gone. ``run()`` does so by itself.
    public func shutdown() async {
        inbound.finish()
        let open = life.withLock { life in
            life.isShutDown = true
            defer { life.listeners = [] }
            return life.listeners
        }
        for listener in open { await listener.stop() }
        await withUnsafeContinuation { continuation in
            swarm.close { continuation.resume() }
        }
        await keeper?.save()
        observers.finish()
    }

    /// What is alive in the host: zero in every field once it has nothing to do.
    public var census: SwarmCensus { swarm.census }

    // MARK: Listening

    /// Listens at one more address.
    ///
    /// - Parameter address: `/ip4/…/tcp/…`, `/ip6/…/tcp/…` or `/memory/…`; port or number 0 finds a free one. Or a relay's
    ///   address with its id and `/p2p-circuit` behind it: then a reservation is kept there, and made anew when it is lost.
    /// - Returns: where peers can reach it, with this host's id behind: for an unspecified address those of all
    ///   interfaces.
    @discardableResult
    public func listen(on address: Multiaddr) async throws(ListenError) -> [Multiaddr] {
        let listener = try await swarm.listen(on: address)
        let isOpen = life.withLock { life in
            if !life.isShutDown { life.listeners.append(listener) }
            return !life.isShutDown
        }
        guard isOpen else {
            await listener.stop()
            throw .closed
        }
        if listener.isAnnounced { swarm.addListenAddresses(listener.addresses) }
        return listener.addresses.compactMap { try? $0.appending(peer: id) }
    }

    /// Where the host listens, with its id behind.
    public var listenAddresses: [Multiaddr] {
        swarm.listenAddresses.compactMap { try? $0.appending(peer: id) }
    }

    /// What the host tells its peers: where it listens, where it was found to be reachable, and through which relays,
    /// each with its id behind.
    public var announcedAddresses: [Multiaddr] {
        swarm.announcedAddresses.compactMap { try? $0.appending(peer: id) }
    }

    // MARK: Protocols

    /// Serves a protocol: each inbound stream for it runs `body` in a child task of ``run()``.
    ///
    /// When `body` returns, the write side ends and what the peer still sends is dropped; when it throws, the stream is
    /// reset.
    ///
    /// - Parameter onEventLoop: whether `body` runs on the event loop of the connection on which the stream was opened. That
    ///   saves a change of threads for each wait, and a body that computes for long holds up every connection of that loop.
    public func handle(
        _ id: ProtocolID, onEventLoop: Bool = false, _ body: @escaping @Sendable (Stream) async throws -> Void
    ) {
        swarm.setHandler(id) { [inbound] stream, connection in
            let work = InboundWork(stream: Stream(stream), body: body)
            inbound.add(work, on: onEventLoop ? connection.eventLoop : nil)
        }
        swarm.pushIdentify()
    }

    /// Serves a protocol no longer. Streams that run go on.
    public func stopHandling(_ id: ProtocolID) {
        swarm.setHandler(id, nil)
        swarm.pushIdentify()
    }

    // MARK: Relaying

    /// What this host does as a relay for others; nil when it is none (`SwarmConfiguration.relayServer`).
    public var relayStatistics: RelayStatistics? { swarm.relayStatistics }

    // MARK: Peers

    /// Connects to a peer, unless a connection stands. Callers that want the same peer at once share one dial; its
    /// addresses are raced.
    ///
    /// It returns when identify has told what the peer supports, or has failed to.
    ///
    /// - Parameter addresses: where to dial, and nowhere else; those of a dial that succeeds are remembered. Without
    ///   any, the peer is dialled where ``peerStore`` knows it to be, unless it failed just before:
    ///   `DialError.Reason.noAddresses` and `backingOff(_:)` say so.
    @discardableResult
    public func connect(to peer: PeerID, at addresses: [Multiaddr] = []) async throws(DialError) -> Peer {
        if let standing = swarm.peer(peer), let connection = standing.usableConnections.first {
            await standing.identified(connection.id)
            return Peer(standing, host: self)
        }
        let connection = try await logged { () async throws(DialError) in
            try await swarm.dial(peer, at: addresses)
        }
        return try await identified(peer, connection)
    }

    /// Makes sure of a connection to a peer that no relay is part of, whether a relayed one stands or not.
    ///
    /// - Parameter addresses: where to dial; without any, where ``peerStore`` knows the peer to be.
    /// - Returns: the direct connection that stands, or the new one.
    @discardableResult
    public func connectDirectly(
        to peer: PeerID, at addresses: [Multiaddr] = []
    ) async throws(DialError) -> Connection {
        if let direct = swarm.peer(peer)?.usableConnections.first(where: { !$0.path.isRelayed }) {
            return Connection(direct)
        }
        let connection = try await logged { () async throws(DialError) in
            try await swarm.dial(peer, at: addresses, goal: .direct)
        }
        _ = try await identified(peer, connection)
        return Connection(connection)
    }

    /// What is known of peers, connected or not.
    public var peerStore: PeerStore { PeerStore(book: swarm.peerBook) }

    /// Opens one more connection to a peer, whatever stands: a peer may have several. This host keeps it until the
    /// application closes it, even when nothing is on it and a better one stands; the peer may have another policy.
    public func connectAgain(to peer: PeerID, at addresses: [Multiaddr]) async throws(DialError) -> Connection {
        let connection = try await logged { () async throws(DialError) in
            try await swarm.dialAnother(peer, at: addresses)
        }
        _ = try await identified(peer, connection)
        swarm.keep(connection)
        return Connection(connection)
    }

    private func logged(
        _ dial: () async throws(DialError) -> ConnectionDriver
    ) async throws(DialError) -> ConnectionDriver {
        do {
            return try await dial()
        } catch {
            log.write(error)
            throw error
        }
    }

    private func identified(_ peer: PeerID, _ connection: ConnectionDriver) async throws(DialError) -> Peer {
        guard let state = swarm.peer(peer) else { throw DialError(closed: peer) }
        await state.identified(connection.id)
        return Peer(state, host: self)
    }

    /// A peer with which a connection stands; nil when there is none.
    public func peer(_ id: PeerID) -> Peer? {
        swarm.peer(id).map { Peer($0, host: self) }
    }

    /// The peers with which a connection stands.
    public var peers: [Peer] { swarm.allPeers.map { Peer($0, host: self) } }

    // MARK: Streams

    /// Opens a stream to a peer and runs `body` with it. A peer that isn't connected is dialled where ``peerStore``
    /// knows it to be, unless `SwarmConfiguration.dialing` says otherwise.
    ///
    /// When `body` returns, the write side ends and what the peer still sends is dropped; when it throws, the stream is
    /// reset. With one protocol, or when identify told which the peer has, the first bytes go out with the
    /// negotiation: no round trip is added.
    ///
    /// - Parameters:
    ///   - protocols: what to ask for, best first.
    ///   - connection: where to open it, and then it stays there unless ``Peer/migrate(_:to:)`` or the peer moves it; the
    ///     best connection when nil.
    ///   - isMigratable: whether the stream is labelled, if the peer supports it (SM-L5).
    ///   - allowsLimited: whether it may be opened on a connection whose relay bounds its bytes and its life, although it
    ///     can't leave that for a better one. A stream that can needs no permission.
    public func withStream<Value: Sendable>(
        to peer: PeerID, _ protocols: [ProtocolID], on connection: Connection? = nil, isMigratable: Bool = true,
        allowsLimited: Bool = false, isolation: isolated (any Actor)? = #isolation,
        _ body: (Stream) async throws -> Value
    ) async throws -> Value {
        let stream = try await open(
            to: peer, protocols, on: connection, isMigratable: isMigratable, allowsLimited: allowsLimited)
        do {
            let value = try await body(stream)
            stream.close()
            return value
        } catch {
            stream.reset()
            throw error
        }
    }

    /// Opens a stream whose end is the caller's business: it has to be closed or reset.
    public func open(
        to peer: PeerID, _ protocols: [ProtocolID], on connection: Connection? = nil, isMigratable: Bool = true,
        allowsLimited: Bool = false
    ) async throws -> Stream {
        guard !protocols.isEmpty else { throw HostError.noProtocol }
        let (state, best) = try await connectedPeer(peer, mayDial: connection == nil)
        guard let driver = connection?.driver ?? best else { throw HostError.notConnected(peer) }
        guard state.hasConnection(driver) else { throw HostError.connectionClosed(driver.id) }
        guard
            swarm.mayOpenStream(
                for: protocols, to: state, on: driver, isMigratable: isMigratable, allowsLimited: allowsLimited)
        else { throw HostError.limitedConnection(peer) }
        let stream = swarm.openStream(
            to: state, for: state.preferred(protocols), on: driver, isMigratable: isMigratable,
            isPlaceChosen: connection != nil)
        _ = try await stream.negotiated()
        return Stream(stream)
    }

    private func connectedPeer(
        _ peer: PeerID, mayDial: Bool
    ) async throws -> (state: PeerState, best: ConnectionDriver?) {
        let state = swarm.peer(peer)
        let best = state?.usableConnections.first
        if let state, !mayDial || best != nil { return (state, best) }
        guard mayDial, configuration.swarm.dialing.isOpeningStreams else { throw HostError.notConnected(peer) }
        let connected = try await connect(to: peer).state
        return (connected, connected.usableConnections.first)
    }

    /// What happens, from now on. A slow observer loses the oldest events first.
    public func events() -> AsyncStream<SwarmEvent> {
        observers.add()
    }
}

/// Runs a host for the time of `body`: its tasks are children of this call, and when it returns every connection is
/// closed.
public func withHost<Value: Sendable>(
    identity: PrivateKey, configuration: HostConfiguration = HostConfiguration(),
    isolation: isolated (any Actor)? = #isolation, _ body: (Host) async throws -> Value
) async throws -> Value {
    let host = try Host(identity: identity, configuration: configuration)
    try await host.start()
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await host.serve() }
        do {
            let value = try await body(host)
            await host.shutdown()
            return value
        } catch {
            group.cancelAll()
            await host.shutdown()
            throw error
        }
    }
}
