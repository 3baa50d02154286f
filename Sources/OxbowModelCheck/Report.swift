import OxbowExplorer

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Prints a line at once, also into a pipe: a walk may take minutes.
func say(_ line: Any) {
    print(line)
    fflush(nil)
}

/// What was found, line by line, and the sums.
struct Report {
    private(set) var passed = 0
    private(set) var failed = 0
    private var states = 0
    private var walked = 0
    private var busy = Duration.zero
    private var caught = 0
    private var longest = 0
    private let start = ContinuousClock().now

    mutating func add(_ outcome: Outcome<some WalkPlan>, took time: Duration) {
        states += outcome.states
        busy += time
        let rate = Int(Double(outcome.states) / max(time / .seconds(1), 0.001))
        let figures =
            "\(thousands(outcome.states)) states, depth \(outcome.depth), \(thousands(rate)) states/s, "
            + "\(thousands(outcome.tally.rests)) ends"
        let isVacuous = outcome.tally.completed + outcome.tally.closed == 0 && outcome.counterexample == nil
        if outcome.isPassed, !isVacuous {
            passed += 1
            say("  ok    \(outcome.plan.name): \(figures)\n          \(outcome.plan)")
            return
        }
        failed += 1
        say("  FAIL  \(outcome.plan.name): \(figures)\n          \(outcome.plan)")
        if isVacuous { say("no stream was moved and no connection closed: the walk shows nothing") }
        if outcome.isCut { say("the bound on states was reached: raise --limit, or make the world smaller") }
        if let counterexample = outcome.counterexample { say(counterexample) }
    }

    mutating func add<Bounds: WalkPlan>(
        _ mutant: String, _ outcomes: [Outcome<Bounds>], isHonestSound: Bool, drawn: Bool
    ) {
        let shortest = outcomes.compactMap(\.counterexample).min { $0.path.count < $1.path.count }
        let states = outcomes.reduce(0) { $0 + $1.states }
        guard let shortest else {
            failed += 1
            return say("  FAIL  \(mutant): not caught in \(thousands(states)) states")
        }
        guard isHonestSound else {
            failed += 1
            return say("  FAIL  \(mutant): its world fails without it too")
        }
        passed += 1
        caught += 1
        longest = max(longest, shortest.path.count)
        let name = mutant.padding(to: 24)
        let property = shortest.violation.property.rawValue.padding(to: 5)
        say("  ok    \(name) \(property) \(shortest.path.count) events, \(thousands(states)) states")
        if drawn { say(shortest) }
    }

    mutating func addWalks(_ count: Int, states: Int, failures: Int) {
        walked += count
        if failures == 0 { passed += 1 } else { failed += 1 }
        say("  \(failures == 0 ? "ok  " : "FAIL")  \(thousands(count)) walks, \(thousands(states)) states")
    }

    func finish(json: Bool) {
        let seconds = (ContinuousClock().now - start) / .seconds(1)
        let rate = Int(Double(states) / max(busy / .seconds(1), 0.001))
        say("\(thousands(states)) states in \(Int(seconds)) s, \(thousands(rate)) states/s on each core")
        say("\(passed) passed, \(failed) failed")
        guard json else { return }
        say(
            "{\"command\":\"model-check\",\"passed\":\(passed),\"failed\":\(failed),\"states\":\(states),"
                + "\"statesPerSecondPerCore\":\(rate),\"mutantsCaught\":\(caught),"
                + "\"longestMutantCounterexample\":\(longest),\"walks\":\(walked),\"seconds\":\(Int(seconds))}")
    }
}

/// 1234567 as 1,234,567.
func thousands(_ number: Int) -> String {
    var digits = String(abs(number))
    var groups: [String] = []
    while digits.count > 3 {
        groups.insert(String(digits.suffix(3)), at: 0)
        digits.removeLast(3)
    }
    return (number < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
}

extension String {
    fileprivate func padding(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
