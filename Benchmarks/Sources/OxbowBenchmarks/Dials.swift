import Oxbow

/// Connections that are opened one after the other.
enum Dials {
    static func measure(_ options: Options, _ report: Report, _ child: Child) async throws {
        if options.wants(.plainDials) {
            let rate = try await perSecond(options.shortDuration) {
                _ = try await PlainClient.roundTrips(to: child.plainPort, for: .zero)
            }
            report.add(.plainDials, rate)
        }
        try await measure(.noise, options, report, child, .noiseDials, .noiseDialsIdentified)
        try await measure(.tls, options, report, child, .tlsDials, .tlsDialsIdentified)
    }

    private static func measure(
        _ security: SecurityProtocol, _ options: Options, _ report: Report, _ child: Child, _ plain: Figure,
        _ identified: Figure
    ) async throws {
        guard options.wants(plain) || options.wants(identified) else { return }
        let (id, address) = (child.peer, child.address)
        try await withHost(identity: .generate(.ed25519), configuration: .forBenchmarks([security])) { host in
            let withIdentify = try await perSecond(options.shortDuration) {
                try await host.connectAgain(to: id, at: [address]).close()
            }
            report.add(identified, withIdentify)
            let events = host.events()
            let rate = try await perSecond(options.shortDuration) {
                // A dial gives back when identify has ended; the connection stands before that.
                let dial = Task { try await host.connectAgain(to: id, at: [address]) }
                for await event in events {
                    if case .connectionOpened = event { break }
                }
                host.peer(id)?.connections.forEach { $0.close() }
                _ = await dial.result
            }
            report.add(plain, rate)
        }
    }
}

/// How often `body` runs in a second, one by one.
func perSecond(_ time: Duration, _ body: () async throws -> Void) async throws -> Double {
    let start = ContinuousClock.now
    var count = 0
    while start.duration(to: .now) < time {
        try await body()
        count += 1
    }
    return Double(count) / (start.duration(to: .now) / .seconds(1))
}
