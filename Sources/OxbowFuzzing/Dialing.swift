import OxbowCore
import OxbowSwarm

extension FuzzTarget {
    static let dialing = [
        FuzzTarget(
            "dial", "one dial: attempts that fail or succeed, callers that come and go, and time", maximumLength: 256,
            seeds: { [scheduleSeed(3), scheduleSeed(5), [9, 1, 0, 2, 3, 4, 5, 6, 7, 8, 1, 1, 2, 2, 2, 1, 1, 1, 2]] },
            dial),
        FuzzTarget(
            "back-off", "waits behind failures, for peers and addresses", maximumLength: 256,
            seeds: { [scheduleSeed(3)] }, backOff),
    ]

    private static func dial(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var scene = try DialScene(&input)
        while !input.isEmpty { try scene.act(&input) }
        try scene.end()
        return scene.hasStarted ? .accepted : .refused
    }

    private static func backOff(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var configuration = BackOffConfiguration()
        configuration.entries = 3
        var backOff = BackOff(configuration: configuration)
        var now = Instant.zero
        while !input.isEmpty {
            let peer = input.choice(FuzzKeys.all).peerID
            let key: BackOff.Key = input.bool() ? .peer(peer) : .address(FuzzAddresses.any(&input), of: peer)
            switch input.int(below: 4) {
            case 0, 1:
                let before = backOff.remaining(key, at: now)
                backOff.failed(key, at: now)
                let after = backOff.remaining(key, at: now)
                try require(after != nil, "a failure is waited behind")
                if before != nil { try requireEqual(after, before, "a wait isn't made longer by what came of it") }
            case 2:
                backOff.succeeded(key)
                try requireEqual(backOff.remaining(key, at: now), nil, "nobody waits behind a success")
            default: now = now + .seconds(input.int(below: 400))
            }
            try require(backOff.count <= configuration.entries, "what is remembered is bounded")
            if let wait = backOff.remaining(key, at: now) {
                try require(wait > .zero && wait <= configuration.maximum, "a wait is bounded")
            }
        }
        return .accepted
    }
}

/// A dial, and what its driver knows of the attempts.
private struct DialScene {
    private var machine: DialMachine
    private let timing: DialTiming
    private var now = Instant.zero
    private var running: Set<Int> = []
    private var started: Set<Int> = []
    private var outcome: DialMachine.Outcome?

    var hasStarted: Bool { !started.isEmpty }

    init(_ input: inout FuzzInput) throws(FuzzFailure) {
        var timing = DialTiming()
        (timing.concurrentAttempts, timing.attempts) = (1 + input.int(below: 4), 12)
        self.timing = timing
        let candidates = (0..<input.int(below: 10)).map { _ in
            DialCandidate(
                FuzzAddresses.any(&input), isExplicit: input.bool(), origin: input.choice(AddressOrigin.allCases))
        }
        let plan = DialPlan(candidates, goal: input.bool() ? .any : .direct, limit: 8)
        try require(plan.attempts.count <= 8, "a plan is bounded")
        try requireEqual(
            plan.attempts.count + plan.omitted.count, Set(candidates.map(\.address)).count,
            "each address has a turn or a reason")
        machine = DialMachine(plan, timing: timing, at: now)
        try carryOut(machine.begin(at: now))
    }

    mutating func act(_ input: inout FuzzInput) throws(FuzzFailure) {
        switch input.int(below: 8) {
        case 0, 1:
            guard let id = running.sorted().first(where: { _ in input.bool() }) ?? running.min() else { return }
            running.remove(id)
            try carryOut(input.int(below: 4) == 0 ? machine.connected(id, at: now) : machine.failed(id, at: now))
        case 2, 3:
            if input.bool(), let wake = machine.nextWake { now = max(now, wake) }
            now = now + .milliseconds(input.int(below: 700))
            try carryOut(machine.wake(at: now))
        case 4: try requireEqual(machine.join(), outcome == nil, "a dial that runs is joined")
        case 5:
            guard machine.callers > 0 else { return }
            try carryOut(machine.leave())
        case 6:
            let more = (0..<input.int(below: 4)).map { _ in
                let address = FuzzAddresses.any(&input)
                return DialPlan.Attempt(address: address, isRelayed: address.isRelayed)
            }
            try carryOut(machine.add(more, at: now))
        default: if input.int(below: 16) == 0 { try carryOut(machine.abandon()) }
        }
    }

    private mutating func carryOut(_ actions: [DialMachine.Action]) throws(FuzzFailure) {
        for action in actions {
            switch action {
            case .start(let id):
                try require(
                    outcome == nil && started.insert(id).inserted, "attempt \(id) starts once, while the dial runs")
                running.insert(id)
            case .cancel(let id): try require(running.contains(id), "what is cancelled runs")
            case .discard: try require(outcome != nil, "one connection too many comes behind the outcome")
            case .finish(let new):
                try requireEqual(outcome, nil, "a dial has one outcome")
                outcome = new
            }
        }
        try requireEqual(machine.outcome, outcome, "the outcome is told")
        if outcome == nil {
            try require(running.count <= timing.concurrentAttempts, "\(running.count) attempts run at once")
            try requireEqual(machine.running, running.count, "what runs is known")
            try require(machine.nextWake != nil, "a dial that runs waits for something")
        }
        try require(machine.attempts.count <= max(timing.attempts, 8), "attempts are bounded")
    }

    /// Left to itself it comes to its outcome by its deadline.
    mutating func end() throws(FuzzFailure) {
        for _ in 0..<64 {
            guard let wake = machine.nextWake else { break }
            now = max(now, wake)
            try carryOut(machine.wake(at: now))
        }
        try require(outcome != nil, "a dial ends")
        for id in running { try carryOut(machine.failed(id, at: now)) }
    }
}
