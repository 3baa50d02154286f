import NIOCore
import Oxbow
import OxbowCommandLine
import OxbowNIO
import Synchronization

/// The end of a soak that dials and conducts.
struct SoakDialer: Sendable {
    let plan: SoakPlan
    let host: OxbowHost
    let peer: PeerID
    /// Connections are opened at these in turn.
    let addresses: [Multiaddr]
    /// How long everything may take.
    let limit: Duration
    let view: SoakView
    var memory: SoakMemory.Meter = ResidentMemory.settled

    /// Opens everything, soaks, ends everything and tells what it saw.
    func run() async throws -> SoakResult {
        let connections = try await connect()
        guard let peer = host.peer(peer) else { throw SoakError.peerVanished }
        try peer.require(Soak.control, command: "oxbow soak listen")
        guard peer.supportsMigration else { throw SoakError.noMigration }
        view.phase("connected", [("connections", .int(Int64(connections.count)))])

        // In an upgrade nothing may stay behind.
        let control = try await host.open(
            to: peer.id, [Soak.control], on: connections[0], isMigratable: plan.isUpgrade)
        do {
            var result = try await soak(control, connections)
            control.close()
            for connection in peer.connections { connection.close() }
            let left = await host.soakIsOver()
            if !left.isZero { throw CommandFailure(.failed, "something is left at the dialer: \(left)") }
            result.dialer.memory.closed = try await memory()
            return result
        } catch {
            control.reset()
            throw error
        }
    }

