import ArgumentParser
import OxbowExplorer

/// Walks the real machines of migration and of connections through every interleaving within bounds: `make model-check`.
@main
struct ModelCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "oxbow-model-check",
        abstract: "Walk the machines of two and three peers through every order of events within bounds.",
        discussion: "Without a selection: the quick worlds, all mutants, and random walks. "
            + "Specs/stream-migration/model-check.md and Specs/connections.md say what is modelled.")

    @Flag(help: "Walk the wide worlds too.")
    var deep = false
    @Flag(help: "Show that every mutant is caught, and nothing else.")
    var mutants = false
    @Option(help: "Look for this mutant's shortest counterexample, and draw it.")
    var mutant: String?
    @Option(help: "Random walks through worlds beyond what can be exhausted.")
    var walks: Int?
    @Option(help: "The first seed of the random walks: one walk with a failing one replays it.")
    var seed: UInt64 = 0
    @Flag(help: "Print the table of transitions that were seen.")
    var transitions = false
    @Flag(help: "End with one JSON object.")
    var json = false
    @Option(help: "Walk only the worlds whose name contains this.")
    var only: String?
    @Option(help: "States at most in one world; one that has more counts as failed.")
    var limit = 60_000_000
    @Option(help: "Worlds walked at once.")
    var jobs = 2
    @OptionGroup(title: "A world of your own (it takes the place of the others)")
    var own: OwnPlan

    func validate() throws {
        guard limit > 0, jobs > 0, walks ?? 0 >= 0 else { throw ValidationError("Bounds are positive.") }
        if let mutant, Mutant(rawValue: mutant) == nil, PathsMutant(rawValue: mutant) == nil {
            let names = Mutant.allCases.map(\.rawValue) + PathsMutant.allCases.map(\.rawValue)
            throw ValidationError("Mutants are: \(names.joined(separator: ", ")).")
        }
    }

    func run() async throws {
        if transitions { return print(transitionDocument(), terminator: "") }
        var report = Report()
        let isSelection = mutants || mutant != nil || walks != nil || only != nil || own.isGiven
        if mutants || mutant != nil || !isSelection { await check(&report) }
        if own.isGiven {
            await exhaust([own.plan], &report)
        } else if only != nil || !isSelection {
            await exhaust(deep ? Plan.deep : Plan.quick, &report)
            await exhaust(deep ? PathsPlan.deep : PathsPlan.quick, &report)
        }
        if let count = walks ?? (isSelection ? nil : deep ? 2_000_000 : 20_000) { await wander(count, &report) }
        report.finish(json: json)
        if report.failed > 0 || report.passed == 0 { throw ExitCode.failure }
    }

    // MARK: Parts

    private func exhaust<Bounds: WalkPlan>(_ plans: [Bounds], _ report: inout Report) async {
        let plans = plans.filter { plan in only.map(plan.name.contains) ?? true }
        guard !plans.isEmpty else { return }
        say("Every interleaving:")
        await inParallel(plans) { [limit] plan in
            var walk = Walk(plan, limit: limit)
            let clock = ContinuousClock()
            let start = clock.now
            walk.progress = { say("  … \(thousands($0.states)) states of \($0.plan.name), depth \($0.depth)") }
            let outcome = walk.exhaust()
            return (outcome, clock.now - start)
        } then: { (result: (Outcome<Bounds>, Duration)) in
            report.add(result.0, took: result.1)
        }
    }

    private func check(_ report: inout Report) async {
        say("Mutants, with the property that fails and the length of the shortest counterexample:")
        let streams = Mutant.allCases.filter { mutant == nil || $0.rawValue == mutant }
        await check(streams.map { ($0.rawValue, Plan.plans(for: $0)) }, &report) { $0.mutant = nil }
        let connections = PathsMutant.allCases.filter { mutant == nil || $0.rawValue == mutant }
        await check(connections.map { ($0.rawValue, PathsPlan.plans(for: $0)) }, &report) { $0.mutant = nil }
    }

    private func check<Bounds: WalkPlan>(
        _ mutants: [(name: String, plans: [Bounds])], _ report: inout Report,
        _ repair: @escaping @Sendable (inout Bounds) -> Void
    ) async {
        await inParallel(mutants) { name, plans in
            // The same worlds without it have to pass: else they would catch anything.
            let honest = plans.map { plan in
                var plan = plan
                repair(&plan)
                return Walk(plan).exhaust()
            }
            return (name, plans.map { Walk($0).shortestCounterexample() }, honest.allSatisfy(\.isPassed))
        } then: { (result: (String, [Outcome<Bounds>], Bool)) in
            report.add(result.0, result.1, isHonestSound: result.2, drawn: mutant != nil)
        }
    }

    private func wander(_ count: Int, _ report: inout Report) async {
        say("Random walks, seeds from \(seed):")
        let share = 1_000
        let starts = Array(stride(from: 0, to: count, by: share))
        var states = 0
        var failures = 0
        await inParallel(starts) { [seed] start in
            (start..<min(start + share, count)).map { index in
                let seed = seed &+ UInt64(index)
                return Walk(Plan.random(seed: seed)).wander(seed: seed)
            }.reduce(into: (states: 0, found: [Outcome<Plan>]())) { sum, outcome in
                sum.states += outcome.states
                if !outcome.isPassed { sum.found.append(outcome) }
            }
        } then: { (result: (states: Int, found: [Outcome<Plan>])) in
            states += result.states
            failures += result.found.count
            for outcome in result.found.prefix(max(0, 3 - failures + result.found.count)) {
                say("  FAIL  \(outcome.plan.name): \(outcome.plan)\n\(outcome.counterexample?.description ?? "")")
            }
        }
        report.addWalks(count, states: states, failures: failures)
    }

    /// Works on `items`, `jobs` at a time, and hands over results in the order of the items.
    private func inParallel<Item: Sendable, Result: Sendable>(
        _ items: [Item], _ work: @escaping @Sendable (Item) -> Result, then take: (Result) -> Void
    ) async {
        await withTaskGroup(of: (Int, Result).self) { group in
            var next = 0
            var waiting: [Int: Result] = [:]
            var taken = 0
            func start() {
                guard next < items.count else { return }
                let (index, item) = (next, items[next])
                next += 1
                group.addTask { @concurrent in (index, work(item)) }
            }
            for _ in 0..<jobs { start() }
            while let (index, result) = await group.next() {
                start()
                waiting[index] = result
                while let ready = waiting.removeValue(forKey: taken) {
                    take(ready)
                    taken += 1
                }
            }
        }
    }
}

/// The bounds of one world, from the command line.
struct OwnPlan: ParsableArguments {
    @Option(help: "Bytes that each application writes.")
    var bytes: Int?
    @Option(help: "Migrations that each side may start.")
    var attempts: Int?
    @Option(help: "Faults.")
    var faults: Int?
    @Option(help: "Window of each underlying stream.")
    var window: Int?

    var isGiven: Bool { bytes != nil || attempts != nil || faults != nil || window != nil }

    var plan: Plan {
        Plan("own") {
            $0.bytes = [bytes ?? 1, bytes ?? 1]
            $0.attempts = [attempts ?? 1, attempts ?? 1]
            $0.faults = faults ?? 0
            $0.window = window ?? 4
        }
    }

    func validate() throws {
        guard (0...9).contains(bytes ?? 0), (0...9).contains(attempts ?? 0), (0...9).contains(faults ?? 0),
            (1...9).contains(window ?? 1)
        else { throw ValidationError("Bounds of a world are from 0 to 9, a window from 1.") }
    }
}
