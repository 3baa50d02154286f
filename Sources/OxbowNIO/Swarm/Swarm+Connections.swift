import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowProtocols
import OxbowSecurity
import OxbowSwarm
import Synchronization

extension Swarm: ConnectionOwner {
    func connection(_ connection: ConnectionDriver, opened peer: AuthenticatedPeer) throws(ConnectionError) {
        guard peer.peer != localPeer else { throw .refused("it leads to this host itself") }
        let labelStart: UInt64
        do { labelStart = try self.labelStart() } catch { throw .refused("no randomness: \(error)") }
        do throws(ResourceRefusal) {
            try ledger.authenticated(connection, as: peer.peer)
        } catch { throw .overLimit(error) }
        let opened: Result<PeerState, ConnectionError> = state.withLock { state in
            guard !state.isClosed else { return .failure(.closedLocally) }
            let peerState =
                state.peers[peer.peer]
                ?? PeerState(
                    peer, swarm: self, isLowerPeer: localPeer < peer.peer, labelStart: labelStart,
                    configuration: configuration.migration, policy: configuration.policy)
            peerState.state.withLock { inner in
                inner.connections.append(connection)
                inner.paths.set.opened(
                    connection.facts(isLowerPeer: localPeer < peer.peer), at: Instant(connection.eventLoop.now))
                inner.identifying.insert(connection.id)
            }
            state.peers[peer.peer] = peerState
            return .success(peerState)
        }
        let peerState = try opened.get()
        let waiter = state.withLock { $0.openWaiters.removeValue(forKey: connection.id) }
        configuration.meter?.connectionsChanged(by: 1)
        eventSink(.connectionOpened(peer: peer.peer, path: connection.path))
        changePaths(of: peerState, on: connection.eventLoop)
        for component in components { component.connectionOpened(connection, with: peerState, in: self) }
        identify(peerState, on: connection)
        waiter?(.success(connection))
    }

    func connection(_ connection: ConnectionDriver, closed error: ConnectionError) {
        ledger.close(connection.id)
        let (waiter, drained) = state.withLock { state in
            guard state.connections.removeValue(forKey: connection.id) != nil else {
                return (state.openWaiters.removeValue(forKey: connection.id), [] as [@Sendable () -> Void])
            }
            var drained: [@Sendable () -> Void] = []
            if state.connections.isEmpty { swap(&drained, &state.drainWaiters) }
            return (state.openWaiters.removeValue(forKey: connection.id), drained)
        }
        if let peer = peer(of: connection), remove(connection, from: peer) {
            configuration.meter?.connectionsChanged(by: -1)
            changePaths(of: peer, on: connection.eventLoop)
            for component in components { component.connectionClosed(connection, with: peer, in: self) }
            eventSink(.connectionClosed(peer: peer.id, path: connection.path, error: error))
        } else if connection.role == .listener, waiter == nil {
            eventSink(.inboundFailed(path: connection.path, error: error))
        }
        waiter?(.failure(error))
        for resume in drained { resume() }
    }

    /// - Returns: whether the connection had stood.
    private func remove(_ connection: ConnectionDriver, from peer: PeerState) -> Bool {
        state.withLock { state in
            let (stood, isLast, waiters) = peer.state.withLock { inner in
                let index = inner.connections.firstIndex { $0 === connection }
                if let index { inner.connections.remove(at: index) }
                inner.paths.set.closed(connection.id.rawValue, at: Instant(connection.eventLoop.now))
                inner.identifying.remove(connection.id)
                var waiters: [@Sendable () -> Void] = []
                swap(&waiters, &inner.identifyWaiters)
                return (index != nil, inner.connections.isEmpty, waiters)
            }
            if isLast, state.peers[peer.id] === peer { state.peers[peer.id] = nil }
            for resume in waiters { connection.eventLoop.execute { resume() } }
            return stood
        }
    }

    func connection(_ connection: ConnectionDriver, measured roundTrip: Duration) {
        guard let peer = peer(of: connection) else { return }
        let id = connection.id.rawValue
        changePaths(of: peer, on: connection.eventLoop) { $0.measured(id, roundTrip: roundTrip, at: $1) }
        // A Migrate may wait for this sign of life.
        peer.judgeHeldAgain()
        // It is measured now and then as long as the connection stands: a good time to look after its streams.
        peer.meterStreams()
        for component in components { component.measured(roundTrip, of: connection, with: peer, in: self) }
    }

    func connectionRetiredByPeer(_ connection: ConnectionDriver) {
        guard let peer = peer(of: connection) else { return }
        let id = connection.id.rawValue
        changePaths(of: peer, on: connection.eventLoop) { $0.peerRetired(id, at: $1) }
    }

    // MARK: Inbound streams

    var isMigrationEnabled: Bool { configuration.isMigrationEnabled }

    func supports(_ id: ProtocolID) -> Bool {
        state.withLock { $0.handlers[id] != nil }
    }

    func makeInboundStream(
        _ id: ProtocolID, label: UInt64?, on connection: ConnectionDriver
    ) -> LogicalStream? {
        guard let peer = peer(of: connection) else { return nil }
        let key = StreamKey(rawValue: UniqueNumber.next())
        let stream: LogicalStream? = peer.state.withLock { state in
            var usable = label
            if let label {
                switch state.table.register(label, for: key) {
                case .registered:
                    // SM-L5: whoever labelled it, this stream stays; a Migrate that names it is denied at once.
                    guard !configuration.mayMigrate(id) else { break }
                    state.table.finish(label)
                    usable = nil
                case .wrongParity: usable = nil
                case .duplicate, .full: return nil
                }
            }
            let machine = MigrationMachine(
                id: usable, isLowerPeer: state.table.isLowerPeer, isNegotiated: true,
                configuration: migrationConfiguration)
            let stream = LogicalStream(
                key: key, candidates: [id], peer: peer.id, isOutbound: false, machine: machine,
                isPlaceChosen: false, limits: streamLimits(for: [id]), observer: peer)
            state.streams[key] = stream
            return stream
        }
        if stream != nil { configuration.meter?.streamsChanged(by: 1) }
        return stream
    }

    func startInboundStream(_ stream: LogicalStream, on connection: ConnectionDriver) {
        // A Migrate may have come before the label that it names (SM-F6).
        peer(of: connection)?.judgeHeldAgain()
        guard let id = stream.protocolID, let handler = state.withLock({ $0.handlers[id] }) else {
            return stream.reset(code: YamuxResetCode.shutdown)
        }
        handler(stream, connection)
        if let peer = peer(of: connection) { placed(stream, on: connection, of: peer) }
    }

    func peerRefusesMigration(on connection: ConnectionDriver) {
        peer(of: connection)?.state.withLock { $0.dialect = nil }
    }
}
