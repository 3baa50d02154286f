import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowProtocols
import OxbowSecurity
import Synchronization

extension Swarm: ConnectionOwner {
    func connection(_ connection: ConnectionDriver, opened peer: AuthenticatedPeer) throws(ConnectionError) {
        guard peer.peer != localPeer else { throw .refused("it leads to this host itself") }
        let labelStart: UInt64
        do { labelStart = try self.labelStart() } catch { throw .refused("no randomness: \(error)") }
        let opened: Result<PeerState, ConnectionError> = state.withLock { state in
            guard !state.isClosed else { return .failure(.closedLocally) }
            let peerState =
                state.peers[peer.peer]
                ?? PeerState(
                    peer, swarm: self, isLowerPeer: localPeer < peer.peer, labelStart: labelStart,
                    configuration: configuration.migration)
            let limit = configuration.limits.connectionsPerPeer
            let fits = peerState.state.withLock { inner in
                guard inner.connections.count < limit else { return false }
                inner.connections.append(connection)
                inner.identifying.insert(connection.id)
                return true
            }
            guard fits else {
                return .failure(.refused("\(limit) connections with the peer stand, which is the limit"))
            }
            state.peers[peer.peer] = peerState
            return .success(peerState)
        }
        let peerState = try opened.get()
        let waiter = state.withLock { $0.openWaiters.removeValue(forKey: connection.id) }
        eventSink(.connectionOpened(peer: peer.peer, path: connection.path))
        identify(peerState, on: connection)
        waiter?(.success(connection))
    }

    func connection(_ connection: ConnectionDriver, closed error: ConnectionError) {
        let (waiter, drained) = state.withLock { state in
            guard state.connections.removeValue(forKey: connection.id) != nil else {
                return (state.openWaiters.removeValue(forKey: connection.id), [] as [@Sendable () -> Void])
            }
            if connection.role == .listener { state.inboundCount -= 1 }
            var drained: [@Sendable () -> Void] = []
            if state.connections.isEmpty { swap(&drained, &state.drainWaiters) }
            return (state.openWaiters.removeValue(forKey: connection.id), drained)
        }
        if let peer = peer(of: connection), remove(connection, from: peer) {
            eventSink(.connectionClosed(peer: peer.id, path: connection.path, error: error))
        } else if connection.role == .listener {
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
                inner.roundTrips[connection.id] = nil
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
        peer(of: connection)?.state.withLock { $0.roundTrips[connection.id] = roundTrip }
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
        return peer.state.withLock { state in
            var usable = label
            if let label {
                switch state.table.register(label, for: key) {
                case .registered:
                    // SM-L5: whoever labelled it, this stream stays; a Migrate that names it is denied at once.
                    guard configuration.unmigratableProtocols.contains(id) else { break }
                    state.table.finish(label)
                    usable = nil
                case .wrongParity: usable = nil
                case .duplicate, .full: return nil
                }
            }
            let machine = MigrationMachine(
                id: usable, isLowerPeer: state.table.isLowerPeer, isNegotiated: true,
                configuration: configuration.migration)
            let stream = LogicalStream(
                key: key, candidates: [id], peer: peer.id, isOutbound: false, machine: machine,
                limits: configuration.stream, observer: peer)
            state.streams[key] = stream
            return stream
        }
    }

    func startInboundStream(_ stream: LogicalStream, on connection: ConnectionDriver) {
        // A Migrate may have come before the label that it names (SM-F6).
        peer(of: connection)?.judgeHeldAgain()
        guard let id = stream.protocolID, let handler = state.withLock({ $0.handlers[id] }) else {
            return stream.reset(code: YamuxResetCode.shutdown)
        }
        handler(stream, connection)
    }

    func peerRefusesMigration(on connection: ConnectionDriver) {
        peer(of: connection)?.state.withLock { $0.dialect = nil }
    }

    // MARK: Inbound migrations

    func judge(_ migrate: PeerMigrate, on connection: ConnectionDriver) -> PeerMigrateVerdict {
        guard let peer = peer(of: connection) else { return .reset }
        switch lookUp(migrate, in: peer) {
        case .verdict(let verdict):
            if migrate.isRepeated, case .held = verdict { return .held }
            if migrate.isRepeated { peer.takeHeld(migrate.token.rawValue) }
            return verdict
        case .hold(let deadline):
            return hold(migrate, until: deadline, on: connection, of: peer)
        case .stream(let stream):
            let judgement = stream.judge(
                from: migrate.from, target: migrate.id, token: migrate.token, carrier: connection, at: migrate.at)
            if judgement != .accept {
                peer.state.withLock { state in
                    state.table.forget(migrate.id)
                    state.table.endMigration()
                }
            }
            if judgement == .hold { return hold(migrate, until: nil, on: connection, of: peer) }
            if migrate.isRepeated { peer.takeHeld(migrate.token.rawValue) }
            guard judgement == .accept else { return .denied }
            return .accepted(stream)
        }
    }

    private enum MigrateLookup {
        case verdict(PeerMigrateVerdict)
        case hold(until: Instant?)
        /// The target's id is registered for it and the migration counted.
        case stream(LogicalStream)
    }

    /// What the tables say of a Migrate (SM-L2 to SM-L4, SM-F6, SM-F10).
    private func lookUp(_ migrate: PeerMigrate, in peer: PeerState) -> MigrateLookup {
        peer.state.withLock { state in
            guard migrate.id != migrate.from else { return .verdict(.denied) }
            switch state.table.lookup(from: migrate.from) {
            case .finished:
                return .verdict(.denied)
            case .unknown:
                return .hold(until: migrate.at + configuration.migration.unknownFromTimeout)
            case .live(let key):
                guard let stream = state.streams[key] else { return .verdict(.denied) }
                switch state.table.register(migrate.id, for: key) {
                case .registered: break
                case .wrongParity: return .verdict(.denied)
                case .duplicate, .full: return .verdict(.reset)
                }
                guard state.table.beginMigration() else {
                    state.table.forget(migrate.id)
                    return .verdict(.reset)
                }
                return .stream(stream)
            }
        }
    }

    private func hold(
        _ migrate: PeerMigrate, until deadline: Instant?, on connection: ConnectionDriver, of peer: PeerState
    ) -> PeerMigrateVerdict {
        let ticket = migrate.token.rawValue
        let isHeld = peer.state.withLock { state in
            // A live stream that it waited for may be gone: from then on the wait has an end.
            guard !migrate.isRepeated else { return state.table.limitHeld(ticket, until: deadline) }
            let held = HeldMigrate(ticket: ticket, id: migrate.id, from: migrate.from, deadline: deadline)
            guard state.table.hold(held) else { return false }
            state.heldOn[ticket] = connection
            return true
        }
        guard isHeld || migrate.isRepeated else { return .reset }
        if !migrate.isRepeated {
            // On another thread, what it waits for may have happened between the judgement and this entry: look once more.
            let held = HeldMigrate(ticket: ticket, id: migrate.id, from: migrate.from, deadline: deadline)
            connection.onLoop { $0.judgeAgain(held) }
        }
        // A live stream's own deadlines bound the wait for it; this one bounds the wait for an unknown one.
        if isHeld, let deadline {
            connection.eventLoop.scheduleTask(deadline: NIODeadline(deadline)) {
                guard let held = peer.takeExpired(ticket) else { return }
                connection.onLoop { $0.heldTimedOut(held) }
            }
        }
        return .held
    }

    func forgetHeld(_ token: LegToken, on connection: ConnectionDriver) {
        peer(of: connection)?.takeHeld(token.rawValue)
    }
}
