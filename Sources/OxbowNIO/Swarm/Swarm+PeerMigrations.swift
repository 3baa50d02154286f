import NIOCore
import OxbowCore
import OxbowMigration
import OxbowSwarm
import Synchronization

// The peers' migrations: each Migrate is judged, and ends in one record.

extension Swarm {
    func judge(_ migrate: PeerMigrate, on connection: ConnectionDriver) -> PeerMigrateVerdict {
        guard let peer = peer(of: connection) else { return .reset }
        switch lookUp(migrate, in: peer) {
        case .verdict(let verdict):
            if migrate.isRepeated { peer.takeHeld(migrate.token.rawValue) }
            report(migrate, verdict, on: connection, of: peer)
            return verdict.answer
        case .hold(let deadline):
            return hold(migrate, until: deadline, on: connection, of: peer)
        case .stream(let stream):
            if let verdict = judgePath(migrate, of: stream, to: connection, of: peer) { return verdict }
            let judgement = stream.judge(
                from: migrate.from, target: migrate.id, token: migrate.token, carrier: connection,
                arrived: migrate.arrived, at: migrate.at)
            if judgement != .accept { withdraw(migrate, of: peer) }
            if judgement == .hold { return hold(migrate, until: nil, on: connection, of: peer) }
            if migrate.isRepeated { peer.takeHeld(migrate.token.rawValue) }
            guard judgement == .accept else { return .denied }
            return .accepted(stream)
        }
    }

    private func withdraw(_ migrate: PeerMigrate, of peer: PeerState) {
        peer.state.withLock { state in
            state.table.forget(migrate.id)
            state.table.endMigration()
        }
    }

    /// Refuses a move to a worse kind of connection as long as the better one answers.
    ///
    /// - Returns: nil when nothing speaks against the move.
    private func judgePath(
        _ migrate: PeerMigrate, of stream: LogicalStream, to connection: ConnectionDriver, of peer: PeerState
    ) -> PeerMigrateVerdict? {
        guard let source = stream.place?.connection, source != connection.id else { return nil }
        let (verdict, current) = peer.state.withLock { state in
            let verdict = state.paths.set.judgeMove(
                from: source.rawValue, to: connection.id.rawValue, since: migrate.arrived, at: migrate.at)
            return (verdict, state.connection(source.rawValue))
        }
        switch verdict {
        case .accept:
            return nil
        case .deny:
            withdraw(migrate, of: peer)
            if migrate.isRepeated { peer.takeHeld(migrate.token.rawValue) }
            report(migrate, .denied, on: connection, of: peer)
            return .denied
        case .wait(let limit):
            withdraw(migrate, of: peer)
            if !migrate.isRepeated {
                current?.onLoop { _ = $0.probe() }
                let ticket = migrate.token.rawValue
                let held = HeldMigrate(ticket: ticket, id: migrate.id, from: migrate.from, deadline: nil)
                connection.eventLoop.scheduleTask(deadline: NIODeadline(limit)) { [weak connection] in
                    connection?.onLoop { $0.judgeAgain(held) }
                }
            }
            return hold(migrate, until: nil, on: connection, of: peer)
        }
    }

    private enum MigrateLookup {
        case verdict(Refusal)
        case hold(until: Instant?)
        /// The target's id is registered for it and the migration counted.
        case stream(LogicalStream)
    }

    /// A Migrate that no stream is asked about.
    private enum Refusal {
        case denied
        case reset

        var answer: PeerMigrateVerdict {
            switch self {
            case .denied: .denied
            case .reset: .reset
            }
        }
    }

    private func report(
        _ migrate: PeerMigrate, _ refusal: Refusal, on connection: ConnectionDriver, of peer: PeerState
    ) {
        let held = HeldMigrate(
            ticket: migrate.token.rawValue, id: migrate.id, from: migrate.from, deadline: nil)
        let outcome: MigrationOutcome =
            switch refusal {
            case .denied: .denied
            case .reset: .failed(.refused)
            }
        report(held, HeldPlace(connection: connection, arrived: migrate.arrived), outcome, of: peer, at: migrate.at)
    }

    /// Tells of a Migrate that belongs to no stream of this side.
    func report(
        _ migrate: HeldMigrate, _ place: HeldPlace, _ outcome: MigrationOutcome, of peer: PeerState, at now: Instant
    ) {
        var record = MigrationRecord()
        (record.role, record.outcome) = (.responder, outcome)
        (record.fromID, record.toID, record.to) = (migrate.from, migrate.id, place.connection.path)
        (record.started, record.ended) = (place.arrived, now)
        if outcome == .denied { record.timeToAnswer = now - place.arrived }
        report(record, of: nil, with: peer.id)
    }

    /// Tells of a migration that is over.
    func report(_ record: MigrationRecord, of protocolID: ProtocolID?, with peer: PeerID) {
        configuration.meter?.migrationEnded(record)
        if record.isCompleted {
            eventSink(.streamMigrated(peer: peer, protocolID: protocolID, record: record))
        } else {
            eventSink(.streamNotMigrated(peer: peer, protocolID: protocolID, record: record))
        }
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
            state.heldOn[ticket] = HeldPlace(connection: connection, arrived: migrate.arrived)
            return true
        }
        guard isHeld || migrate.isRepeated else {
            report(migrate, .reset, on: connection, of: peer)
            return .reset
        }
        if !migrate.isRepeated {
            // On another thread, what it waits for may have happened between the judgement and this entry: look once more.
            let held = HeldMigrate(ticket: ticket, id: migrate.id, from: migrate.from, deadline: deadline)
            connection.onLoop { $0.judgeAgain(held) }
        }
        // A live stream's own deadlines bound the wait for it; this one bounds the wait for an unknown one.
        if isHeld, let deadline {
            connection.eventLoop.scheduleTask(deadline: NIODeadline(deadline)) { [self] in
                guard let (held, place) = peer.takeExpired(ticket) else { return }
                report(held, place, .failed(.unknownStream), of: peer, at: connection.now)
                connection.onLoop { $0.heldTimedOut(held) }
            }
        }
        return .held
    }

    func forgetHeld(_ token: LegToken, because cause: StreamError, on connection: ConnectionDriver) {
        guard let peer = peer(of: connection), let (held, place) = peer.takeHeld(token.rawValue) else { return }
        report(held, place, .failed(.targetLost(cause)), of: peer, at: connection.now)
    }
}
