import Foundation
import Oxbow

@main
enum Main {
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            switch arguments.first {
            case Child.command: try await Server.run(try ServerRole(arguments.dropFirst()))
            case IdleDialer.command: try await IdleDialer.run(arguments.dropFirst())
            case Awake.command: try await Awake.run()
            default: try await measure(try Options(arguments))
            }
        } catch {
            FileHandle.standardError.write(Data("benchmarks: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func measure(_ options: Options) async throws {
        print(options.machine)
        print("\(options.runs) run(s), \(options.seconds) s each; medians; all processes on this machine\n")
        let report = Report()
        try await Awake.during(options.isAwake) {
            for round in 1...options.runs {
                progress("run \(round) of \(options.runs)")
                try await measureOnce(options, report)
            }
        }
        // What hardly varies, and takes its time, is measured once.
        try await Scale.measure(options, report)
        guard !report.isEmpty else { throw Failure("no figure's key matches --only; a run with --json shows the keys") }
        print(report.table)
        if let file = options.results { try write(report.results(options), to: file) }
        if options.isJSON { print(report.json(options)) }
    }

    private static func measureOnce(_ options: Options, _ report: Report) async throws {
        try AEADSpeed.measure(options, report)
        let child = try Child()
        defer { child.stop() }
        try await Throughput.measure(options, report, child)
        try await Fanout.measure(options, report, child)
        try await Relaying.measure(options, report, child)
        try await SmallThings.measure(options, report, child)
        try await Dials.measure(options, report, child)
        try await Migrations.measure(options, report, child)
        try await Moves.measure(options, report)
        try await Peers.measure(options, report, child)
        try await Memory.measure(options, report)
    }

    private static func write(_ text: String, to file: String) throws {
        do {
            try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: file))
        } catch { throw Failure("the results can't be written to \(file): \(error.localizedDescription)") }
    }
}

/// Tells a person who waits what is going on.
func progress(_ text: String) {
    FileHandle.standardError.write(Data("  … \(text)\n".utf8))
}
