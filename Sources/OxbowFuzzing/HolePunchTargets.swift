import OxbowCore
import OxbowProtocols
import OxbowWire

extension FuzzTarget {
    static let holePunches = [
        FuzzTarget(
            "dcutr-exchange", "one exchange of addresses, either side", maximumLength: 1_200,
            seeds: { [[0] + connect, [1] + connect + sync, [1] + connect + connect] }, holePunchExchange),
        FuzzTarget(
            "dcutr", "attempts and answers: messages, dials that fail, sockets that connect, and time",
            maximumLength: 400,
            seeds: { (0..<4).map { kind in [UInt8(kind)] + [0, 1, 2, 1, 3, 0, 5, 2] + scheduleSeed(2 * kind + 3) } },
            holePunch),
    ]

    private static let connect = HolePunchMessage.connect(addresses: FuzzAddresses.all.map(\.binary)).encodedDelimited()
    private static let sync = HolePunchMessage.sync.encodedDelimited()
    private static let peer = FuzzKeys.second.peerID

    private static func holePunchExchange(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let isInitiator = !input.bool()
        let policy = HolePunchAddressPolicy()
        let own = policy.sendable([FuzzAddresses.all[0]])
        let transcript = try feedInPieces(input.rest(), outputLimit: { _ in 512 }) {
            var initiator = HolePunchInitiator(with: peer, own: own, policy: policy)
            var responder = HolePunchResponder(with: peer, own: own, policy: policy)
            let first = isInitiator ? initiator.start(at: .zero) : []
            var isStarted = false
            return { input, transcript in
                if !isStarted { transcript.sent += first }
                isStarted = true
                do throws(DCUtRError) {
                    if isInitiator {
                        let step = try initiator.receive(&input, at: .zero)
                        if case .punch = step { transcript.finish(step) }
                        return false
                    }
                    switch try responder.receive(&input) {
                    case .needMore: return false
                    case .answer(let bytes):
                        transcript.sent += bytes
                        return true
                    case .punch(let addresses): transcript.finish(addresses)
                    }
                } catch { transcript.fail(error) }
                return false
            }
        }
        return transcript.end == nil || transcript.hasFailed ? .refused : .accepted
    }

    private static func holePunch(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let kind = input.byte()
        var configuration = HolePunchConfiguration()
        configuration.dialsPerAddress = 3
        let own = kind & 4 == 0 ? [FuzzAddresses.all[0]] : []
        if kind & 1 == 0 {
            var attempt = HolePunchAttempt(with: peer, own: own, configuration: configuration)
            let announced = kind & 2 == 0 ? FuzzAddresses.all : []
            let actions = attempt.start(announced: announced, at: .zero)
            return try HolePunchScene(attempt, actions, configuration).run(&input)
        }
        let answer = HolePunchAnswer(
            to: peer, own: own, part: kind & 2 == 0 ? .client : .server, configuration: configuration, at: .zero)
        return try HolePunchScene(answer, [], configuration).run(&input)
    }
}

/// One side of a hole punch, and what its driver knows.
private struct HolePunchScene<Machine: HolePunchMachine> {
    private var machine: Machine
    private let configuration: HolePunchConfiguration
    private var now = Instant.zero
    private var isOver = false
    private var hasStream = true
    private var dialled: [Multiaddr] = []
    private var input: ArraySlice<UInt8> = []
    private var dials = 0
    private let first: [HolePunchAction]

    init(_ machine: Machine, _ actions: [HolePunchAction], _ configuration: HolePunchConfiguration) {
        self.machine = machine
        self.configuration = configuration
        first = actions
    }

    consuming func run(_ input: inout FuzzInput) throws(FuzzFailure) -> FuzzTarget.Verdict {
        var scene = self
        try scene.carryOut(scene.first)
        while !input.isEmpty { try scene.act(&input) }
        // Left to itself it ends: each wait has its time, and tries are counted.
        for _ in 0..<200 {
            guard let next = scene.machine.nextEvent else { break }
            scene.now = max(scene.now, next)
            try scene.carryOut(scene.machine.tick(at: scene.now))
        }
        try require(scene.isOver && scene.machine.nextEvent == nil, "a hole punch comes to an end")
        return scene.dials > 0 ? .accepted : .refused
    }

    private mutating func act(_ input: inout FuzzInput) throws(FuzzFailure) {
        switch input.int(below: 10) {
        case 0: try receive(HolePunchMessage.connect(addresses: someAddresses(&input)).encodedDelimited())
        case 1: try receive(HolePunchMessage.sync.encodedDelimited())
        case 2: try receive(input.part())
        case 3: try carryOut(machine.streamEnded(input.bool() ? "broken" : nil, at: now))
        case 4:
            guard let address = dialled.first else { return }
            machine.socketConnected(input.bool() ? address : input.choice(dialled))
        case 5, 6:
            guard !dialled.isEmpty else { return }
            let address = dialled.remove(at: input.int(below: dialled.count))
            let why = input.choice([HolePunchDialFailure.unreachable, .collided, .cutOff, .unsupported])
            try carryOut(machine.dialFailed(address, why, at: now))
        case 7 where input.int(below: 8) == 0: try carryOut(machine.connected())
        case 8 where input.int(below: 8) == 0: try carryOut(machine.abandon(.relayedConnectionLost))
        default:
            if input.bool(), let next = machine.nextEvent { now = max(now, next) }
            now = now + .milliseconds(input.int(below: 3_000))
            try carryOut(machine.tick(at: now))
        }
    }

    private func someAddresses(_ input: inout FuzzInput) -> [[UInt8]] {
        (0..<input.int(below: 12)).map { _ in FuzzAddresses.any(&input).binary }
    }

    private mutating func receive(_ bytes: [UInt8]) throws(FuzzFailure) {
        input += bytes
        let before = input.count
        try carryOut(machine.receive(&input, at: now))
        try require(input.count <= before, "nothing is added to the input")
        // What is refused is the stream's end: nothing more of it is fed.
        if isOver || !hasStream { input = [] }
    }

    private mutating func carryOut(_ actions: [HolePunchAction]) throws(FuzzFailure) {
        if !actions.isEmpty { try require(!isOver, "behind the end nothing follows: \(actions)") }
        for action in actions {
            switch action {
            case .open: hasStream = true
            case .send: hasStream = true
            case .closeStream, .resetStream: hasStream = false
            case .dial(let address), .punch(let address, _):
                try require(configuration.addresses.isUsable(address), "\(address) is no address to be dialled")
                try require(address.peerID == nil && !address.isRelayed, "what is dialled is a plain address")
                dialled.append(address)
                dials += 1
            case .cancelDials: dialled = []
            case .finish:
                try require(action == actions.last, "nothing follows the end")
                isOver = true
            }
        }
        let bound = configuration.addresses.maximumAddresses
        try require(dialled.count <= bound, "\(dialled.count) dials run at once")
        try require(dials <= bound * (1 + configuration.tries * configuration.dialsPerAddress), "dials are bounded")
        try require(machine.tries <= configuration.tries, "tries are bounded")
        try require(isOver == (machine.nextEvent == nil), "who isn't over waits for something")
    }
}
