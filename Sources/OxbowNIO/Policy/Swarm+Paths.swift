import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowSwarm
import Synchronization

// Where a peer's streams live: carries out what the set of its connections decides.

/// What the choice of connections keeps for one peer, behind the peer's lock.
struct PeerPaths {
    var set: ConnectionSet
    var mover: StreamMover
    /// From where to where streams moved when that was looked at last: only a change makes it worth to look at each stream.
    var moves: [ConnectionSet.ID: ConnectionSet.ID] = [:]
    var best: ConnectionSet.ID?
    var timer: (deadline: Instant, task: Scheduled<Void>)?
    /// A turn of ``Swarm/moveStreams(of:)`` is on its way.
    var isMoving = false

    init(isLowerPeer: Bool, policy: ConnectionPolicy) {
        set = ConnectionSet(isLowerPeer: isLowerPeer, policy: policy)
        mover = StreamMover(limit: policy.maximumConcurrentMoves)
    }

    /// Where streams of each connection should go now.
    fileprivate func currentMoves(_ connections: [ConnectionDriver], at now: Instant) -> [ConnectionSet.ID:
        ConnectionSet.ID]
    {
        var moves: [ConnectionSet.ID: ConnectionSet.ID] = [:]
        for connection in connections {
            let id = connection.id.rawValue
            if let target = set.destination(from: id, at: now) { moves[id] = target }
        }
        return moves
    }
}

extension Swarm {
    /// Lets something happen to the connections of a peer, and does what follows from it. On any event loop, without a
    /// lock.
    ///
    /// - Parameter loop: one whose time counts.
    func changePaths(
        of peer: PeerState, on loop: any EventLoop, _ change: (inout ConnectionSet, Instant) -> Void = { _, _ in }
    ) {
        let now = Instant(loop.now)
        let outcome = peer.state.withLock { state -> PathsOutcome in
            change(&state.paths.set, now)
            var outcome = PathsOutcome()
            for action in state.paths.set.tick(at: now) {
                guard let connection = state.connection(action.connection) else { continue }
                outcome.actions.append((action, connection))
            }
            let moves = state.paths.currentMoves(state.connections, at: now)
            outcome.hasNewMoves = moves != state.paths.moves && !moves.isEmpty
            state.paths.moves = moves
            if state.paths.set.best != state.paths.best {
                state.paths.best = state.paths.set.best
                outcome.newBest = .some(state.paths.best.flatMap(state.connection)?.path)
            }
            return outcome
        }
        for (action, connection) in outcome.actions { perform(action, on: connection, of: peer) }
        if let best = outcome.newBest { eventSink(.bestConnectionChanged(peer: peer.id, to: best)) }
        if outcome.hasNewMoves { queueMisplacedStreams(of: peer) }
        moveStreams(of: peer, on: loop)
        schedulePaths(of: peer, on: loop)
    }

    private struct PathsOutcome {
        var actions: [(ConnectionSetAction, ConnectionDriver)] = []
        var hasNewMoves = false
        var newBest: ConnectionPath??
    }

    private func perform(_ action: ConnectionSetAction, on connection: ConnectionDriver, of peer: PeerState) {
        connection.onLoop { [self] connection in
            let id = connection.id.rawValue
            switch action {
            case .retire:
                let streams = uses(of: connection, with: peer)
                var isSure = false
                changePaths(of: peer, on: connection.eventLoop) {
                    isSure = $0.retires(id, streams: streams, at: $1)
                }
                if isSure { connection.retire() }
            case .inspect:
                let streams = uses(of: connection, with: peer)
                changePaths(of: peer, on: connection.eventLoop) { $0.inspected(id, streams: streams, at: $1) }
            case .probe:
                guard let heard = connection.probe() else { return }
                changePaths(of: peer, on: connection.eventLoop) { $0.heard(id, at: heard, now: $1) }
            }
        }
    }

    /// Streams on a connection, and a reservation that would end with it.
    private func uses(of connection: ConnectionDriver, with peer: PeerState) -> Int {
        connection.underlyingStreams + (isHeldForRelaying(connection, of: peer.id) ? 1 : 0)
    }

    /// One timer per peer looks after what time brings.
    private func schedulePaths(of peer: PeerState, on loop: any EventLoop) {
        let now = Instant(loop.now)
        peer.state.withLock { state in
            let isOver = state.connections.isEmpty
            let deadline =
                isOver
                ? .distantFuture
                : min(
                    state.paths.set.nextDeadline(after: now), state.paths.mover.nextDeadline)
            if let timer = state.paths.timer {
                guard timer.deadline > deadline || isOver else { return }
                timer.task.cancel()
                state.paths.timer = nil
            }
            guard deadline < .distantFuture else { return }
            // Never at once: what follows from an event has been done already.
            let time = NIODeadline(max(deadline, now + .milliseconds(1)))
            let task = loop.scheduleTask(deadline: time) { [weak self] in
                peer.state.withLock { $0.paths.timer = nil }
                self?.changePaths(of: peer, on: loop)
            }
            state.paths.timer = (deadline, task)
        }
    }

