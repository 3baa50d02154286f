// The worlds of connections that are walked. `Specs/connections.md` lists them with what they came to.

extension PathsPlan {
    private static let relayed = PlannedLink(isRelayed: true, stands: true)
    private static let refusable = PlannedLink { $0.mayBeRefused = true }

    /// Short enough for every run of the tests, in a build for debugging.
    package static let tests: [PathsPlan] = [
        PathsPlan("simultaneous dial, no streams") { $0.streams = [] },
        PathsPlan("simultaneous dial, the higher is manual") {
            $0.behaviours[1] = .manual
            $0.streams = [PlannedStream(opener: 1)]
        },
        PathsPlan("relayed, then direct, the lower is manual") {
            $0.behaviours[0] = .manual
            $0.links = [relayed, PlannedLink()]
        },
    ]

    /// For CI.
    package static let quick: [PathsPlan] = [
        PathsPlan("simultaneous dial, the higher opens") { $0.streams = [PlannedStream(opener: 1)] },
        PathsPlan("simultaneous dial, one refused") {
            $0.links = [PlannedLink(dialer: 1, stands: true), refusable]
            $0.streams = [PlannedStream()]
        },
        PathsPlan("relayed, then direct") {
            $0.links = [relayed, PlannedLink(dialer: 1)]
            $0.streams = [PlannedStream(opener: 1)]
        },
        PathsPlan("relayed, then direct, loops apart") {
            $0.links = [relayed, PlannedLink()]
            $0.streams = [PlannedStream()]
            $0.usesLoops = true
        },
        PathsPlan("relayed, then two direct, the higher is manual") {
            $0.behaviours[1] = .manual
            $0.links = [relayed, PlannedLink(), PlannedLink(dialer: 1)]
            $0.streams = [PlannedStream(opener: 1)]
            ($0.mostMoves, $0.mostAttempts) = (2, 3)
        },
        PathsPlan("two dials of the lower") {
            $0.links = [PlannedLink(), PlannedLink()]
            $0.streams = [PlannedStream(opener: 1)]
            ($0.mostMoves, $0.mostAttempts) = (2, 3)
        },
        PathsPlan("two dials of the higher") {
            $0.links = [PlannedLink(dialer: 1), PlannedLink(dialer: 1)]
            $0.streams = [PlannedStream()]
            ($0.mostMoves, $0.mostAttempts) = (2, 3)
        },
        PathsPlan("the lower is manual") {
            $0.behaviours[0] = .manual
            $0.links = [relayed, PlannedLink()]
        },
        PathsPlan("the higher is manual") {
            $0.behaviours[1] = .manual
            $0.streams = [PlannedStream(opener: 1)]
        },
        PathsPlan("the higher is a stock host") {
            $0.behaviours[1] = .stock
            $0.links = [relayed, PlannedLink()]
            $0.streams = [PlannedStream(ends: true), PlannedStream(opener: 1, ends: true)]
            $0.left = nil
        },
        PathsPlan("a stream that can't move") {
            $0.links = [relayed, PlannedLink()]
            $0.streams = [PlannedStream(isLabelled: false, ends: true)]
        },
        PathsPlan("kept by the application") {
            $0.links = [relayed, PlannedLink()]
            $0.links[0].isKept = [true, true]
            $0.streams = [PlannedStream()]
            $0.left = 2
        },
        PathsPlan("the best degrades") {
            $0.links = [relayed, PlannedLink(stands: true)]
            $0.streams = [PlannedStream()]
            $0.degradations = [1, 0]
            ($0.recoveries, $0.silences) = (1, 1)
            ($0.mostMoves, $0.mostAttempts) = (2, 3)
        },
        PathsPlan("a loss") {
            $0.links = [relayed, PlannedLink()]
            $0.streams = [PlannedStream()]
            $0.losses = 1
        },
    ]

