import Oxbow

/// Resident memory of a fresh server, idle and then with idle connections of one host.
enum Memory {
    private static let connections = 1_000

    static func measure(_ options: Options, _ report: Report) async throws {
        guard options.wants(.idleProcess) else { return }
        let child = try Child()
        defer { child.stop() }
        report.add(.idleProcess, Machine.residentKiB(child.pid))
        try await withHost(identity: .generate(.ed25519), configuration: .forBenchmarks([.noise])) { host in
            let before = Machine.residentKiB(child.pid)
            for _ in 0..<connections { _ = try await host.connectAgain(to: child.peer, at: [child.address]) }
            report.add(.perConnection, (Machine.residentKiB(child.pid) - before) / Double(connections))
        }
    }
}
