import NIOCore
import Oxbow
import OxbowCommandLine
import OxbowMigration
import OxbowNIO
import Synchronization

/// One end of a soak: its streams, whose turn it is to move each, and what came of that.
///
/// Each migration of a stream is begun by one end and announced on the stream itself once it is complete; then it is the
/// other end's turn. So nobody has to look whether a stream has moved.
final class SoakSession: Sendable {
    let plan: SoakPlan
    let party: SoakParty
    let peer: PeerID
    /// How far every living stream has moved.
    let phase = Meter()
    /// Streams that are open here, or were.
    let opened = Meter()
    /// Streams that have ended, one way or the other.
    let ended = Meter()
    /// What the soak can't go on after.
    let troubles: AsyncStream<SoakError>
    private let host: OxbowHost
    private let trouble: AsyncStream<SoakError>.Continuation
    /// At most one for each stream.
    private let turns: AsyncStream<Turn>
    private let turn: AsyncStream<Turn>.Continuation
    private let state = Mutex(State())

    private struct Turn: Sendable {
        let index: Int
        let number: Int
    }

    private struct State {
        var slots: [Int: ConnectionID] = [:]
        var streams: [Int: SoakStream] = [:]
        /// In the order in which they came.
        var all: [SoakStream] = []
        /// How often each living stream has moved.
        var done: [Int: Int] = [:]
        /// Up to which number streams may move.
        var limit = 0
        /// Living streams that have not come so far.
        var pending = 0
        /// Streams whose turn it is here, but not yet.
        var parked: [Int] = []
        var tally = SoakTally()
        /// What ``watchGaps()`` found each time.
        var gaps: [Duration] = []
    }

