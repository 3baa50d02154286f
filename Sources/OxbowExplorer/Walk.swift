import OxbowSeeds

/// A violation, and the events that lead to it from the start.
package struct Counterexample<Plan: WalkPlan>: Error, Sendable, CustomStringConvertible {
    package let plan: Plan
    package let violation: Violation
    package let path: [Plan.World.Event]

    package var description: String { "\(violation)\n\(Plan.World.chart(plan, path))" }
}

/// What a walk has to show.
package struct Outcome<Plan: WalkPlan>: Sendable {
    package let plan: Plan
    package var states = 0
    /// Events that were tried.
    package var steps = 0
    /// The longest way that was walked.
    package var depth = 0
    package var tally = Tally()
    /// The walk ended at its bound on states: it says nothing about the rest.
    package var isCut = false
    package var counterexample: Counterexample<Plan>?

    package var isPassed: Bool { counterexample == nil && !isCut }
}

/// Walks worlds and checks every state.
package struct Walk<Plan: WalkPlan> {
    package typealias World = Plan.World
    package typealias Event = World.Event
    package typealias Run = World.Run

    package let plan: Plan
    /// States at most.
    package var limit = 100_000_000
    /// Called now and then with what was done.
    package var progress: ((Outcome<Plan>) -> Void)?

    package init(_ plan: Plan, limit: Int = 100_000_000) {
        self.plan = plan
        self.limit = limit
    }

    /// Goes through every interleaving, depth first, so that few worlds are kept at once. What it finds wrong is looked
    /// for once more, breadth first: that way is the shortest.
    package func exhaust(_ run: Run? = nil) -> Outcome<Plan> {
        let run = run ?? Run(plan)
        var outcome = Outcome(plan: plan)
        let start = World(plan)
        var seen = Fingerprints()
        _ = seen.insert(start.fingerprint)
        var open = [(world: start, depth: 0)]
        while let (world, depth) = open.popLast() {
            outcome.states += 1
            outcome.depth = max(outcome.depth, depth)
            if outcome.states & 0xF_FFFF == 0 { progress?(outcome) }
            guard outcome.states <= limit else {
                outcome.isCut = true
                break
            }
            let events = world.events(plan)
            do throws(Violation) {
                if world.isAtRest(given: events, plan) {
                    run.tally.rests += 1
                    try world.checkRest(plan)
                }
                for event in events {
                    outcome.steps += 1
                    var next = world
                    try next.apply(event, run)
                    if seen.insert(next.fingerprint) { open.append((next, depth + 1)) }
                }
            } catch {
                var shortest = shortestCounterexample()
                (shortest.states, shortest.tally) = (outcome.states, run.tally)
                return shortest
            }
        }
        outcome.tally = run.tally
        return outcome
    }

    private struct Step {
        let parent: Int
        let event: Event
    }

    /// Goes breadth first until something is wrong.
    package func shortestCounterexample() -> Outcome<Plan> {
        let run = Run(plan)
        var outcome = Outcome(plan: plan)
        let start = World(plan)
        var seen = Fingerprints()
        _ = seen.insert(start.fingerprint)
        var steps: [Step] = []
        var layer = [(world: start, step: -1)]
        while !layer.isEmpty {
            var below: [(world: World, step: Int)] = []
            for (world, step) in layer {
                outcome.states += 1
                guard outcome.states <= limit else {
                    outcome.isCut = true
                    return outcome
                }
                let events = world.events(plan)
                do throws(Violation) {
                    if world.isAtRest(given: events, plan) { try world.checkRest(plan) }
                } catch {
                    return found(error, path(steps, to: step), outcome)
                }
                for event in events {
                    outcome.steps += 1
                    var next = world
                    do throws(Violation) { try next.apply(event, run) } catch {
                        return found(error, path(steps, to: step) + [event], outcome)
                    }
                    guard seen.insert(next.fingerprint) else { continue }
                    steps.append(Step(parent: step, event: event))
                    below.append((next, steps.count - 1))
                }
            }
            layer = below
            outcome.depth += 1
        }
        outcome.tally = run.tally
        return outcome
    }

    private func found(_ violation: Violation, _ path: [Event], _ outcome: Outcome<Plan>) -> Outcome<Plan> {
        var outcome = outcome
        outcome.counterexample = Counterexample(plan: plan, violation: violation, path: path)
        return outcome
    }

    private func path(_ steps: [Step], to last: Int) -> [Event] {
        var path: [Event] = []
        var index = last
        while index >= 0 {
            path.append(steps[index].event)
            index = steps[index].parent
        }
        return path.reversed()
    }

    /// Goes one way at random until nothing can happen any more.
    package func wander(seed: UInt64) -> Outcome<Plan> {
        let run = Run(plan)
        var outcome = Outcome(plan: plan)
        var random = SplitMix64(seed: seed)
        var world = World(plan)
        var path: [Event] = []
        while true {
            outcome.states += 1
            let events = world.events(plan)
            do throws(Violation) {
                if world.isAtRest(given: events, plan) { try world.checkRest(plan) }
                guard let event = events.randomElement(using: &random) else { break }
                path.append(event)
                try world.apply(event, run)
            } catch {
                outcome.counterexample = Counterexample(plan: plan, violation: error, path: path)
                break
            }
        }
        outcome.depth = path.count
        outcome.steps = path.count
        outcome.tally = run.tally
        return outcome
    }
}
