import Foundation
import NIOPosix
import Oxbow

/// What the command line asks for.
struct Options {
    var seconds = 3.0
    var runs = 3
    var isJSON = false
    /// Only the measurements whose keys match.
    var only: String?

    var duration: Duration { .milliseconds(Int(seconds * 1_000)) }
    /// What needs many small things rather than much time is measured for half as long.
    var shortDuration: Duration { duration / 2 }

    init(_ arguments: some Sequence<String>) throws {
        var iterator = arguments.makeIterator()
        while let name = iterator.next() {
            switch name {
            case "--seconds": seconds = try Self.number(name, iterator.next())
            case "--runs": runs = Int(try Self.number(name, iterator.next()).rounded(.up))
            case "--only": only = iterator.next()
            case "--json": isJSON = true
            default:
                throw Failure("unknown option \(name); use --seconds N, --runs N, --only REGEX, --json")
            }
        }
    }

    private static func number(_ name: String, _ text: String?) throws -> Double {
        guard let value = text.flatMap(Double.init), value > 0, value <= 3_600 else {
            throw Failure("\(name) takes a number above 0, up to 3600")
        }
        return value
    }

    func wants(_ key: String) -> Bool {
        only.map { key.range(of: $0, options: .regularExpression) != nil } ?? true
    }
}

/// A measurement that can't be made.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

@main
enum Main {
    static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        do {
            if arguments.first == Child.command {
                try await Server.run()
            } else if arguments.first == StreamHolder.command {
                try await StreamHolder.run(Array(arguments.dropFirst()))
            } else {
                try await measure(try Options(arguments))
            }
        } catch {
            FileHandle.standardError.write(Data("benchmarks: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func measure(_ options: Options) async throws {
        print(Machine.description)
        print("\(options.runs) run(s), \(options.seconds) s each; medians; both processes on this machine\n")
        let report = Report()
        for round in 1...options.runs {
            progress("run \(round) of \(options.runs)")
            try AEADSpeed.measure(options, report)
            let child = try Child()
            try await Throughput.measure(options, report, child)
            try await SmallThings.measure(options, report, child)
            try await Dials.measure(options, report, child)
            try await Migrations.measure(options, report, child)
            child.stop()
            try await Memory.measure(options, report)
        }
        print(report.table)
        if options.isJSON { print(report.json(options)) }
    }
}

/// Tells a person who waits what is going on.
func progress(_ text: String) {
    FileHandle.standardError.write(Data("  … \(text)\n".utf8))
}
