import Foundation
import Oxbow

/// Resident memory with very many idle connections, and with very many idle streams: of two fresh processes, both sides.
enum Scale {
    static func measure(_ options: Options, _ report: Report) async throws {
        // Both processes need a descriptor for each connection, and some for the rest.
        let room = Machine.raiseFileLimit() - 500
        let connections = min(options.connections, room)
        if options.wants("memory.scale.connection") {
            if connections < options.connections {
                report.note("this machine allows \(room) connections for each process, not \(options.connections)")
            }
            try await measure(.connections, connections, report)
        }
        if options.wants("memory.scale.stream") { try await measure(.streams, options.streams, report) }
    }

    private static func measure(_ kind: IdleDialer.Kind, _ count: Int, _ report: Report) async throws {
        progress("\(count) idle \(kind.rawValue)s")
        var role = ServerRole()
        role.isForCrowds = true
        let child = try Child(role)
        defer { child.stop() }
        let dialer = try ChildProcess(
            .ownProgram,
            [IdleDialer.command, kind.rawValue, "\(count)"] + child.addresses.map { "\($0)" })
        defer { dialer.stop() }
        // It says so when it has the first one of its kind, and when it has them all.
        guard dialer.line() == "begun" else { throw Failure("the idle dialer didn't start") }
        let (listenerBefore, dialerBefore) = (Machine.residentKiB(child.pid), Machine.residentKiB(dialer.pid))
        guard let made = dialer.line().flatMap(Int.init), made > 0 else { throw Failure("the idle dialer failed") }
        if made < count { report.note("\(made) of \(count) idle \(kind.rawValue)s came up within \(IdleDialer.limit)") }
        let listener = (Machine.residentKiB(child.pid) - listenerBefore) / Double(made)
        let own = (Machine.residentKiB(dialer.pid) - dialerBefore) / Double(made)
        report.add(figure(kind, made, "listener"), listener)
        report.add(figure(kind, made, "dialer"), own)
    }

    private static func figure(_ kind: IdleDialer.Kind, _ count: Int, _ side: String) -> Figure {
        let besides =
            switch (kind, side) {
            case (.streams, "listener"): " and its task"
            case (.connections, "dialer"): " and 1/\(IdleDialer.connectionsPerHost) of its host"
            default: ""
            }
        let title = "per idle \(kind.rawValue)\(besides), of \(count), \(side)"
        return Figure("memory.scale.\(kind.rawValue).\(side)", .memory, title, "KiB")
    }
}

/// The process that holds idle connections or streams, and does nothing else.
enum IdleDialer {
    /// What its first argument is.
    static let command = "idle"
    /// After which time it is content with what it has.
    static let limit = Duration.seconds(90)

    enum Kind: String {
        case connections = "connection"
        case streams = "stream"
    }

    /// Arguments: the kind, how many, and the server's addresses.
    static func run(_ arguments: some Sequence<String>) async throws {
        let words = Array(arguments)
        guard words.count >= 3, let kind = Kind(rawValue: words[0]), let count = Int(words[1]) else {
            throw Failure("usage: idle connection|stream COUNT ADDRESS…")
        }
        Machine.raiseFileLimit()
        let addresses = try words.dropFirst(2).map { try Multiaddr($0) }
        guard case .p2p(let peer)? = addresses[0].components.last else { throw Failure("an address has no peer id") }
        try await withHost(identity: .generate(.ed25519), configuration: .forCrowds([.noise])) { host in
            _ = try await host.connect(to: peer, at: [addresses[0]])
            let first = try await host.open(to: peer, [BenchProtocol.echo])
            try await SmallThings.echo(on: first)
            ChildProcess.say("begun")
            switch kind {
            case .connections:
                try await dial(count, to: peer, at: addresses)
            case .streams:
                guard let connection = host.peer(peer)?.connections.first else { throw Failure("no connection") }
                let streams = try await open(count, on: connection, of: peer, host, within: limit)
                ChildProcess.say("\(streams.count)")
                await ChildProcess.endOfInput()
                streams.forEach { $0.reset() }
            }
        }
    }

    /// Connections of one host: what each costs to dial grows with those that its peer has already.
    static let connectionsPerHost = 50

    /// Dials from as many hosts as it takes, four at once, says how many connections there are, and holds them.
    private static func dial(_ count: Int, to peer: PeerID, at addresses: [Multiaddr]) async throws {
        let (finished, report) = AsyncStream.makeStream(of: Int.self)
        await withThrowingTaskGroup(of: Void.self) { group in
            var arriving = finished.makeAsyncIterator()
            var (begun, made, waiting) = (0, 0, 0)
            let start = ContinuousClock.now
            while begun < count, start.duration(to: .now) < limit {
                let size = min(connectionsPerHost, count - begun)
                let address = addresses[begun / connectionsPerHost % addresses.count]
                group.addTask { try await hold(size, to: peer, at: address, report) }
                begun += size
                waiting += 1
                guard waiting == 4, let more = await arriving.next() else { continue }
                (made, waiting) = (made + more, waiting - 1)
            }
            while waiting > 0, let more = await arriving.next() { (made, waiting) = (made + more, waiting - 1) }
            ChildProcess.say("\(made)")
            await ChildProcess.endOfInput()
            group.cancelAll()
        }
    }

    /// A host with its connections, until the task is cancelled. Tells how many came up.
    private static func hold(
        _ count: Int, to peer: PeerID, at address: Multiaddr, _ report: AsyncStream<Int>.Continuation
    ) async throws {
        try await withHost(identity: .generate(.ed25519), configuration: .forCrowds([.noise])) { host in
            var made = 0
            for _ in 0..<count where (try? await host.connectAgain(to: peer, at: [address])) != nil { made += 1 }
            report.yield(made)
            try await Task.sleep(for: .seconds(3_600))
        }
    }

    /// Opens streams, 16 at once, each of which has echoed something.
    static func open(
        _ count: Int, on connection: Connection, of peer: PeerID, _ host: Oxbow.Host,
        within limit: Duration = .seconds(600)
    ) async throws -> [Oxbow.Stream] {
        let start = ContinuousClock.now
        return try await withThrowingTaskGroup(of: [Oxbow.Stream].self) { group in
            for task in 0..<16 {
                group.addTask {
                    var streams: [Oxbow.Stream] = []
                    for _ in stride(from: task, to: count, by: 16) where start.duration(to: .now) < limit {
                        let stream = try await host.open(to: peer, [BenchProtocol.echo], on: connection)
                        try await SmallThings.echo(on: stream)
                        streams.append(stream)
                    }
                    return streams
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }
}
