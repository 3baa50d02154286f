package import OxbowCore
import OxbowMigration
package import OxbowProtocols
import OxbowSecurity
import OxbowSwarm
import OxbowWire
import Synchronization

/// What a swarm knows of one connected peer: its connections, the streams with it and their labels. Any thread.
///
/// It lives from the peer's first connection to the end of its last; a stream keeps the one that it began with.
package final class PeerState: Sendable {
    let peer: AuthenticatedPeer
    let swarm: Swarm
    let state: Mutex<State>

    struct State {
        var table: LabelTable
        var streams: [StreamKey: LogicalStream] = [:]
        /// In the order in which they opened.
        var connections: [ConnectionDriver] = []
        /// On which connection each held Migrate waits.
        var heldOn: [UInt64: HeldPlace] = [:]
        var info: IdentifyInfo?
        var dialect: MigrationDialect?
        /// How many identify pushes the peer may still send.
        var pushes = TokenBucket.identifyPush
        /// Connections on which identify has not ended.
        var identifying: Set<ConnectionID> = []
        var identifyWaiters: [@Sendable () -> Void] = []
        var paths: PeerPaths
    }

    init(
        _ peer: AuthenticatedPeer, swarm: Swarm, isLowerPeer: Bool, labelStart: UInt64,
        configuration: MigrationConfiguration, policy: ConnectionPolicy
    ) {
        self.peer = peer
        self.swarm = swarm
        state = Mutex(
            State(
                table: LabelTable(isLowerPeer: isLowerPeer, start: labelStart, configuration: configuration),
                paths: PeerPaths(isLowerPeer: isLowerPeer, policy: policy)))
    }

    package var id: PeerID { peer.peer }

    /// The connections that take new streams, best first.
    package var usableConnections: [ConnectionDriver] {
        state.withLock { state in
            let order = state.paths.set.usable
            // A connection that has just begun to end may not have told yet.
            return order.compactMap { state.connection($0) }.filter(\.isUsable)
        }
    }

    /// Whether `connection` is one with this peer and stands.
    package func hasConnection(_ connection: ConnectionDriver) -> Bool {
        connection.isUsable && state.withLock { state in state.connections.contains { $0 === connection } }
    }

    /// What a byte takes there and back on a connection, as it was measured last.
    package func roundTrip(of connection: ConnectionID) -> Duration? {
        state.withLock { $0.paths.set.roundTrip(connection.rawValue) }
    }

    package var info: IdentifyInfo? { state.withLock { $0.info } }
    package var supportsMigration: Bool { state.withLock { $0.dialect != nil } }
    /// The oldest first.
    package var liveStreams: [LogicalStream] {
        state.withLock { $0.streams.values.sorted { $0.key.rawValue < $1.key.rawValue } }
    }

    /// Of several protocols the first that identify named, alone, so that its negotiation needs no round trip; all of
    /// them when identify named none.
    package func preferred(_ protocols: [ProtocolID]) -> [ProtocolID] {
        let known = state.withLock { $0.info?.protocols } ?? []
        return protocols.first { known.contains($0) }.map { [$0] } ?? protocols
    }

    /// Waits until identify has ended on a connection, one way or the other.
    package func identified(_ id: ConnectionID) async {
        while true {
            let isOver = await withUnsafeContinuation { (continuation: UnsafeContinuation<Bool, Never>) in
                let isOver = state.withLock { state in
                    guard state.identifying.contains(id) else { return true }
                    state.identifyWaiters.append { continuation.resume(returning: false) }
                    return false
                }
                if isOver { continuation.resume(returning: true) }
            }
            if isOver { return }
        }
    }

    /// Lets every held Migrate be judged again: something has changed (SM-F5).
    func judgeHeldAgain() {
        let held = state.withLock { state in
            state.table.held.compactMap { held in state.heldOn[held.ticket].map { (held, $0.connection) } }
        }
        for (held, connection) in held { connection.onLoop { $0.judgeAgain(held) } }
    }

    /// Takes a held Migrate out of the table whose time is over, unless the stream that it names is known by now: then
    /// it waits for that one's own progress.
    func takeExpired(_ ticket: UInt64) -> (HeldMigrate, HeldPlace)? {
        state.withLock { state in
            guard let held = state.table.held.first(where: { $0.ticket == ticket }) else { return nil }
            if case .live = state.table.lookup(from: held.from) {
                state.table.unlimitHeld(ticket)
                return nil
            }
            return state.takeHeld(ticket)
        }
    }

    /// Takes a held Migrate out of the table.
    @discardableResult
    func takeHeld(_ ticket: UInt64) -> (HeldMigrate, HeldPlace)? {
        state.withLock { $0.takeHeld(ticket) }
    }
}

extension PeerState.State {
    fileprivate mutating func takeHeld(_ ticket: UInt64) -> (HeldMigrate, HeldPlace)? {
        let place = heldOn.removeValue(forKey: ticket)
        guard let held = table.release(where: { $0.ticket == ticket }).first, let place else { return nil }
        return (held, place)
    }
}

/// On which connection a held Migrate waits, and since when.
struct HeldPlace {
    let connection: ConnectionDriver
    let arrived: Instant
}

extension PeerState: LogicalStreamObserver {
    func stream(_ stream: LogicalStream, did event: LogicalStreamEvent) {
        switch event {
        case .negotiated:
            // A Migrate may have come before this side's answer (SM-F5).
            break
        case .caughtUp:
            // Or while there was no room for a further leg.
            break
        case .deadlineSet(let loop):
            swarm.watch(stream, on: loop)
        case .labelRefused(let id):
            state.withLock { $0.table.forget(id) }
        case .attemptEnded(_, let target):
            state.withLock { state in
                state.table.forget(target)
                state.table.endMigration()
            }
        case .migrated(let was):
            state.withLock { state in
                state.table.finish(was)
                state.table.endMigration()
            }
        case .migrationEnded(let record):
            meter(stream)
            learn(from: record, of: stream)
            return swarm.report(record, of: stream.protocolID, with: id)
        case .gapMeasured(let gap):
            swarm.configuration.meter?.gapMeasured(gap)
            return
        case .ended(_, let ids, let migrations):
            let wasKnown = state.withLock { state in
                for id in ids { state.table.finish(id) }
                for _ in 0..<migrations { state.table.endMigration() }
                return state.streams.removeValue(forKey: stream.key) != nil
            }
            meter(stream)
            if wasKnown { swarm.configuration.meter?.streamsChanged(by: -1) }
        }
        judgeHeldAgain()
    }

    /// Where the peer moves streams to shows what it prefers.
    private func learn(from record: MigrationRecord, of stream: LogicalStream) {
        guard record.role == .responder, record.isCompleted, let (from, to) = record.connections else { return }
        let loop = state.withLock { $0.connections.first?.eventLoop }
        guard let loop else { return }
        var isWish = false
        swarm.changePaths(of: self, on: loop) { isWish = $0.peerMoved(from: from.rawValue, to: to.rawValue, at: $1) }
        if isWish { stream.choosePlace() }
    }

    /// Lets the metrics count what the stream has carried since the last time.
    private func meter(_ stream: LogicalStream) {
        guard let meter = swarm.configuration.meter else { return }
        let (read, written) = stream.takeUnmeteredBytes()
        meter.carried(read: read, written: written)
    }

    /// Lets the metrics count what all streams have carried since the last time.
    func meterStreams() {
        guard swarm.configuration.meter != nil else { return }
        for stream in liveStreams { meter(stream) }
    }
}
