import ArgumentParser
import Oxbow
import OxbowCommandLine
import OxbowNIO

/// A relay for peers that can't reach each other.
struct RelayCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "relay", abstract: "Run a relay (circuit relay v2), until Ctrl-C.",
        discussion: """
            Peers behind NATs listen through it with 'oxbow listen --relay ADDRESS' or 'oxbow receive --relay ADDRESS', and are \
            reached at the addresses that those print. What it relays it can't read.
            """)

    @Option(help: ArgumentHelp("The most bytes that a circuit carries each way. (default: 128KiB)", valueName: "bytes"))
    var circuitBytes: ByteCount?
    @Option(help: ArgumentHelp("The most seconds that a circuit lasts. (default: 120)", valueName: "seconds"))
    var circuitSeconds: Int?
    @Flag(help: "Bound neither bytes nor time of a circuit.")
    var unlimited = false
    @Option(help: "Reservations at once. (default: 128)")
    var reservations: Int?
    @OptionGroup var listening: ListenOptions
    @OptionGroup var options: HostOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if unlimited, circuitBytes != nil || circuitSeconds != nil {
            throw ValidationError("--unlimited excludes --circuit-bytes and --circuit-seconds")
        }
        if let circuitSeconds, !(1...86_400).contains(circuitSeconds) {
            throw ValidationError("--circuit-seconds is 1 to 86400")
        }
        if let circuitBytes, circuitBytes.value < 64 * 1_024 {
            throw ValidationError("--circuit-bytes is at least 64KiB")
        }
        if let reservations, !(1...65_536).contains(reservations) {
            throw ValidationError("--reservations is 1 to 65536")
        }
    }

    func perform() async throws -> [(String, JSON)] {
        let command = self
        let identity = try options.identity(isListening: true)
        _ = try await interruptible(isGraceful: true) {
            try await withHost(identity: identity, configuration: command.configuration) { host in
                try await command.run(host)
            }
        }
        return []
    }

    private func run(_ host: OxbowHost) async throws {
        try await listen(listening, host)
        var shown: RelayStatistics?
        while !Task.isCancelled {
            let now = host.relayStatistics ?? RelayStatistics()
            if now != shown { show(now, since: shown) }
            shown = now
            try await Task.sleep(for: .milliseconds(250))
        }
    }

    private var configuration: HostConfiguration {
        var configuration = options.configuration
        // A relay that can't be reached is none.
        configuration.swarm.reachability.known = .public
        var relay = RelayServerConfiguration()
        if unlimited {
            relay.limit = nil
        } else {
            if let circuitBytes { relay.limit?.bytes = circuitBytes.value }
            if let circuitSeconds { relay.limit?.duration = .seconds(circuitSeconds) }
        }
        if let reservations { relay.bounds.reservations = reservations }
        configuration.swarm.relayServer = relay
        return configuration
    }

    private func show(_ now: RelayStatistics, since last: RelayStatistics?) {
        guard !output.json else { return emit([("event", "relay")] + now.fields) }
        // For people, what is relayed isn't news, who comes and goes is.
        guard now.reservations != last?.reservations || now.circuits != last?.circuits || now.refused != last?.refused
        else { return }
        StandardOutput.write(
            line: "\(now.reservations) reservations, \(now.circuits) circuits, \(ByteCount.text(now.bytes)) relayed, "
                + "\(now.refused) requests refused")
    }
}

extension RelayStatistics {
    fileprivate var refused: Int { refusals.values.reduce(0, +) }

    fileprivate var fields: [(String, JSON)] {
        [
            ("reservations", .int(Int64(reservations))), ("circuits", .int(Int64(circuits))), ("bytes", .uint(bytes)),
            ("reservations_granted", .int(Int64(reservationsGranted))),
            ("circuits_opened", .int(Int64(circuitsOpened))),
            ("out_of_bytes", .int(Int64(circuitsOutOfBytes))), ("out_of_time", .int(Int64(circuitsOutOfTime))),
            ("stalled", .int(Int64(circuitsStalled))), ("refused", .int(Int64(refused))),
            (
                "refusals",
                .object(refusals.sorted { "\($0.key)" < "\($1.key)" }.map { ("\($0.key)", .int(Int64($0.value))) })
            ),
        ]
    }
}
