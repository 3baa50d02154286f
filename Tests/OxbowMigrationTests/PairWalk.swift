/// Walks worlds and checks every state. A violation carries the events that lead to it.
struct PairWalk {
    struct Found: Error, CustomStringConvertible {
        let violation: Violation
        let path: [PairEvent]

        var description: String { "\(violation)\n  after \(path.map { "\($0)" }.joined(separator: "\n        "))" }
    }

    private struct Step {
        let parent: Int
        let event: PairEvent
    }

    let plan: PairPlan
    private(set) var states = 0
    private(set) var isCut = false
    private(set) var tally = PairTally()
    private var steps: [Step] = []

    init(_ plan: PairPlan) {
        self.plan = plan
    }

    /// Goes through every interleaving, depth first. Hashes stand for the states that were seen: for 10^6 states the
    /// chance that two share one is below 10^-7.
    mutating func exhaust(limit: Int = 1_000_000) throws(Found) {
        let start = PairWorld(plan)
        var seen: Set<Int> = [start.hashValue]
        var open = [(world: start, step: -1)]
        while let (world, step) = open.popLast() {
            states += 1
            guard states < limit else { return isCut = true }
            let events = world.events(plan)
            do throws(Violation) {
                if !events.contains(where: \.isMandatory) { try world.checkRest(plan) }
            } catch {
                throw Found(violation: error, path: path(to: step))
            }
            for event in events {
                var next = world
                do throws(Violation) {
                    try next.apply(event, plan, &tally)
                } catch {
                    throw Found(violation: error, path: path(to: step) + [event])
                }
                guard seen.insert(next.hashValue).inserted else { continue }
                steps.append(Step(parent: step, event: event))
                open.append((next, steps.count - 1))
            }
        }
    }

    /// Goes one way at random until nothing can happen any more.
    mutating func wander(seed: UInt64) throws(Found) {
        var random = SplitMix(state: seed)
        var world = PairWorld(plan)
        var path: [PairEvent] = []
        while true {
            states += 1
            let events = world.events(plan)
            do throws(Violation) {
                if !events.contains(where: \.isMandatory) { try world.checkRest(plan) }
                guard let event = events.randomElement(using: &random) else { return }
                path.append(event)
                try world.apply(event, plan, &tally)
            } catch {
                throw Found(violation: error, path: path)
            }
        }
    }

    private func path(to step: Int) -> [PairEvent] {
        var path: [PairEvent] = []
        var at = step
        while at >= 0 {
            path.append(steps[at].event)
            at = steps[at].parent
        }
        return path.reversed()
    }
}

/// A seeded generator (SplitMix64): a failing seed replays.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