    /// The wide ones, besides.
    package static let deep: [PathsPlan] =
        quick + [
            PathsPlan("simultaneous dial, loops apart") {
                $0.streams = [PlannedStream(opener: 1)]
                $0.usesLoops = true
            },
            PathsPlan("simultaneous dial, the lower opens") { $0.streams = [PlannedStream()] },
            PathsPlan("simultaneous dial, both open"),
            PathsPlan("a loss in a simultaneous dial, loops apart") {
                $0.streams = [PlannedStream()]
                $0.losses = 1
                $0.usesLoops = true
            },
            PathsPlan("a stream that ends") {
                $0.links = [relayed, PlannedLink()]
                $0.streams = [PlannedStream(opener: 1, ends: true)]
            },
            PathsPlan("streams that end") {
                $0.links = [relayed, PlannedLink()]
                $0.streams = [PlannedStream(isLabelled: false, ends: true), PlannedStream(opener: 1, ends: true)]
            },
            PathsPlan("relayed, then direct, one at once") {
                $0.links = [relayed, PlannedLink(dialer: 1)]
                $0.movesAtOnce = 1
            },
            PathsPlan("two dials of the lower, both open") {
                $0.links = [PlannedLink(), PlannedLink()]
                ($0.mostMoves, $0.mostAttempts) = (2, 3)
            },
            PathsPlan("relayed, then two direct, no streams") {
                $0.links = [relayed, PlannedLink(), PlannedLink(dialer: 1)]
                $0.streams = []
            },
            PathsPlan("relayed, then punched by both") {
                $0.links = [relayed, PlannedLink(), PlannedLink(dialer: 1)]
                $0.streams = [PlannedStream(opener: 1)]
                ($0.mostMoves, $0.mostAttempts) = (2, 3)
            },
            PathsPlan("relayed and a simultaneous dial") {
                $0.links = [relayed, PlannedLink(), PlannedLink(dialer: 1)]
                ($0.mostMoves, $0.mostAttempts) = (2, 3)
            },
            PathsPlan("both degrade") {
                $0.links = [relayed, PlannedLink(dialer: 1, stands: true)]
                $0.streams = [PlannedStream(opener: 1)]
                $0.degradations = [1, 1]
                ($0.recoveries, $0.silences) = (2, 1)
                ($0.mostMoves, $0.mostAttempts) = (4, 5)
            },
            PathsPlan("simultaneous dial, three streams") {
                $0.streams = [PlannedStream(), PlannedStream(opener: 1), PlannedStream(opener: 1)]
            },
            PathsPlan("two losses") {
                $0.links = [relayed, PlannedLink(), PlannedLink(dialer: 1)]
                $0.streams = [PlannedStream(opener: 1)]
                $0.losses = 2
                ($0.mostMoves, $0.mostAttempts) = (2, 3)
            },
        ]

    /// The smallest worlds that show a mutant.
    package static func plans(for mutant: PathsMutant) -> [PathsPlan] {
        var plan = PathsPlan("mutant") {
            $0.mutant = mutant
            $0.streams = [PlannedStream(opener: 1)]
        }
        switch mutant {
        case .ownRanking: plan.streams = []
        case .closesAtFirstPong: plan.behaviours[1] = .manual
        case .dialerMistaken, .higherMovesWithinClass:
            plan.links = [PlannedLink(), PlannedLink()]
            (plan.mostMoves, plan.mostAttempts) = (2, 3)
        case .confirmedAtOnce:
            plan.links = [PlannedLink(dialer: 1, stands: true), refusable]
        case .closesAtGoAway, .closesBusy, .refusesLate, .ignoresGoAway, .lateStreamStays, .movesLeftCounted:
            plan.links = [relayed, PlannedLink()]
            // Else the other side would see to it.
            if mutant == .lateStreamStays { plan.behaviours[1] = .manual }
        case .lateOpenFails, .givesUpLast:
            plan.links = [relayed, PlannedLink()]
            plan.usesLoops = true
            if mutant == .givesUpLast { (plan.streams, plan.losses) = ([], 1) }
        case .grantsDowngrades, .countsSourcesOnly:
            plan.links = [relayed, PlannedLink(stands: true)]
            plan.degradations = [1, 0]
            plan.recoveries = 1
            (plan.mostMoves, plan.mostAttempts) = (3, 4)
        }
        return [plan]
    }
}
