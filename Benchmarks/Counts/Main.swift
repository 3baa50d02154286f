import CallCounter
import Foundation

// What a hot path costs in instructions and allocations. This program runs one scenario; `Benchmarks/counts` runs them all
// under callgrind, and compares with the thresholds.

/// Something whose cost is counted: it is prepared, then run once inside of the count.
struct Scenario: Sendable {
    let name: String
    /// What is counted off, in the singular.
    let unit: String
    /// How many of these one run handles.
    let count: Int
    /// Gets everything ready, and warm: what is done for the first time costs more. Returns what is counted.
    let prepare: @Sendable (Int) throws -> () -> Void
}

/// A scenario that didn't do what it is to be counted for.
struct ScenarioFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Stops the program: a count of something else must not be taken for one of the scenario.
func require(_ isTrue: Bool, _ what: @autoclosure () -> String) {
    guard !isTrue else { return }
    FileHandle.standardError.write(Data("counts: it is not so that \(what())\n".utf8))
    exit(1)
}

@main
enum Main {
    static let scenarios = MachineScenarios.all + StreamScenarios.all

    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count == 1, let argument = arguments.first else { usage() }
        if argument == "--list" {
            for scenario in scenarios { print(scenario.name) }
            return
        }
        guard let scenario = scenarios.first(where: { $0.name == argument }) else { usage() }
        let body = try scenario.prepare(scenario.count)
        let spent = counted(body)
        let allocations = oxbow_counts_allocations() ? "\(spent.calls)" : "null"
        print(
            #"{"name": "\#(scenario.name)", "unit": "\#(scenario.unit)", "count": \#(scenario.count), "#
                + #""allocations": \#(allocations), "bytes": \#(spent.bytes)}"#)
    }

    private static func usage() -> Never {
        let text = "usage: OxbowCounts --list | NAME\nBenchmarks/counts runs all of them.\n"
        FileHandle.standardError.write(Data(text.utf8))
        exit(2)
    }

    private static func counted(_ body: @escaping () -> Void) -> oxbow_allocations {
        final class Box {
            let body: () -> Void

            init(_ body: @escaping () -> Void) {
                self.body = body
            }
        }
        let box = Box(body)
        return withExtendedLifetime(box) {
            oxbow_counted(
                { context in
                    guard let context else { return }
                    Unmanaged<Box>.fromOpaque(context).takeUnretainedValue().body()
                }, Unmanaged.passUnretained(box).toOpaque())
        }
    }
}
