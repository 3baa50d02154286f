import OxbowSeeds

// The worlds that are walked. `Specs/stream-migration/model-check.md` lists them with what they came to.

extension Plan {
    private static let ends = [[true, true], [true, false], [false, true], [false, false]]

    /// Short enough for every run of the tests, in a build for debugging.
    package static let tests: [Plan] = [
        Plan("one move") { $0.prunes = true },
        Plan("one move, fault") {
            $0.bytes = [1, 0]
            $0.attempts = [0, 1]
            $0.faults = 1
        },
        Plan("glare") {
            $0.bytes = [1, 0]
            $0.attempts = [1, 1]
        },
        Plan("chain") {
            $0.bytes = [0, 1]
            $0.attempts = [2, 0]
        },
        Plan("one connection, fault") {
            $0.bytes = [0, 0]
            $0.topology = .joint
            $0.faults = 1
        },
        Plan("small window") {
            $0.bytes = [2, 0]
            $0.window = 1
        },
        Plan("third peer") {
            $0.bytes = [0, 0]
            $0.closes = [false, false]
            $0.intruder = Intruder(firstID: 8)
        },
    ]

    /// For CI: the required bounds without the widest.
    package static let quick: [Plan] = required + halfClosed + variations

    /// Two faults for one byte each way and one fault for two bytes each way, with glare and with chains.
    package static let required: [Plan] = [
        Plan("two faults, lower asks") { $0.faults = 2 },
        Plan("two faults, higher asks") {
            $0.attempts = [0, 1]
            $0.faults = 2
        },
        Plan("two faults, glare") {
            $0.attempts = [1, 1]
            $0.faults = 2
        },
        Plan("two bytes, lower asks") {
            $0.bytes = [2, 2]
            $0.faults = 1
        },
        Plan("two bytes, higher asks") {
            $0.bytes = [2, 2]
            $0.attempts = [0, 1]
            $0.faults = 1
        },
        Plan("two bytes, glare") {
            $0.bytes = [2, 2]
            $0.attempts = [1, 1]
            $0.faults = 1
        },
        Plan("chain, fault") {
            $0.attempts = [2, 0]
            $0.faults = 1
        },
        Plan("chain of the higher, fault") {
            $0.attempts = [0, 2]
            $0.faults = 1
        },
    ]

    /// Each half-close, with each side asking.
    private static let halfClosed: [Plan] = ends.dropFirst().flatMap { closes in
        [[1, 0], [0, 1], [1, 1]].map { attempts in
            Plan("half-closed") {
                $0.closes = closes
                $0.attempts = attempts
                $0.faults = 1
            }
        }
    }

    private static let variations: [Plan] = [
        Plan("pruning") {
            $0.attempts = [1, 1]
            $0.prunes = true
            $0.framesFINLate = true
        },
        Plan("FINs late, fault") {
            $0.faults = 1
            $0.framesFINLate = true
        },
        Plan("denials") {
            $0.attempts = [2, 1]
            $0.denials = 1
            $0.bytes = [1, 0]
        },
        Plan("denial and faults") {
            $0.bytes = [0, 1]
            $0.attempts = [2, 0]
            $0.denials = 1
            $0.faults = 2
        },
        Plan("one connection, two faults") {
            $0.topology = .joint
            $0.attempts = [1, 1]
            $0.faults = 2
        },
        Plan("there and back") {
            $0.topology = .bounce
            $0.attempts = [2, 0]
            $0.faults = 1
        },
        Plan("small window, slow reader") {
            $0.bytes = [2, 1]
            $0.window = 1
            $0.readers = [.late, .late]
            $0.attempts = [1, 1]
        },
        Plan("small window, no reader") {
            $0.bytes = [2, 2]
            $0.window = 1
            $0.readers = [.never, .never]
            $0.attempts = [1, 1]
        },
        Plan("small window, no reader, chain") {
            $0.bytes = [4, 0]
            $0.window = 1
            $0.readers = [.never, .never]
            $0.attempts = [2, 1]
        },
        Plan("small window, fault") {
            $0.bytes = [2, 1]
            $0.window = 1
            $0.faults = 1
        },
        Plan("opening, fault") {
            $0.opens = true
            $0.attempts = [1, 1]
            $0.faults = 1
        },
        Plan("targets late, fault") {
            $0.opensLate = true
            $0.attempts = [1, 1]
            $0.faults = 1
        },
        Plan("two streams") {
            $0.streams = 2
            $0.bytes = [1, 0]
            $0.attempts = [1, 0]
        },
        Plan("third peer, other ids") {
            $0.bytes = [1, 0]
            $0.intruder = Intruder(firstID: 8)
        },
        Plan("third peer, same ids") {
            $0.bytes = [0, 0]
            $0.closes = [true, false]
            $0.attempts = [1, 1]
            $0.intruder = Intruder(firstID: 0)
        },
        Plan("silence, two faults") {
            $0.attempts = [1, 1]
            $0.faults = 2
            $0.faultKinds = [.silence]
        },
    ]

