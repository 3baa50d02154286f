import ArgumentParser
import Foundation
import OxbowTesting

/// `oxbow-simulate`: whole hosts on a simulated network with faults.
@main
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "oxbow-simulate",
        abstract: "Move streams between whole hosts on a simulated network, with faults at every point.",
        discussion: """
            Without --seed and --point: every single-fault point of the standard scenarios, then as many random seeds as \
            --seeds says. A violation is printed with what replays it. Exit status: 0 nothing was violated, 1 something \
            was. Specs/stream-migration/simulation.md tells what is simulated and checked.
            """)

    @Option(help: "How many random seeds to run.")
    var seeds = 1_000
    @Option(help: "The first of them.")
    var from: UInt64 = 1
    @Option(help: "Run this one seed alone, and print what happened.")
    var seed: UInt64?
    @Option(help: "Run this one single-fault point alone, and print what happened.")
    var point: Int?
    @Option(help: "Run only every n-th single-fault point; 0: none.")
    var every = 1
    @Option(help: "How many faults a seed has at most.")
    var faults = 3
    @Option(help: "How many threads to use.")
    var jobs = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print the figures as one JSON object in the last line.")
    var json = false

    func validate() throws {
        guard seeds >= 0, every >= 0, faults >= 0, jobs > 0 else {
            throw ValidationError("--seeds, --every and --faults are not negative, --jobs is at least 1")
        }
    }

    func run() throws {
        if let seed { return try replay(.random(seed, maximumFaults: faults)) }
        CrashReporter.install(jobs: jobs)
        let suite = SimulationSuite(every == 0 && point == nil ? [] : SimulationScenario.all)
        if let point {
            guard let plan = suite.plan(point) else {
                throw ValidationError("there are \(suite.points) points, numbered from 0")
            }
            return try replay(plan)
        }
        let points = every == 0 ? 0 : (suite.points + every - 1) / every
        let bench = SimulationBench(
            suite: suite, every: max(every, 1), points: points, seeds: seeds, firstSeed: from, faults: faults)
        let summary = bench.run(jobs: jobs)
        summary.print(json: json)
        if summary.failed > 0 { throw ExitCode.failure }
    }

    /// Runs one plan and prints its events.
    private func replay(_ plan: SimulationPlan) throws {
        let run = SimulationRun(plan, keepsTrace: true)
        let violations = run.execute()
        print(SimulationReport.text(plan, run, violations))
        let (passed, failed) = violations.isEmpty ? (1, 0) : (0, 1)
        print("\(passed) passed, \(failed) failed")
        if json {
            let hash = String(run.trace.hash, radix: 16)
            print("{\"passed\": \(passed), \"failed\": \(failed), \"events\": \(run.events), \"trace\": \"\(hash)\"}")
        }
        if !violations.isEmpty { throw ExitCode.failure }
    }
}
