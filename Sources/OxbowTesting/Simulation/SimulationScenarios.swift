/// The standard scenarios: what a stream does × who moves it × how.
package struct SimulationScenario: Sendable {
    package let plan: SimulationPlan
    /// How many migrations it has to bring about when nothing goes wrong.
    package let migrations: Int

    package enum Use: String, CaseIterable {
        case bulk
        case requests
        case halfClosedByOpener = "half-closed-by-opener"
        case halfClosedByOther = "half-closed-by-other"
        case idle
    }

    package enum Initiator: String, CaseIterable {
        case opener
        case other
        /// Both at the same moment (SM-F4), with the opener as the lower peer or as the higher.
        case bothLow = "both-opener-lower"
        case bothHigh = "both-opener-higher"
    }

    package enum Way: String, CaseIterable {
        case once
        /// The other side moves it on while that is under way or just over (SM-F5).
        case chain
        /// From Noise to TLS.
        case toTLS = "to-tls"
        case prunedByInitiator = "pruned-by-initiator"
        case prunedByResponder = "pruned-by-responder"
        case prunedAbruptly = "pruned-abruptly"
    }

    /// All of them. Pruning is tried where bytes can be lost by it: with bytes under way, and half-closed (SM-M9).
    package static let all: [SimulationScenario] = {
        var all: [SimulationScenario] = []
        for use in Use.allCases {
            for initiator in Initiator.allCases {
                for way in [Way.once, .chain, .toTLS] { all.append(make(use, initiator, way)) }
            }
            guard use != .idle, use != .requests else { continue }
            for way in [Way.prunedByInitiator, .prunedByResponder, .prunedAbruptly] {
                all.append(make(use, .opener, way))
                all.append(make(use, .other, way))
            }
        }
        return all
    }()

    private static func make(_ use: Use, _ initiator: Initiator, _ way: Way) -> SimulationScenario {
        var lines = [SimulationPlan.Line(delay: .milliseconds(10)), .init(delay: .milliseconds(25))]
        if way == .toTLS { lines[1].security = .tls }
        if way == .chain { lines.append(.init(delay: .milliseconds(5))) }
        let (first, second) = scripts(use)
        let opener = initiator == .bothHigh ? 1 : 0
        var plan = SimulationPlan(
            "\(use.rawValue)/\(initiator.rawValue)/\(way.rawValue)", lines: lines,
            streams: [.init(opener: opener, first, second)])
        let at = Duration.milliseconds(55)
        if initiator != .other { plan.moves.append(.init(at: at, by: .opener, to: 1)) }
        if initiator != .opener { plan.moves.append(.init(at: at, by: .acceptor, to: 1)) }
        switch way {
        case .once, .toTLS: break
        case .chain:
            let side: SimulationPlan.Side = initiator == .other ? .opener : .acceptor
            // The responder is complete one way before the initiator: its own wish arrives in the middle of it.
            plan.moves.append(.init(at: at + .milliseconds(80), by: side, to: 2))
        case .prunedByInitiator: plan.pruning = .byInitiator
        case .prunedByResponder: plan.pruning = .byResponder
        case .prunedAbruptly: plan.pruning = .abruptly
        }
        return SimulationScenario(plan: plan, migrations: way == .chain ? 2 : 1)
    }

    private static func scripts(_ use: Use) -> (SimulationPlan.SideScript, SimulationPlan.SideScript) {
        typealias Script = SimulationPlan.SideScript
        // Long enough to be under way in each phase of the migration and behind it.
        let bulk = Script(total: 30_000, chunk: 5_000, step: .milliseconds(35))
        switch use {
        case .bulk:
            return (bulk, bulk)
        case .requests:
            var (requests, responses) = (Script(total: 4_000, chunk: 500), Script(total: 4_000, chunk: 500))
            (requests.pace, responses.pace) = (.requests(500), .responses(500))
            return (requests, responses)
        case .halfClosedByOpener:
            return (Script(total: 100, chunk: 100), bulk)
        case .halfClosedByOther:
            return (bulk, Script(total: 100, chunk: 100))
        case .idle:
            var idle = Script(total: 500, chunk: 500)
            idle.startsWriting = .milliseconds(300)
            return (idle, idle)
        }
    }
}