    /// For a machine that has time.
    package static let deep: [Plan] =
        quick + [
            Plan("two faults, chain") {
                $0.attempts = [2, 0]
                $0.faults = 2
            },
            Plan("two faults, chain of the higher") {
                $0.attempts = [0, 2]
                $0.faults = 2
            },
            Plan("two bytes, chain and glare") {
                $0.bytes = [2, 2]
                $0.attempts = [2, 1]
                $0.faults = 1
            },
            Plan("two bytes, two faults") {
                $0.bytes = [2, 2]
                $0.attempts = [1, 1]
                $0.faults = 2
            },
            Plan("opening, two faults") {
                $0.opens = true
                $0.opensLate = true
                $0.attempts = [1, 1]
                $0.faults = 2
            },
            Plan("three faults") {
                $0.bytes = [1, 1]
                $0.attempts = [1, 1]
                $0.faults = 3
            },
            Plan("two faults, FINs late, pruning") {
                $0.faults = 2
                $0.framesFINLate = true
                $0.prunes = true
                $0.attempts = [1, 1]
            },
            Plan("three moves") {
                $0.bytes = [1, 1]
                $0.attempts = [2, 1]
                $0.denials = 1
                $0.faults = 1
            },
            Plan("there and back, both") {
                $0.topology = .bounce
                $0.attempts = [2, 1]
                $0.faults = 1
            },
            Plan("two streams, fault") {
                $0.streams = 2
                $0.bytes = [0, 0]
                $0.attempts = [1, 0]
                $0.faults = 1
            },
            Plan("third peer, two acts") {
                $0.bytes = [0, 0]
                $0.intruder = Intruder(acts: 2, firstID: 8)
            },
        ]

    /// What a random walk with this seed goes through: more of everything than can be walked exhaustively.
    package static func random(seed: UInt64) -> Plan {
        var random = SplitMix64(seed: ~seed)
        return Plan("seed \(seed)") {
            $0.bytes = [Int.random(in: 0...8, using: &random), Int.random(in: 0...8, using: &random)]
            $0.closes = ends[Int.random(in: 0...3, using: &random)]
            $0.attempts = [Int.random(in: 0...4, using: &random), Int.random(in: 0...4, using: &random)]
            $0.faults = Int.random(in: 0...3, using: &random)
            if Bool.random(using: &random) { $0.faultKinds = Set(Fault.allCases) }
            $0.denials = Int.random(in: 0...1, using: &random)
            $0.window = Int.random(in: 1...3, using: &random)
            $0.topology = [Topology.separate, .joint, .bounce][Int.random(in: 0...2, using: &random)]
            let readers: [Reader] = [.eager, .eager, .late, .late, .never]
            $0.readers = [0, 1].map { _ in readers[Int.random(in: 0...4, using: &random)] }
            $0.streams = Int.random(in: 1...2, using: &random)
            $0.opens = Bool.random(using: &random)
            $0.opensLate = Bool.random(using: &random)
            $0.prunes = $0.topology == .separate && Bool.random(using: &random)
            $0.framesFINLate = Bool.random(using: &random)
            if Int.random(in: 0...3, using: &random) == 0 { $0.intruder = Intruder(acts: 2, firstID: 64) }
        }
    }

    /// The smallest worlds that show a mutant.
    package static func plans(for mutant: Mutant) -> [Plan] {
        let plan = Plan("mutant") { $0.mutant = mutant }
        var changed = plan
        switch mutant {
        case .finNotHeld, .finNotMirrored, .everyFINIsEnd, .everyFINCloses, .resetReachesOneLeg, .rowLeft,
            .migrationLeftCounted, .ackBeforeArmed, .framedAgain, .noTaint, .responderGoesBack,
            .responderSwitchesAtOnce, .heldOutlivesConnection:
            let needsFault: Set<Mutant> = [
                .resetReachesOneLeg, .noTaint, .responderGoesBack, .responderSwitchesAtOnce, .heldOutlivesConnection,
            ]
            if needsFault.contains(mutant) { changed.faults = 1 }
            if mutant == .heldOutlivesConnection {
                changed.attempts = [1, 1]
                changed.bytes = [0, 0]
            }
        case .denialClearsTaint, .idReused:
            changed.bytes = [0, 1]
            changed.attempts = [2, 0]
            changed.faults = 1
        case .earlyBytesDelivered:
            changed.bytes = [2, 0]
        case .switchOnDeliveredEnd, .finWaitsForWindow:
            changed.bytes = mutant == .finWaitsForWindow ? [2, 0] : [1, 1]
            changed.window = mutant == .finWaitsForWindow ? 1 : 4
            changed.readers = [.never, .never]
        case .creditForParked:
            changed.bytes = [3, 0]
            changed.window = 1
        case .movesOverUnread:
            changed.bytes = [3, 0]
            changed.window = 1
            changed.attempts = [2, 0]
            changed.readers = [.never, .never]
        case .glareBothAccept, .yieldedAckIgnored, .glareLoserResets, .finishedIsReset, .finishedForgotten,
            .noHoldForOwnTarget, .heldNeverReleased:
            changed.attempts = [1, 1]
        case .initiatorPrunesEarly, .responderPrunes:
            changed.prunes = true
        case .denialLeavesTarget:
            changed.denials = 1
        case .deadlineNotArmed:
            changed.bytes = [0, 0]
            changed.faults = 1
            changed.faultKinds = [.silence]
        case .sharedTable, .noParityCheck, .duplicateAccepted, .unknownHeldForever, .unknownIsDenied:
            changed.bytes = [0, 0]
            changed.attempts = [0, 0]
            changed.intruder = Intruder(firstID: 8)
        }
        return [changed]
    }
}
