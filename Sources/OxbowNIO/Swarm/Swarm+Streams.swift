import NIOCore
package import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowProtocols
import OxbowSecurity
import OxbowWire
import Synchronization

extension Swarm {
    // MARK: Opening

    /// Opens a stream on a connection. It can be written at once when there is one candidate; the error of an open that
    /// fails is the stream's.
    ///
    /// - Parameter isPlaceChosen: whether the connection was chosen for this stream: then it isn't opened or moved
    ///   elsewhere by policy.
    package func openStream(
        to peer: PeerState, for candidates: [ProtocolID], on connection: ConnectionDriver, isMigratable: Bool = true,
        isPlaceChosen: Bool = true
    ) -> LogicalStream {
        let key = StreamKey(rawValue: UniqueNumber.next())
        let (stream, negotiation) = peer.state.withLock { state in
            var label: UInt64?
            // SM-L1: only when identify says so. SM-L5: and nobody opted out.
            let mayLabel =
                isMigratable && state.dialect != nil && candidates.allSatisfy(configuration.mayMigrate)
            if mayLabel { label = try? state.table.assign(to: key) }
            let machine = MigrationMachine(
                id: label, isLowerPeer: state.table.isLowerPeer, isNegotiated: false,
                configuration: migrationConfiguration)
            let stream = LogicalStream(
                key: key, candidates: candidates, peer: peer.id, isOutbound: true, machine: machine,
                isPlaceChosen: isPlaceChosen, limits: streamLimits(for: candidates), observer: peer)
            state.streams[key] = stream
            let intent: OutboundStreamNegotiation.Intent =
                label.map { .labelled(id: $0, protocols: candidates) } ?? .plain(protocols: candidates)
            return (stream, OutboundStreamNegotiation(intent, dialect: state.dialect ?? .draft))
        }
        configuration.meter?.streamsChanged(by: 1)
        begin(stream, negotiation, on: connection, of: peer)
        return stream
    }

    private func begin(
        _ stream: LogicalStream, _ negotiation: OutboundStreamNegotiation, on connection: ConnectionDriver,
        of peer: PeerState
    ) {
        let token = LegToken(rawValue: UniqueNumber.next())
        connection.onLoop { [self] connection in
            connection.open(stream, .source, token: token, negotiation: negotiation) {
                stream.bindSource(token, carrier: connection)
                return true
            }
            if !stream.isPlaceChosen { placed(stream, on: connection, of: peer) }
        }
    }

    func openElsewhere(
        _ stream: LogicalStream, _ negotiation: OutboundStreamNegotiation, than connection: ConnectionDriver
    ) -> Bool {
        guard !stream.isPlaceChosen, let peer = peer(stream.peer),
            let other = peer.usableConnections.first(where: { $0 !== connection })
        else { return false }
        begin(stream, negotiation, on: other, of: peer)
        return true
    }

    // MARK: Migrating

    /// Moves a live stream to `connection`. `completion` gets the record when this side's hand-off is complete, or why
    /// it didn't happen; the stream is unharmed then, unless its own error says otherwise.
    ///
    /// A stream whose own negotiation is not answered yet is waited for, at most for
    /// ``ConnectionLimits/negotiationTimeout``.
    ///
    /// - Parameters:
    ///   - ticket: names the wait for ``cancelMigration(of:ticket:)``.
    ///   - isChosen: whether the application wants the stream there: then the policy leaves it there.
    package func migrate(
        _ stream: LogicalStream, to connection: ConnectionDriver, ticket: UInt64 = UniqueNumber.next(),
        isChosen: Bool = true,
        completion: @escaping @Sendable (Result<MigrationRecord, any Error>) -> Void
    ) {
        if isChosen { stream.choosePlace() }
        guard stream.awaitsAnswer else { return migrateNow(stream, to: connection, completion) }
        let timeout = TimeAmount.nanoseconds(configuration.connection.negotiationTimeout.saturatingNanoseconds)
        let timer = connection.eventLoop.scheduleTask(in: timeout) { stream.endAnswerWait(ticket, .timedOut) }
        let waiter = AnswerWaiter(ticket: ticket) { [self] outcome in
            timer.cancel()
            switch outcome {
            case .over: migrateNow(stream, to: connection, completion)
            case .timedOut: completion(.failure(MigrationRefusal.notNegotiated))
            case .cancelled: completion(.failure(CancellationError()))
            }
        }
        if !stream.add(waiter) { waiter.resume(.over) }
    }

    /// Ends the wait of a migration that has not begun, if it still waits.
    package func cancelMigration(of stream: LogicalStream, ticket: UInt64) {
        stream.endAnswerWait(ticket, .cancelled)
    }

    private func migrateNow(
        _ stream: LogicalStream, to connection: ConnectionDriver,
        _ completion: @escaping @Sendable (Result<MigrationRecord, any Error>) -> Void
    ) {
        guard let peer = stream.observer as? PeerState, connection.peer?.peer == stream.peer else {
            return completion(.failure(MigrationRefusal.ended))
        }
        let assigned: Result<(id: UInt64, dialect: MigrationDialect), MigrationRefusal> = peer.state.withLock { state in
            let limit = configuration.migration.maximumConcurrent
            guard let dialect = state.dialect else { return .failure(.notLabelled) }
            guard state.table.beginMigration() else { return .failure(.tooMany(limit: limit)) }
            do throws(MigrationRefusal) {
                return .success((try state.table.assign(to: stream.key), dialect))
            } catch {
                state.table.endMigration()
                return .failure(error)
            }
        }
        connection.onLoop { [self] connection in
            do throws(MigrationRefusal) {
                let (id, dialect) = try assigned.get()
                begin(stream, target: id, dialect: dialect, on: connection, of: peer, completion)
            } catch {
                completion(.failure(error))
            }
        }
    }

    private func begin(
        _ stream: LogicalStream, target id: UInt64, dialect: MigrationDialect, on connection: ConnectionDriver,
        of peer: PeerState, _ completion: @escaping @Sendable (Result<MigrationRecord, any Error>) -> Void
    ) {
        let now = connection.now
        switch stream.begin(target: id, on: connection, waiter: MigrationWaiter(resume: completion), at: now) {
        case .failure(let refusal):
            peer.state.withLock { state in
                state.table.forget(id)
                state.table.endMigration()
            }
            completion(.failure(refusal))
        case .success(let from):
            watch(stream, on: connection.eventLoop)
            let token = LegToken(rawValue: UniqueNumber.next())
            let negotiation = OutboundStreamNegotiation(.target(id: id, from: from), dialect: dialect)
            connection.open(stream, .target(id), token: token, negotiation: negotiation) {
                stream.bindTarget(token, carrier: connection, id: id, at: now)
            }
        }
    }

    /// Keeps the deadlines of a stream's migration (SM-F8). One timer runs as long as there is one.
    func watch(_ stream: LogicalStream, on loop: any EventLoop) {
        guard let deadline = stream.nextWatch() else { return }
        let timer = loop.scheduleTask(deadline: NIODeadline(deadline)) { [self] in
            stream.tick(at: Instant(loop.now))
            watch(stream, on: loop)
        }
        stream.keepWatch(timer, until: deadline)
    }
}
