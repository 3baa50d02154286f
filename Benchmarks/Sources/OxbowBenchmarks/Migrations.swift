import Oxbow
import Synchronization

/// One stream that moves between two connections every 100 ms, against one that stays.
enum Migrations {
    static func measure(_ options: Options, _ report: Report, _ child: Child) async throws {
        guard options.wants(.migrating) else { return }
        try await withHost(identity: .generate(.ed25519), configuration: .forBenchmarks([.noise])) { host in
            let peer = try await host.connect(to: child.peer, at: [child.address])
            _ = try await host.connectAgain(to: child.peer, at: [child.address])
            let connections = peer.connections
            _ = try await Throughput.send(peer, for: Throughput.warmUp)
            let (still, stillGap) = try await Throughput.send(peer, on: connections[0], for: options.duration)
            let moves = Mutex(0)
            let (rate, gap) = try await Throughput.send(peer, on: connections[0], for: options.duration) { stream in
                for turn in 1... {
                    try await Task.sleep(for: .milliseconds(100))
                    try await peer.migrate(stream, to: connections[turn % 2])
                    moves.withLock { $0 += 1 }
                }
            }
            report.add(.migratingStill, still)
            report.add(.migrating, rate)
            report.add(.stillGap, stillGap / .milliseconds(1))
            report.add(.migratingGap, gap / .milliseconds(1))
            report.add(.migrationCount, Double(moves.withLock { $0 }))
        }
    }
}
