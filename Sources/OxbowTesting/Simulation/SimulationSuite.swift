/// Every single-fault point of the standard scenarios, numbered.
package struct SimulationSuite: Sendable {
    /// One scenario with what its run without a fault has shown.
    package struct Entry: Sendable {
        package let scenario: SimulationScenario
        /// How many events it has: a fault can strike before each, and behind the last.
        package let events: Int
        /// The number of its first point.
        package let firstPoint: Int
        package let points: Int
        /// What the run without a fault violated.
        package let violations: [SimulationViolation]
        package let counts: SimulationCounts
    }

    package let entries: [Entry]
    package let points: Int
    private let kinds: [SimulationFault.Kind]

    /// Runs each scenario once without a fault.
    ///
    /// - Parameter kinds: the kinds of faults to try.
    package init(
        _ scenarios: [SimulationScenario] = SimulationScenario.all,
        kinds: [SimulationFault.Kind] = SimulationFault.Kind.allCases
    ) {
        self.kinds = kinds
        var entries: [Entry] = []
        var next = 0
        for scenario in scenarios {
            let run = SimulationRun(scenario.plan)
            var violations = run.execute()
            let (moved, wanted) = (run.counts.migrations, 2 * scenario.migrations)
            if moved != wanted {
                violations.append(SimulationViolation(.p3, "\(moved) sides completed a migration, not \(wanted)"))
            }
            let points = (run.events + 1) * kinds.count * scenario.plan.lines.count
            entries.append(
                Entry(
                    scenario: scenario, events: run.events, firstPoint: next, points: points, violations: violations,
                    counts: run.counts))
            next += points
        }
        (self.entries, points) = (entries, next)
    }

    /// The plan of a point: its scenario with its fault.
    package func plan(_ point: Int) -> SimulationPlan? {
        guard let entry = entries.last(where: { $0.firstPoint <= point }), point < points else { return nil }
        var rest = point - entry.firstPoint
        var plan = entry.scenario.plan
        let (lineCount, kindCount) = (plan.lines.count, kinds.count)
        let line = rest % lineCount
        rest /= lineCount
        plan.faults = [SimulationFault(kinds[rest % kindCount], on: line, at: .event(rest / kindCount))]
        plan.name += ", point \(point)"
        return plan
    }
}
