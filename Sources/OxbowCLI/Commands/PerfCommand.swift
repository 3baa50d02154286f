import ArgumentParser
import Oxbow
import OxbowCommandLine
import OxbowProtocols

/// `/perf/1.0.0`, both sides.
struct PerfCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perf", abstract: "Measure how fast bytes go to a peer and back (/perf/1.0.0).",
        usage: """
            oxbow perf listen [<options>]
            oxbow perf <address> ... [--upload <bytes>] [--download <bytes>] [<options>]
            """,
        subcommands: [PerfListenCommand.self, PerfDialCommand.self], defaultSubcommand: PerfDialCommand.self)
}

struct PerfListenCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "listen", abstract: "Be the peer that others measure, until Ctrl-C.")

    @OptionGroup var listening: ListenOptions
    @OptionGroup var options: HostOptions
    @OptionGroup var output: OutputOptions

    func perform() async throws -> [(String, JSON)] {
        let command = self
        let identity = try options.identity(isListening: true)
        _ = try await interruptible(isGraceful: true) {
            try await withHost(identity: identity, configuration: command.options.configuration) { host in
                host.servePerf()
                let events = host.events()
                try await command.listen(command.listening, host)
                for await _ in events {}
            }
        }
        return []
    }
}

struct PerfDialCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "dial", abstract: "Measure a peer that serves /perf/1.0.0.")

    @OptionGroup var dialing: DialOptions
    @Option(help: ArgumentHelp("How much to send, such as 64MiB.", valueName: "bytes"))
    var upload = ByteCount(64 << 20)
    @Option(help: ArgumentHelp("How much to ask for.", valueName: "bytes"))
    var download = ByteCount(64 << 20)
    @Option(name: .customLong("repeat"), help: "How many times to measure.")
    var repetitions = 1
    @OptionGroup var options: HostOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...10_000).contains(repetitions) else { throw ValidationError("--repeat is 1 to 10000") }
    }

    func perform() async throws -> [(String, JSON)] {
        let command = self
        let identity = try options.identity(isListening: false)
        let results = try await interruptible {
            try await withHost(identity: identity, configuration: command.options.configuration) { host in
                let peer = try await command.dialing.connect(host)
                try peer.require(Perf.protocolID, command: "oxbow perf listen")
                var results: [PerfResult] = []
                for _ in 0..<command.repetitions {
                    let result = try await peer.perf(upload: command.upload.value, download: command.download.value)
                    if !command.output.json { StandardOutput.write(line: result.text) }
                    results.append(result)
                }
                return results
            }
        }
        return [("runs", .array((results ?? []).map(\.json)))]
    }
}

extension PerfResult {
    var up: Rate { Rate(bytes: uploaded, time: uploadTime) }
    var down: Rate { Rate(bytes: downloaded, time: downloadTime) }

    var text: String {
        "upload \(ByteCount.text(uploaded)) in \(decimal(uploadTime.seconds, 3)) s: \(up.text), "
            + "download \(ByteCount.text(downloaded)) in \(decimal(downloadTime.seconds, 3)) s: \(down.text)"
    }

    var json: JSON {
        .object([
            ("upload_bytes", .uint(uploaded)), ("upload_seconds", .rounded(uploadTime.seconds)),
            ("upload_bytes_per_second", .rounded(up.bytesPerSecond)), ("download_bytes", .uint(downloaded)),
            ("download_seconds", .rounded(downloadTime.seconds)),
            ("download_bytes_per_second", .rounded(down.bytesPerSecond)),
        ])
    }
}
