public import OxbowCore

/// The responder's side of one try: an exchange that the peer began, and the dials that follow from it.
public struct HolePunchAnswer: HolePunchMachine, Hashable {
    private enum Phase: Hashable, Sendable {
        case exchanging(HolePunchResponder, until: Instant)
        case punching(HolePunchRound)
        case over
    }

    private let configuration: HolePunchConfiguration
    private let part: HolePunchPart
    private let hasOwnAddress: Bool
    private var phase: Phase
    public let tries = 1
    public var roundTrip: Duration? { nil }
    /// Whether the try ended with a socket that connected and a connection that did not come of it.
    public private(set) var hasCollided = false

    /// - Parameters:
    ///   - own: addresses at which this host might be reached; those that are of no use are left out.
    ///   - part: client, unless the peer has shown that it is one itself (``HolePunchPart``).
    public init(
        to peer: PeerID, own: [Multiaddr], part: HolePunchPart = .client, configuration: HolePunchConfiguration,
        at now: Instant
    ) {
        let own = configuration.addresses.sendable(own)
        self.configuration = configuration
        self.part = part
        hasOwnAddress = !own.isEmpty
        phase = .exchanging(
            HolePunchResponder(with: peer, own: own, policy: configuration.addresses),
            until: now + configuration.exchangeTimeout)
    }

    public var nextEvent: Instant? {
        switch phase {
        case .exchanging(_, let until): until
        case .punching(let round): round.nextEvent
        case .over: nil
        }
    }

    public mutating func receive(_ input: inout ArraySlice<UInt8>, at now: Instant) -> [HolePunchAction] {
        guard case .exchanging(var exchange, let until) = phase else {
            input = []
            return []
        }
        guard hasOwnAddress else { return [.resetStream] + finish(.failed(.noOwnAddress)) }
        var actions: [HolePunchAction] = []
        do throws(DCUtRError) {
            while true {
                switch try exchange.receive(&input) {
                case .needMore:
                    phase = .exchanging(exchange, until: until)
                    return actions
                case .answer(let bytes):
                    actions.append(.send(bytes))
                case .punch(let addresses):
                    phase = .punching(HolePunchRound(addresses, configuration, at: now))
                    return actions + [.closeStream] + addresses.map { .punch($0, part) }
                }
            }
        } catch {
            return [.resetStream] + finish(.failed(.exchange(error)))
        }
    }

    public mutating func streamEnded(_ reason: String?, at now: Instant) -> [HolePunchAction] {
        guard case .exchanging = phase else { return [] }
        return finish(.failed(reason.map { .stream($0) } ?? .exchange(.endedEarly)))
    }

    public mutating func socketConnected(_ address: Multiaddr) {
        guard case .punching(var round) = phase else { return }
        round.connected(address)
        phase = .punching(round)
    }

    public mutating func dialFailed(
        _ address: Multiaddr, _ failure: HolePunchDialFailure, at now: Instant
    ) -> [HolePunchAction] {
        guard case .punching(var round) = phase else { return [] }
        round.failed(address, failure, at: now)
        phase = .punching(round)
        return tick(at: now)
    }

    public mutating func connected() -> [HolePunchAction] {
        switch phase {
        case .exchanging: [.resetStream] + finish(.upgraded(.elsewhere))
        case .punching: finish(.upgraded(.punch))
        case .over: []
        }
    }

    public mutating func abandon(_ failure: HolePunchFailure) -> [HolePunchAction] {
        switch phase {
        case .exchanging: [.resetStream] + finish(.failed(failure))
        case .punching: finish(.failed(failure))
        case .over: []
        }
    }

    public mutating func tick(at now: Instant) -> [HolePunchAction] {
        switch phase {
        case .exchanging(_, let until) where now >= until:
            return [.resetStream] + finish(.failed(.exchangeTimedOut(configuration.exchangeTimeout)))
        case .punching(var round):
            guard !round.isOver(at: now) else {
                return finish(.failed(.unreachable(tries: tries)))
            }
            let due = round.due(at: now)
            phase = .punching(round)
            return due.map { .punch($0, part) }
        case .exchanging, .over: return []
        }
    }

    private mutating func finish(_ outcome: HolePunchOutcome) -> [HolePunchAction] {
        if case .punching(let round) = phase, case .failed = outcome { hasCollided = round.hasCollided }
        phase = .over
        return [.cancelDials, .finish(outcome)]
    }
}
