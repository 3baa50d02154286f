import OxbowSeeds

extension SimulationPlan {
    /// The plan of a seed: everything by chance, with weights that make races likely and runs short.
    ///
    /// - Parameter maximumFaults: how many faults there are at most.
    package static func random(_ seed: UInt64, maximumFaults: Int = 3) -> SimulationPlan {
        var chance = Chance(seed)
        let lines = (0..<chance.number(2...4)).map { _ in chance.line() }
        let streams = (0..<(chance.isOneOf(4) ? 2 : 1)).map { _ in chance.stream() }
        var plan = SimulationPlan("seed \(seed)", lines: lines, streams: streams)
        plan.seed = seed
        plan.moves = chance.moves(lines: lines.count, streams: streams.count)
        if streams.count == 1, chance.isOneOf(5) {
            plan.pruning = chance.element(Pruning.allCases.dropFirst())
        }
        let faults = min(chance.element([0, 0, 0, 1, 1, 1, 1, 2, 2, 3]), maximumFaults)
        plan.faults = (0..<faults).map { _ in chance.fault(lines: lines.count) }
        return plan
    }
}

/// Draws the parts of a plan.
private struct Chance {
    private var generator: SplitMix64

    init(_ seed: UInt64) {
        generator = SplitMix64(seed: seed)
        // Neighbouring seeds begin alike.
        for _ in 0..<4 { _ = generator.next() }
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(generator.next() % UInt64(range.count))
    }

    mutating func isOneOf(_ count: Int) -> Bool { number(1...count) == 1 }

    mutating func element<Elements: Collection>(_ elements: Elements) -> Elements.Element {
        elements[elements.index(elements.startIndex, offsetBy: number(0...(elements.count - 1)))]
    }

    /// Up to `limit` ms, to the microsecond.
    mutating func time(_ limit: Int) -> Duration { .microseconds(number(0...(limit * 1_000))) }

    // MARK: Lines

    mutating func line() -> SimulationPlan.Line {
        var line = SimulationPlan.Line(delay: .zero, security: isOneOf(5) ? .tls : .noise)
        line.there = conditions()
        line.back = isOneOf(2) ? line.there : conditions()
        return line
    }

    private mutating func conditions() -> LineConditions {
        var conditions = LineConditions(delay: isOneOf(6) ? .zero : time(80))
        if isOneOf(2) { conditions.jitter = time(30) }
        if isOneOf(4) { conditions.perKiB = .microseconds(number(1...400)) }
        conditions.splits = isOneOf(4)
        return conditions
    }

    // MARK: Streams

    mutating func stream() -> SimulationPlan.Stream {
        var (opener, acceptor) = (script(), script())
        if isOneOf(5) {
            let (size, count) = (number(1...8_000), number(1...8))
            (opener.total, acceptor.total) = (size * count, size * count)
            (opener.pace, acceptor.pace) = (.requests(size), .responses(size))
            (opener.chunk, acceptor.chunk) = (number(max(1, size / 3)...size), number(max(1, size / 3)...size))
        }
        return SimulationPlan.Stream(opener: number(0...1), opener, acceptor)
    }

    private mutating func script() -> SimulationPlan.SideScript {
        let total = size()
        var script = SimulationPlan.SideScript(
            total: total, chunk: number(max(1, total / 40)...max(1, total / 3)),
            step: isOneOf(4) ? .zero : time(80))
        script.chunk = min(script.chunk, 70_000)
        if isOneOf(3) { script.startsWriting = time(600) }
        if isOneOf(4) { script.closesAfter = time(800) }
        if isOneOf(5) { script.startsReading = time(3_000) }
        if isOneOf(5) { script.readPause = time(150) }
        if isOneOf(12) { script.resets = time(1_200) }
        if isOneOf(16) { script.finishes = time(1_200) }
        return script
    }

    /// From nothing to a few windows.
    private mutating func size() -> Int {
        switch number(0...9) {
        case 0: 0
        case 1: 1
        case 2...5: number(2...20_000)
        case 6, 7: number(20_000...200_000)
        case 8: number(200_000...600_000)
        default: 262_144
        }
    }

    // MARK: Moves and faults

    mutating func moves(lines: Int, streams: Int) -> [SimulationPlan.Move] {
        var moves: [SimulationPlan.Move] = []
        for _ in 0..<number(1...5) {
            let at = .milliseconds(30) + time(600)
            let stream = number(0...(streams - 1))
            let side = element(SimulationPlan.Side.allCases)
            moves.append(.init(at: at, stream: stream, by: side, to: number(0...(lines - 1))))
            guard isOneOf(4) else { continue }
            // The other side at nearly the same moment: glare (SM-F4), or a chain (SM-F5).
            let other: SimulationPlan.Side = side == .opener ? .acceptor : .opener
            moves.append(.init(at: at + time(60), stream: stream, by: other, to: number(0...(lines - 1))))
        }
        return moves
    }

    mutating func fault(lines: Int) -> SimulationFault {
        SimulationFault(
            element(SimulationFault.Kind.allCases), on: number(0...(lines - 1)), at: .time(time(900)))
    }
}
