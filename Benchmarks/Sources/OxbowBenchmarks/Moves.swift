import Oxbow

/// How long it takes to move many open streams from one connection to another.
enum Moves {
    /// Migrations under way at once: fewer than the streams that may be unacknowledged on a connection (256).
    private static let tasks = 128

    private static func opened(_ count: Int) -> Figure {
        Figure("moves.open.\(count)", .migration, "time to open \(count) streams, 16 at once", "ms")
    }

    private static func moved(_ count: Int) -> Figure {
        Figure(
            "moves.\(count)", .migration, "time to move \(count) open streams, \(tasks) at once", "ms",
            per: opened(count))
    }

    static func measure(_ options: Options, _ report: Report) async throws {
        for count in [1_000, 10_000] where options.wants(moved(count)) { try await measure(count, report) }
    }

    private static func measure(_ count: Int, _ report: Report) async throws {
        var role = ServerRole()
        role.isForCrowds = true
        let child = try Child(role)
        defer { child.stop() }
        try await withHost(identity: .generate(.ed25519), configuration: .forCrowds([.noise])) { host in
            let peer = try await host.connect(to: child.peer, at: [child.address])
            _ = try await host.connectAgain(to: child.peer, at: [child.address])
            let connections = peer.connections
            guard connections.count == 2 else { throw Failure("two connections stand: \(connections.count)") }
            let begin = ContinuousClock.now
            let streams = try await IdleDialer.open(count, on: connections[0], of: child.peer, host)
            report.add(opened(count), begin.duration(to: .now) / .milliseconds(1))
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<tasks {
                    group.addTask {
                        for index in stride(from: task, to: streams.count, by: tasks) {
                            try await peer.migrate(streams[index], to: connections[1])
                        }
                    }
                }
                try await group.waitForAll()
            }
            report.add(moved(count), start.duration(to: .now) / .milliseconds(1))
            guard streams.allSatisfy({ $0.migrationCount == 1 }) else { throw Failure("a stream has not moved") }
            streams.forEach { $0.reset() }
        }
    }
}