    init(_ plan: SoakPlan, _ party: SoakParty, peer: PeerID, host: OxbowHost) {
        (self.plan, self.party, self.peer, self.host) = (plan, party, peer, host)
        (troubles, trouble) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(16))
        (turns, turn) = AsyncStream.makeStream()
    }

    // MARK: Connections

    /// Both ends know a connection by its slot.
    func setSlot(_ slot: Int, _ connection: ConnectionID) {
        state.withLock { $0.slots[slot] = connection }
    }

    func slot(of connection: ConnectionID?) -> Int? {
        state.withLock { state in state.slots.first { $0.value == connection }?.key }
    }

    /// The connections that stand, by slot.
    private var connections: [Int: Connection] {
        let slots = state.withLock { $0.slots }
        let standing = host.peer(peer)?.connections ?? []
        return slots.compactMapValues { id in standing.first { $0.id == id } }
    }

    /// How many of the connections don't stand any more.
    var lostConnections: Int { state.withLock { $0.slots.count } - connections.count }

    // MARK: Streams

    /// Takes a stream into the soak.
    func add(_ stream: SoakStream) throws(SoakError) {
        let isNew = state.withLock { state in
            guard (0..<plan.streams).contains(stream.index), state.streams[stream.index] == nil else { return false }
            state.streams[stream.index] = stream
            state.all.append(stream)
            state.done[stream.index] = 0
            return true
        }
        guard isNew else { throw .unexpectedFrame(stream: stream.index, "no such stream was to be opened") }
        schedule(stream.index, behind: 0)
        opened.add(1)
    }

    /// Reads a stream to its end, and judges it.
    func serve(_ stream: SoakStream) async {
        do {
            try await stream.receive { number in try movedByPeer(stream.index, number) }
            if party == .listener { try await stream.end() }
            remove(stream.index, lost: nil)
        } catch {
            guard !Task.isCancelled else { return stream.stream.reset() }
            stream.stream.reset()
            let error = error as? SoakError ?? .streamLost(stream: stream.index, "\(error)")
            if plan.isSurviving, case .streamLost(_, let why) = error { return remove(stream.index, lost: why) }
            trouble.yield(error)
        }
    }

    /// Ends this end's side of every stream.
    func endAll() async {
        for stream in state.withLock({ $0.all }) {
            // A stream that has failed meanwhile is its reader's business.
            try? await stream.end()
        }
    }

    private func remove(_ index: Int, lost why: String?) {
        let isReached = state.withLock { state in
            if let why { state.tally.lost(why) }
            guard let done = state.done.removeValue(forKey: index), done < state.limit else { return false }
            state.pending -= 1
            return state.pending == 0
        }
        if isReached { phaseReached() }
        ended.add(1)
    }

    // MARK: Whose turn it is

    /// Lets the streams move up to this number.
    func allow(_ limit: Int) {
        let (parked, isReached) = state.withLock { state in
            state.limit = max(state.limit, limit)
            state.pending = state.done.values.count { $0 < state.limit }
            let due = state.parked.map { Turn(index: $0, number: (state.done[$0] ?? 0) + 1) }
            let ready = due.filter { $0.number <= state.limit }
            state.parked = due.filter { $0.number > state.limit }.map(\.index)
            return (ready, state.pending == 0)
        }
        for due in parked { turn.yield(due) }
        if isReached { phaseReached() }
    }

    private func phaseReached() {
        phase.raise(to: state.withLock { $0.limit })
    }

    private func movedByPeer(_ index: Int, _ number: Int) throws(SoakError) {
        let isRight = state.withLock { $0.done[index] == number - 1 } && number <= plan.migrations
        guard isRight, plan.initiator(of: number, stream: index) != party else {
            throw .unexpectedFrame(stream: index, "migration \(number) is announced out of turn")
        }
        progressed(index, to: number)
    }

    private func progressed(_ index: Int, to number: Int) {
        let isReached = state.withLock { state in
            guard let before = state.done[index] else { return false }
            state.done[index] = number
            state.tally.moves += 1
            guard before < state.limit, number >= state.limit else { return false }
            state.pending -= 1
            return state.pending == 0
        }
        schedule(index, behind: number)
        if isReached { phaseReached() }
    }

    private func schedule(_ index: Int, behind done: Int) {
        let number = done + 1
        guard number <= plan.migrations, plan.initiator(of: number, stream: index) == party else { return }
        let isDue = state.withLock { state in
            if number > state.limit { state.parked.append(index) }
            return number <= state.limit
        }
        if isDue { turn.yield(Turn(index: index, number: number)) }
    }

    // MARK: Moving

    /// Moves streams whose turn it is, as many at once as the plan allows, until the task is cancelled.
    func moveWhenDue() async {
        await withTaskGroup(of: Void.self) { group in
            var running = 0
            for await due in turns {
                if running == plan.concurrent {
                    await group.next()
                    running -= 1
                }
                running += 1
                group.addTask { await self.perform(due) }
            }
        }
    }

    private func perform(_ due: Turn) async {
        guard let stream = state.withLock({ $0.streams[due.index] }) else { return }
        for attempt in 1... {
            do {
                return try await move(stream, due.number, attempt)
            } catch {
                guard !Task.isCancelled, let patience = patience(with: error) else { return }
                guard let patience, attempt < 200 else {
                    let why = "\(error)"
                    let error = SoakError.notMoved(
                        stream: due.index, number: due.number, attempts: attempt, why)
                    return _ = trouble.yield(error)
                }
                try? await Task.sleep(for: patience)
            }
        }
    }

    private func move(_ stream: SoakStream, _ number: Int, _ attempt: Int) async throws {
        let connections = connections
        let current = slot(of: stream.stream.connection?.id)
        let target = plan.target(
            of: number, stream: stream.index, attempt: attempt, among: connections.keys.sorted(), from: current)
        guard let target, let connection = connections[target], let peer = host.peer(peer) else {
            throw SoakError.notMoved(
                stream: stream.index, number: number, attempts: attempt, "there is no second connection")
        }
        let record = try await withTaskCancellationHandler {
            try await peer.migrate(stream.stream, to: connection)
        } onCancel: {
            stream.stream.reset()
        }
        state.withLock { $0.tally.initiated(in: record.duration) }
        try await stream.sendMoved(number)
        progressed(stream.index, to: number)
    }

    /// How long to wait before a migration that failed is tried again: `.some(nil)` when that makes no sense, nil when the
    /// stream is at its end, which its reader knows better.
    private func patience(with error: any Error) -> Duration?? {
        switch error {
        case MigrationRefusal.ended, is StreamError: nil
        case MigrationRefusal.underWay, MigrationRefusal.tooMany, MigrationRefusal.notNegotiated:
            state.withLock { state in
                state.tally.postponed += 1
                return .milliseconds(20)
            }
        case MigrationRefusal.tooSoon(let wait): wait
        case is MigrationAttemptError where plan.isSurviving:
            state.withLock { state in
                state.tally.failedAttempts += 1
                return .milliseconds(100)
            }
        default: .some(nil)
        }
    }

    // MARK: Writing

    /// Writes on each stream in its turn, spread evenly over the pace, until the task is cancelled.
    func writeAtPace() async {
        let step = Duration.milliseconds(20)
        let rounds = max(1, Int(plan.pace / step.seconds))
        var round = 0
        while !Task.isCancelled {
            let streams = state.withLock { $0.all }
            for index in stride(from: round % rounds, to: streams.count, by: rounds) {
                streams[index].sendPortion()
            }
            round += 1
            try? await Task.sleep(for: step)
        }
    }

    // MARK: Gaps

    /// From now on gaps count anew; what they were before is kept.
    func watchGaps() {
        let longest = longestGap
        state.withLock { $0.gaps.append(longest) }
        for stream in streams { stream.watchGaps() }
    }

    /// The longest time in which nothing came on a stream since ``watchGaps()``.
    private var longestGap: Duration { streams.map(\.longestGap).max() ?? .zero }

    /// The longest gap between each call of ``watchGaps()`` and the next one.
    var gaps: [Duration] { Array(state.withLock { $0.gaps }.dropFirst()) }

    // MARK: Looking at it

    var tally: SoakTally { state.withLock { $0.tally } }
    var streams: [SoakStream] { state.withLock { $0.all } }

    /// Lets go of the streams, which have ended.
    func forgetStreams() {
        state.withLock { ($0.all, $0.streams) = ([], [:]) }
    }

    /// What is waited for, in a few words.
    var outstanding: String {
        state.withLock { state in
            let late = state.done.filter { $0.value < state.limit }.sorted { $0.key < $1.key }
            guard !late.isEmpty else { return "\(state.done.count) streams have not ended" }
            let few = late.prefix(5).map { index, done in
                let next = plan.initiator(of: done + 1, stream: index)
                let at = state.streams[index]?.stream.connection.map { ", on \($0.id)" } ?? ""
                return "stream \(index) has moved \(done) times (next: the \(next.rawValue)\(at))"
            }
            return "\(late.count) streams have moved less than \(state.limit) times: " + few.joined(separator: "; ")
        }
    }
}
