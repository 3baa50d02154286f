import Oxbow

/// Resident memory of fresh processes: a server's, idle and then with idle connections; those of the two ends of idle
/// streams.
enum Memory {
    private static let connections = 1_000
    private static let streams = 10_000

    static func measure(_ options: Options, _ report: Report) async throws {
        guard options.wants(Figure.idleProcess.rawValue) else { return }
        try await measureConnections(report)
        try await measureStreams(report)
    }

    private static func measureConnections(_ report: Report) async throws {
        let child = try Child()
        defer { child.stop() }
        report.add(.idleProcess, Machine.residentKiB(child.pid))
        try await withHost(identity: .generate(.ed25519), configuration: .forBenchmarks([.noise])) { host in
            let before = Machine.residentKiB(child.pid)
            for _ in 0..<connections { _ = try await host.connectAgain(to: child.peer, at: [child.address]) }
            report.add(.perConnection, (Machine.residentKiB(child.pid) - before) / Double(connections))
        }
    }

    private static func measureStreams(_ report: Report) async throws {
        let child = try Child()
        defer { child.stop() }
        let dialer = try StreamHolder(child, streams: streams)
        defer { dialer.stop() }
        let listener = Machine.residentKiB(child.pid)
        report.add(.perStreamDialer, try dialer.open())
        report.add(.perStreamListener, (Machine.residentKiB(child.pid) - listener) / Double(streams))
    }
}
