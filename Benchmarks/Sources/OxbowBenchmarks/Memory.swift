import Oxbow

/// Resident memory of a fresh server process: idle, then with idle connections; another with idle streams.
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
        try await withHost(identity: .generate(.ed25519), configuration: .forBenchmarks([.noise])) { host in
            _ = try await host.connect(to: child.peer, at: [child.address])
            let (listener, dialer) = (Machine.residentKiB(child.pid), Machine.residentKiB(Machine.ownProcess))
            var open: [Oxbow.Stream] = []
            for _ in 0..<streams {
                let stream = try await host.open(to: child.peer, [BenchProtocol.echo])
                try await SmallThings.echo(on: stream)
                open.append(stream)
            }
            report.add(.perStreamListener, (Machine.residentKiB(child.pid) - listener) / Double(streams))
            report.add(.perStreamDialer, (Machine.residentKiB(Machine.ownProcess) - dialer) / Double(streams))
            open.forEach { $0.reset() }
        }
    }
}