    /// Keeps a connection that the application wants, though nothing may be on it.
    package func keep(_ connection: ConnectionDriver) {
        connection.onLoop { [self] connection in
            guard let peer = peer(of: connection) else { return }
            let id = connection.id.rawValue
            changePaths(of: peer, on: connection.eventLoop) { $0.pin(id, true, at: $1) }
        }
    }

    // MARK: Moving streams

    /// Finds the streams that should be elsewhere.
    private func queueMisplacedStreams(of peer: PeerState) {
        let streams = peer.liveStreams
        let places = streams.map { ($0.key, $0.place) }
        peer.state.withLock { state in
            for (key, place) in places {
                guard let place, !place.isChosen, state.paths.moves[place.connection.rawValue] != nil else { continue }
                state.paths.mover.add(key)
            }
        }
    }

    /// A stream has begun on a connection: it may be one that streams leave.
    func placed(_ stream: LogicalStream, on connection: ConnectionDriver, of peer: PeerState) {
        let isMisplaced = peer.state.withLock { state in
            guard state.paths.moves[connection.id.rawValue] != nil else { return false }
            state.paths.mover.add(stream.key)
            return true
        }
        if isMisplaced { moveStreams(of: peer, on: connection.eventLoop) }
    }

    /// Starts as many moves as may run at once.
    private func moveStreams(of peer: PeerState, on loop: any EventLoop) {
        let isFirst = peer.state.withLock { state in
            guard !state.paths.mover.isEmpty else { return false }
            defer { state.paths.isMoving = true }
            return !state.paths.isMoving
        }
        guard isFirst else { return }
        // In a turn of its own: a move that is refused at once must not call itself again from within.
        loop.execute { [self] in
            peer.state.withLock { $0.paths.isMoving = false }
            while let move = nextMove(of: peer, at: Instant(loop.now)) {
                guard let (stream, connection) = move.destination else {
                    peer.state.withLock { $0.paths.mover.ended(move.key, retryAt: nil) }
                    continue
                }
                migrate(stream, to: connection, isChosen: false) { [self] result in
                    moveEnded(move.key, result, of: peer, on: loop)
                }
            }
            schedulePaths(of: peer, on: loop)
        }
    }

    private struct Move {
        let key: StreamKey
        var destination: (LogicalStream, ConnectionDriver)?
    }

    private func nextMove(of peer: PeerState, at now: Instant) -> Move? {
        let candidate = peer.state.withLock { state in
            state.paths.mover.next(at: now).map { ($0, state.streams[$0]) }
        }
        guard let (key, stream) = candidate else { return nil }
        var move = Move(key: key)
        // The place is asked for without the peer's lock: a stream that tells of something takes both, in that order.
        if let stream, let place = stream.place, !place.isChosen {
            move.destination = peer.state.withLock { state in
                guard let target = state.paths.set.destination(from: place.connection.rawValue, at: now),
                    let connection = state.connection(target), connection.isUsable
                else { return nil }
                return (stream, connection)
            }
        }
        return move
    }

    private func moveEnded(
        _ key: StreamKey, _ result: Result<MigrationRecord, any Error>, of peer: PeerState, on loop: any EventLoop
    ) {
        let now = Instant(loop.now)
        let pause = configuration.policy.pauseBetweenMoves
        let retry: Duration?
        switch result {
        case .success: retry = pause
        case .failure(let refusal as MigrationRefusal): retry = refusal.pause(pause)
        case .failure(is StreamError): retry = nil
        case .failure: retry = pause
        }
        peer.state.withLock { $0.paths.mover.ended(key, retryAt: retry.map { now + $0 }) }
        moveStreams(of: peer, on: loop)
        schedulePaths(of: peer, on: loop)
    }
}

extension MigrationRefusal {
    /// When another try makes sense; nil: never.
    fileprivate func pause(_ pause: Duration) -> Duration? {
        switch self {
        case .notLabelled, .ended, .denied, .tooManyFailures, .idsExhausted: nil
        case .tooSoon(let wait): max(wait, pause)
        case .notNegotiated, .underWay, .unread, .tooMany: pause
        }
    }
}

extension ConnectionSetAction {
    fileprivate var connection: ConnectionSet.ID {
        switch self {
        case .retire(let id), .inspect(let id), .probe(let id): id
        }
    }
}

extension PeerState.State {
    func connection(_ id: ConnectionSet.ID) -> ConnectionDriver? {
        connections.first { $0.id.rawValue == id }
    }
}
