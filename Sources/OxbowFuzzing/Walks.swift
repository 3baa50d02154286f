import OxbowExplorer

// The explorer walks small worlds through every order of events. Here the input is the order, so that a mutated input is a
// neighbouring order, and worlds may be wider than can be exhausted.

extension FuzzTarget {
    static let walks = [
        FuzzTarget(
            "migration", "two real migration machines, or three, in an order of events, with faults: P1 to P11",
            maximumLength: 256, seeds: { walkSeeds(Plan.deep.count) }, migration),
        FuzzTarget(
            "connections", "two peers' sets of connections in an order of events: CS-4 to CS-12", maximumLength: 256,
            seeds: { walkSeeds(PathsPlan.deep.count) }, connections),
    ]

    private static func walkSeeds(_ plans: Int) -> [[UInt8]] {
        let random: [[UInt8]] = [[255, 0, 7], [255, 1, 9]]
        return random + (0..<plans).map { plan in [UInt8(plan)] + Array(scheduleSeed(2 * plan + 3).prefix(60)) }
    }

    /// The first byte picks a listed plan, or one that the next two bytes stand for.
    private static func migration(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let pick = Int(input.byte())
        guard pick >= Plan.deep.count else { return try walk(Plan.deep[pick], &input) }
        return try walk(Plan.random(seed: UInt64(input.int(below: 65_536))), &input)
    }

    private static func connections(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        try walk(PathsPlan.deep[input.int(below: PathsPlan.deep.count)], &input)
    }

    /// Goes one way through a world. When the input is used up, what is bound to happen happens, in turns, until nothing
    /// is left of it: a world at rest has to satisfy more.
    static func walk<Bounds: WalkPlan>(_ plan: Bounds, _ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let run = Bounds.World.Run(plan)
        var world = Bounds.World(plan)
        var path: [Bounds.World.Event] = []
        do throws(Violation) {
            while path.count < 4_000 {
                let events = world.events(plan)
                let due = events.filter { world.isMandatory($0, plan) }
                if due.isEmpty { try world.checkRest(plan) }
                let event: Bounds.World.Event
                if !input.isEmpty, !events.isEmpty {
                    event = events[input.int(below: events.count)]
                } else if due.isEmpty {
                    return .accepted
                } else {
                    event = due[path.count % due.count]
                }
                path.append(event)
                try world.apply(event, run)
            }
        } catch {
            throw FuzzFailure("\(plan): \(error)\n\(Bounds.World.chart(plan, path))")
        }
        throw FuzzFailure("\(plan) doesn't come to rest within \(path.count) events")
    }
}