    private func soak(_ control: OxbowStream, _ connections: [Connection]) async throws -> SoakResult {
        let session = SoakSession(plan, .dialer, peer: peer, host: host)
        let events = host.events()
        let reader = try await prepare(control, connections, session)
        let streams = try await within(.seconds(120), "opening the streams") { try await open(connections) }
        let (replies, reply) = AsyncStream<SoakMessage>.makeStream()
        defer {
            // Whoever still waits for one, such as a migration that is under way, goes on.
            for stream in streams { stream.stream.reset() }
        }
        return try await withThrowingTaskGroup(of: SoakResult?.self) { group in
            for stream in streams {
                try session.add(stream)
                group.addTask {
                    await session.serve(stream)
                    return nil
                }
            }
            group.addTask { try await listen(reader, reply) }
            group.addTask {
                await session.moveWhenDue()
                return nil
            }
            group.addTask {
                await session.writeAtPace()
                return nil
            }
            group.addTask {
                await watch(events, session)
                return nil
            }
            group.addTask {
                await view.show(session)
                return nil
            }
            group.addTask {
                try await explained(control, session) { try await conduct(control, session, replies) }
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw SoakError.peerVanished
        }
    }

    // MARK: Before the first byte

    private func connect() async throws -> [Connection] {
        guard !plan.isUpgrade else {
            // Not one that is kept: it is to be closed when nothing is on it any more.
            let peer = try await host.connect(to: peer, at: [addresses[0]])
            return Array(peer.connections.prefix(1))
        }
        var connections: [Connection] = []
        for number in 0..<plan.connections {
            connections.append(try await host.connectAgain(to: peer, at: [addresses[number % addresses.count]]))
        }
        return connections
    }

    /// Agrees on the plan and on the connections' numbers.
    private func prepare(
        _ control: OxbowStream, _ connections: [Connection], _ session: SoakSession
    ) async throws -> SoakMessageReader {
        var reader = SoakMessageReader(control)
        try await Soak.send(.start(plan), on: control)
        switch try await reader.next() {
        case .ready?: break
        case .failed(let why)?: throw SoakError.peerFailed(why)
        case let other?: throw SoakError.unexpectedMessage("\(other)")
        case nil: throw SoakError.peerVanished
        }
        // In an upgrade connections come and go.
        for (slot, connection) in connections.enumerated() where !plan.isUpgrade {
            session.setSlot(slot, connection.id)
            try await host.withStream(to: peer, [Soak.slot], on: connection, isMigratable: false) { stream in
                try await stream.outbound.write([UInt8(slot)])
                guard try await stream.read(exactly: 1) != nil else { throw SoakError.peerVanished }
            }
        }
        return reader
    }

    /// Opens the streams on the connections in turn, many at once: each takes a round trip.
    private func open(_ connections: [Connection]) async throws -> [SoakStream] {
        try await withThrowingTaskGroup(of: SoakStream.self) { group in
            var streams: [SoakStream] = []
            for index in 0..<plan.streams {
                if index >= 64, let stream = try await group.next() { streams.append(stream) }
                group.addTask {
                    let connection = connections[index % connections.count]
                    let stream = try await host.open(to: peer, [Soak.data], on: connection)
                    try await stream.outbound.write(SoakFrame.hello(stream: index).encoded)
                    return SoakStream(index, stream, plan: plan, party: .dialer)
                }
            }
            for try await stream in group { streams.append(stream) }
            return streams.sorted { $0.index < $1.index }
        }
    }

    // MARK: The soak

    private func listen(
        _ reader: SoakMessageReader, _ reply: AsyncStream<SoakMessage>.Continuation
    ) async throws -> SoakResult? {
        var reader = reader
        while let message = try await reader.next() {
            if case .failed(let why) = message { throw SoakError.peerFailed(why) }
            reply.yield(message)
            // The last: the other end now waits for the end of this one.
            if case .report = message { return nil }
        }
        throw SoakError.peerVanished
    }

    /// Tells of connections that end while the soak runs, until the task is cancelled.
    private func watch(_ events: AsyncStream<SwarmEvent>, _ session: SoakSession) async {
        for await event in events {
            guard case .connectionClosed(_, let path, let error) = event, let slot = session.slot(of: path.id)
            else { continue }
            view.lost(slot: slot, error)
        }
    }

    /// Each call takes the next one.
    private func first(of replies: AsyncStream<SoakMessage>) async -> SoakMessage? {
        for await reply in replies { return reply }
        return nil
    }

    /// A soak that fails here leaves the other end a moment to say what it knows.
    private func explained(
        _ control: OxbowStream, _ session: SoakSession, _ body: @escaping @Sendable () async throws -> SoakResult
    ) async throws -> SoakResult {
        try await withThrowingTaskGroup(of: SoakResult?.self) { group in
            group.addTask {
                for await error in session.troubles {
                    if case .streamLost = error { try await Task.sleep(for: .seconds(2)) }
                    throw error
                }
                return nil
            }
            group.addTask {
                try await within(limit, "the soak", state: { session.outstanding }) { try await body() }
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }

    /// Measures both ends.
    private func measure(_ control: OxbowStream, _ replies: AsyncStream<SoakMessage>) async throws -> UInt64? {
        try await Soak.send(.measure, on: control)
        let own = try await memory()
        guard case .memory? = await first(of: replies) else { throw SoakError.peerVanished }
        return own
    }

    private func conduct(
        _ control: OxbowStream, _ session: SoakSession, _ replies: AsyncStream<SoakMessage>
    ) async throws -> SoakResult {
        try await Soak.send(.opened, on: control)
        guard case .opened? = await first(of: replies) else { throw SoakError.peerVanished }
        view.phase("open", [("streams", .int(Int64(plan.streams)))])
        let (seconds, measured) =
            try await plan.isUpgrade ? upgrade(control, session, replies) : move(control, session, replies)
        view.phase("moved", [("migrations", .int(Int64(session.tally.moves)))])
        await session.endAll()
        try await session.ended.wait(for: plan.streams)
        try await Soak.send(.finish, on: control)
        guard case .report(let theirs)? = await first(of: replies) else { throw SoakError.peerVanished }
        let left = await host.soakCensus(plan)
        let own = SoakSideReport(session, left: left, memory: measured)
        session.forgetStreams()
        return SoakResult(plan: plan, dialer: own, listener: theirs, seconds: seconds)
    }

    /// Moves the streams as often as planned.
    ///
    /// - Returns: the seconds that this took.
    private func move(
        _ control: OxbowStream, _ session: SoakSession, _ replies: AsyncStream<SoakMessage>
    ) async throws -> (Double, SoakMemory) {
        let clock = ContinuousClock()
        var seconds = 0.0

        /// Moves all streams up to `number`, and measures both ends.
        func move(upTo number: Int) async throws -> UInt64? {
            let began = clock.now
            session.allow(number)
            try await Soak.send(.allow(number), on: control)
            try await session.phase.wait(for: number)
            seconds += (clock.now - began).seconds
            return try await measure(control, replies)
        }

        var measured = SoakMemory()
        measured.start = try await move(upTo: plan.warmUp)
        view.phase("warm", [("migrations", .int(Int64(session.tally.moves)))])
        measured.end = try await move(upTo: plan.migrations)
        return (seconds, measured)
    }

    /// Opens the better connection, and waits until every stream has moved there by itself.
    ///
    /// - Returns: the seconds from the beginning of the dial until the last stream had moved.
    private func upgrade(
        _ control: OxbowStream, _ session: SoakSession, _ replies: AsyncStream<SoakMessage>
    ) async throws -> (Double, SoakMemory) {
        func watchGaps() async throws {
            try await Soak.send(.watchGaps, on: control)
            session.watchGaps()
        }

        var measured = SoakMemory()
        try await watchGaps()
        // What gaps are where nothing moves: a few writes of each stream.
        try await Task.sleep(for: .seconds(6 * plan.pace))
        measured.start = try await measure(control, replies)
        try await watchGaps()
        let began = ContinuousClock.now
        _ = try await host.connectAgain(to: peer, at: [addresses[1]])
        view.phase("better", [("seconds", .rounded((ContinuousClock.now - began).seconds))])
        while session.streams.contains(where: { $0.stream.migrationCount == 0 }) {
            try await Task.sleep(for: .milliseconds(5))
        }
        let seconds = (ContinuousClock.now - began).seconds
        // A gap shows when it is over.
        try await Task.sleep(for: .seconds(2 * plan.pace))
        try await watchGaps()
        measured.end = try await measure(control, replies)
        return (seconds, measured)
    }
}

/// What a soak shows while it runs: a line for people, events for a script.
struct SoakView: Sendable {
    let isJSON: Bool

    func phase(_ name: String, _ fields: [(String, JSON)]) {
        guard isJSON else { return }
        let head: [(String, JSON)] = [("event", "phase"), ("phase", .string(name))]
        StandardOutput.write(line: JSON.object(head + fields).description)
    }

    func lost(slot: Int, _ error: ConnectionError) {
        if isJSON {
            let event: [(String, JSON)] = [
                ("event", "connection-lost"), ("slot", .int(Int64(slot))), ("error", .string("\(error)")),
            ]
            StandardOutput.write(line: JSON.object(event).description)
        } else {
            StandardError.write(line: printable("oxbow: connection \(slot) is lost: \(error)"))
        }
    }

    /// Shows how far the soak is, until the task is cancelled.
    func show(_ session: SoakSession) async {
        guard isJSON || StandardError.isTerminal else { return }
        defer { StatusLine.shared.clear() }
        let total = session.plan.streams * session.plan.migrations
        let began = ContinuousClock.now
        var next = 10.0
        var lost = 0
        while (try? await Task.sleep(for: .milliseconds(250))) != nil {
            let seconds = (ContinuousClock.now - began).seconds
            let tally = session.tally
            if !isJSON {
                let rate = decimal(Double(tally.moves) / max(seconds, 0.001), 0)
                StatusLine.shared.show(
                    "\(tally.moves) of \(total) migrations, \(rate)/s; \(session.ended.value) streams ended, "
                        + "\(tally.lost) lost; \(ResidentMemory.bytes.map { ByteCount.text($0) } ?? "")")
            } else if tally.lost > lost {
                lost = tally.lost
                let event: [(String, JSON)] = [("event", "streams-lost"), ("streams_lost", .int(Int64(lost)))]
                StandardOutput.write(line: JSON.object(event).description)
            } else if seconds >= next {
                next += 10
                let event: [(String, JSON)] = [
                    ("event", "progress"), ("seconds", .rounded(seconds)), ("migrations", .int(Int64(tally.moves))),
                    ("of", .int(Int64(total))), ("streams_lost", .int(Int64(tally.lost))),
                ]
                StandardOutput.write(line: JSON.object(event).description)
            }
        }
    }
}
