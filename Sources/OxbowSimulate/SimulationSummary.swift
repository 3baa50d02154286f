import OxbowCore
import OxbowTesting

/// What all runs came to.
struct SimulationSummary {
    let scenarios: Int
    let points: Int
    let seeds: Int
    let failed: Int
    let counts: SimulationCounts
    let seconds: Double
    let pointSeconds: Double

    private var runs: Int { scenarios + points + seeds }
    private var hours: Double { (counts.virtualTime / .seconds(3_600)).rounded(to: 10) }

    func print(json: Bool) {
        Swift.print(
            """
            \(scenarios) scenarios, \(points) single-fault points, \(seeds) seeds: \(seconds.rounded(to: 10)) s, \
            \(Int(Double(runs) / max(seconds, 0.001))) runs a second
            \(counts.events) events in \(hours) virtual hours, \(counts.faults) faults, \(counts.pruned) connections pruned
            \(counts.asked) moves asked for: \(counts.completed) completed, \(counts.denied) denied, \
            \(counts.failed) lost, \(counts.refused) refused, \(counts.ended) overtaken by the stream's end
            \(counts.clean) sides ended cleanly, \(counts.aborted) with an error; \(counts.bytes) bytes delivered
            """)
        let passed = max(0, runs - failed)
        Swift.print("\(passed) passed, \(failed) failed")
        guard json else { return }
        Swift.print(
            """
            {"passed": \(passed), "failed": \(failed), "scenarios": \(scenarios), "points": \(points), \
            "seeds": \(seeds), "events": \(counts.events), "virtualHours": \(hours), \
            "seconds": \(seconds.rounded(to: 10)), "pointSeconds": \(pointSeconds.rounded(to: 10)), \
            "faults": \(counts.faults), "pruned": \(counts.pruned), "movesAsked": \(counts.asked), \
            "movesCompleted": \(counts.completed), "movesDenied": \(counts.denied), "movesLost": \(counts.failed), \
            "movesRefused": \(counts.refused), "movesOvertaken": \(counts.ended), \
            "sidesClean": \(counts.clean), "sidesAborted": \(counts.aborted), "bytes": \(counts.bytes)}
            """)
    }
}

extension Double {
    fileprivate func rounded(to parts: Double) -> Double { (self * parts).rounded() / parts }
}
