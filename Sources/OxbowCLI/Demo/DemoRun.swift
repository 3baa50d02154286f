import Oxbow

/// A: opens the connections and the stream, and conducts the moves. It tells the board what happens.
struct DemoRun: Sendable {
    let plan: DemoPlan
    let link: DemoLink
    let board: DemoBoard
    /// The file to send; generated when nil.
    let path: String?

    /// B's answers, without its progress.
    private let replies: AsyncStream<DemoMessage>
    private let answer: AsyncStream<DemoMessage>.Continuation

    init(_ plan: DemoPlan, over link: DemoLink, board: DemoBoard, path: String? = nil) {
        (self.plan, self.link, self.board, self.path) = (plan, link, board, path)
        (replies, answer) = AsyncStream.makeStream()
    }

    /// Runs the whole demo.
    func run() async throws -> DemoResult {
        let identity = try PrivateKey.generate(.ed25519)
        return try await withHost(identity: identity, configuration: plan.configuration) { host in
            let closings = DemoClosings(host)
            return try await withThrowingTaskGroup(of: DemoResult?.self) { group in
                group.addTask {
                    await closings.run()
                    return nil
                }
                group.addTask {
                    try await listenToPeer()
                    return nil
                }
                group.addTask { try await conduct(host, closings) }
                while let result = try await group.next() {
                    guard let result else { continue }
                    group.cancelAll()
                    return result
                }
                throw DemoError.peerVanished
            }
        }
    }

    private func listenToPeer() async throws {
        var isOver = false
        for await message in link.messages {
            switch message {
            case .progress(let bytes): board.arrivedAtPeer(bytes)
            case .failed(let why): throw DemoError.peerFailed(why)
            default: answer.yield(message)
            }
            if case .report = message { isOver = true }
        }
        guard isOver || Task.isCancelled else { throw DemoError.peerVanished }
    }

    private func nextReply() async throws -> DemoMessage {
        for await message in replies { return message }
        try Task.checkCancellation()
        throw DemoError.peerVanished
    }

    // MARK: From the first connection to the last

    private func conduct(_ host: OxbowHost, _ closings: DemoClosings) async throws -> DemoResult {
        try link.send(.start(plan))
        guard case .ready(let id, let texts, let process) = try await nextReply() else { throw DemoError.peerVanished }
        let addresses = try texts.map { try Multiaddr($0) }
        let paths = DemoPaths(plan: plan, peer: try PeerID(id), addresses: addresses, host: host, board: board)
        board.peerIsReady(process: process)
        for _ in 0..<plan.connectionsAtFirst { try await paths.openNext() }
        guard host.peer(paths.peer)?.supportsMigration == true else { throw DemoError.noMigration }
        let stream = try await host.open(to: paths.peer, [DemoSide.protocolID], on: paths[0])
        let label = stream.label
        let side = DemoSide(.a, plan, stream)
        board.streamStarted(side)
        do {
            let seconds = try await flow(host, side, paths)
            try await closings.wait(for: plan.migrations)
            let left = host.peer(paths.peer)?.connections.count ?? 0
            // B closes its host behind its report, and with it the connection that is to be counted.
            try link.send(.finish)
            guard case .report(let theirs) = try await nextReply() else { throw DemoError.peerVanished }
            stream.close()
            return DemoResult(
                plan: plan, a: side.report(connectionsLeft: left), b: theirs, label: label, seconds: seconds,
                paths: paths.descriptions)
        } catch {
            stream.reset()
            throw error
        }
    }

    /// Both files and the moves, at once.
    ///
    /// - Returns: how many seconds that took.
    private func flow(_ host: OxbowHost, _ side: DemoSide, _ paths: DemoPaths) async throws -> Double {
        let clock = ContinuousClock()
        let began = clock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let source = try path.map { path throws(DemoError) in try DemoSource(path: path) }
                try await side.send(source ?? DemoSource(seed: 0xA, size: plan.size))
            }
            group.addTask { try await side.receive() }
            group.addTask { try await moveAlong(host, side, paths) }
            try await group.waitForAll()
        }
        guard case .arrived = try await nextReply() else { throw DemoError.peerVanished }
        return (clock.now - began) / .seconds(1)
    }

    private func moveAlong(_ host: OxbowHost, _ side: DemoSide, _ paths: DemoPaths) async throws {
        for move in plan.moves {
            let target = paths[move.number]
            switch move.initiator {
            case .a:
                try await side.move(host, at: move.threshold, to: target)
            case .b:
                try link.send(
                    .move(number: move.number, threshold: move.threshold, slot: plan.slot(of: move.number)))
                guard case .moved(move.number) = try await nextReply() else { throw DemoError.peerVanished }
            }
            // Done on the initiator's side is done here too: it has read this side's FIN.
            board.moved(move)
            let allowance = plan.allowance(after: move.number)
            side.allowed.raise(to: allowance)
            try link.send(.allow(allowance))
            try await paths.openNext()
        }
    }
}
