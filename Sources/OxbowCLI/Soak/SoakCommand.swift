import ArgumentParser
import Oxbow
import OxbowCommandLine
import OxbowNIO

/// Many streams that move many times, for as long as it takes to trust them.
struct SoakCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soak", abstract: "Move many live streams many times, and check every byte.",
        discussion: """
            One end listens, the other dials, opens several connections and many streams, and conducts. Small writes flow on every \
            stream in both directions all the time, while both ends in turn move each stream to another connection. Each byte \
            is compared with what must come. In the end both ends count the same, nothing is left open, and memory is what it was after \
            the first fifth of the migrations.

            Exit status: 0 all that held; 1 something is left or memory grew; 2 no connection; 3 a stream was lost or \
            its bytes are wrong.
            """,
        subcommands: [SoakListenCommand.self, SoakDialCommand.self])
}

/// What both ends take.
struct SoakOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Prove each connection's life every so many seconds, and give it up when that takes as long again.",
            valueName: "seconds"))
    var keepAlive: Double?
    @Flag(help: "Let streams move by themselves, once a better connection stands. For both ends.")
    var upgrade = false

    func validate() throws {
        if let keepAlive, !(0.1...3_600).contains(keepAlive) {
            throw ValidationError("--keep-alive is 0.1 to 3600 seconds")
        }
    }

    func configuration(_ options: HostOptions) -> HostConfiguration {
        var configuration = options.configuration
        configuration.prepareForSoak(keepAlive: keepAlive, isUpgrade: upgrade)
        return configuration
    }
}

struct SoakListenCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "listen", abstract: "Be the end that is dialled, until Ctrl-C.")

    @Flag(help: "End after the first soak; the exit status tells how it went.")
    var once = false
    @OptionGroup var soak: SoakOptions
    @OptionGroup var listening: ListenOptions
    @OptionGroup var options: HostOptions
    @OptionGroup var output: OutputOptions

    func perform() async throws -> [(String, JSON)] {
        let command = self
        let identity = try options.identity(isListening: true)
        let configuration = soak.configuration(options)
        let fields = try await interruptible(isGraceful: !once) {
            try await withHost(identity: identity, configuration: configuration) { host in
                try await command.serve(host)
            }
        }
        return (fields ?? nil) ?? []
    }

    /// - Returns: with `--once` what the soak has shown at this end.
    private func serve(_ host: OxbowHost) async throws -> [(String, JSON)]? {
        let listener = SoakListener(host)
        listener.serve()
        try await listen(listening, host)
        for await outcome in listener.outcomes {
            do {
                let fields = try await result(outcome, host)
                if once { return fields }
                if output.json {
                    emit([("event", "soaked"), ("ok", true)] + fields)
                } else {
                    show("soaked, nothing is left")
                }
            } catch {
                if once { throw error }
                let why = CommandFailure(soak: error).description
                if output.json {
                    emit([("event", "soaked"), ("ok", false), ("error", .string(why))])
                } else {
                    show("a soak failed: \(why)")
                }
            }
        }
        return nil
    }

    private func show(_ text: String) { StandardError.write(line: printable("oxbow: \(text)")) }

    private func result(_ outcome: SoakListener.Outcome, _ host: OxbowHost) async throws -> [(String, JSON)] {
        switch outcome {
        case .failed(let error): throw CommandFailure(soak: error)
        case .done(let report):
            let left = await host.soakIsOver(besides: listening.relays.count)
            guard left.isZero, report.left.isZero else {
                throw CommandFailure(.failed, "something is left at the listener: \(left)", fields: report.fields)
            }
            return report.fields
        }
    }
}

struct SoakDialCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "dial", abstract: "Soak with a peer that runs 'oxbow soak listen'.",
        discussion: """
            Connections are opened at the given addresses in turn. With --upgrade all streams begin on a connection to the first address; \
            then one to the second is opened, which must be better, and the streams have to move there by themselves.
            """)

    @OptionGroup var dialing: DialOptions
    @Option(help: "How many streams, 1 to 4096.")
    var streams = 1_000
    @Option(help: "How often each stream moves. (default: 100)")
    var migrations: Int?
    @Option(help: "How many connections, 2 to 16. (default: 4)")
    var connections: Int?
    @Option(help: "How many migrations each end has under way at once, 1 to 1024.")
    var concurrent = 128
    @Option(help: ArgumentHelp("How much one write has, up to 16KiB.", valueName: "bytes"))
    var bytes = ByteCount(256)
    @Option(help: "Seconds from one write of a stream to its next.")
    var pace = 0.5
    @Option(help: "Which bytes flow and where streams go: the same for the same number.")
    var seed: UInt64 = 1
    @Option(help: "Seconds that everything may take.")
    var timeout = 900.0
    @Flag(help: "Go on when connections are lost, with the streams that are left.")
    var survive = false
    @OptionGroup var soak: SoakOptions
    @OptionGroup var options: HostOptions
    @OptionGroup var output: OutputOptions

    private var plan: SoakPlan {
        SoakPlan(
            streams: streams, migrations: migrations ?? (soak.upgrade ? 0 : 100),
            connections: connections ?? (soak.upgrade ? 1 : 4), concurrent: concurrent,
            bytes: Int(clamping: bytes.value), pace: pace, seed: seed, isSurviving: survive, isUpgrade: soak.upgrade)
    }

    func validate() throws {
        if let problem = plan.problem { throw ValidationError(problem) }
        if soak.upgrade, dialing.addresses.count != 2 {
            throw ValidationError("--upgrade takes two addresses: where streams begin, and a better one")
        }
        guard (1...604_800).contains(timeout) else { throw ValidationError("--timeout is 1 to 604800 seconds") }
    }

    func perform() async throws -> [(String, JSON)] {
        let command = self
        let identity = try options.identity(isListening: false)
        let configuration = soak.configuration(options)
        let result = try await interruptible {
            try await withHost(identity: identity, configuration: configuration) { host in
                let dialer = SoakDialer(
                    plan: command.plan, host: host, peer: try PeerAddress.commonPeer(of: command.dialing.addresses),
                    addresses: command.dialing.addresses.map(\.address), limit: .seconds(command.timeout),
                    view: SoakView(isJSON: command.output.json))
                do { return try await dialer.run() } catch { throw CommandFailure(soak: error) }
            }
        }
        guard let result else { return [] }
        if !output.json { StandardOutput.write(line: result.text) }
        guard result.shortcomings.isEmpty else {
            throw CommandFailure(
                .failed, result.shortcomings.joined(separator: "; "), fields: result.fields)
        }
        return result.fields
    }
}

extension CommandFailure {
    /// Why a soak failed.
    fileprivate init(soak error: any Error) {
        switch error {
        case let error as SoakError: self.init(.transfer, error.description)
        default: self.init(error)
        }
    }
}
