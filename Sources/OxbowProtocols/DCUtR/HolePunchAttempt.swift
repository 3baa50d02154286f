public import OxbowCore

/// The initiator's attempt to upgrade a relayed connection (libp2p/specs, relay/DCUtR.md, "The Protocol").
///
/// It dials the peer's public addresses, if it announced any. When that leads nowhere, it exchanges addresses and
/// punches, with an exchange of its own for each try, so that one wrong measurement of the round trip doesn't spoil them
/// all. What goes wrong in an exchange ends the attempt: only dials are repeated.
public struct HolePunchAttempt: HolePunchMachine, Hashable {
    private enum Phase: Hashable, Sendable {
        case idle
        case dialling(waiting: Set<Multiaddr>, until: Instant)
        case exchanging(HolePunchInitiator, until: Instant)
        /// SYNC is on its way to the peer.
        case syncing([Multiaddr], until: Instant)
        case punching(HolePunchRound)
        case over
    }

    private let peer: PeerID
    private let own: [Multiaddr]
    private let configuration: HolePunchConfiguration
    private var phase = Phase.idle
    private var part = HolePunchPart.server
    public private(set) var tries = 0
    public private(set) var roundTrip: Duration?

    /// - Parameter own: addresses at which this host might be reached; those that are of no use are left out.
    public init(with peer: PeerID, own: [Multiaddr], configuration: HolePunchConfiguration) {
        self.peer = peer
        self.own = configuration.addresses.sendable(own)
        self.configuration = configuration
    }

    /// Begins.
    ///
    /// - Parameter announced: the addresses that the peer gave by identify.
    public mutating func start(announced: [Multiaddr], at now: Instant) -> [HolePunchAction] {
        guard phase == .idle else { preconditionFailure("an attempt begins once") }
        let direct = configuration.addresses.dialable(announced, of: peer, own: own)
        guard !direct.isEmpty else { return exchange(at: now) }
        phase = .dialling(waiting: Set(direct), until: now + configuration.directDialTimeout)
        return direct.map { .dial($0) }
    }

    public var nextEvent: Instant? {
        switch phase {
        case .idle, .over: nil
        case .dialling(_, let until), .exchanging(_, let until), .syncing(_, let until): until
        case .punching(let round): round.nextEvent
        }
    }

    // MARK: Events

    public mutating func receive(_ input: inout ArraySlice<UInt8>, at now: Instant) -> [HolePunchAction] {
        guard case .exchanging(var exchange, let until) = phase else {
            // Nothing comes behind the peer's CONNECT that anyone would read.
            input = []
            return []
        }
        do throws(DCUtRError) {
            switch try exchange.receive(&input, at: now) {
            case .needMore:
                phase = .exchanging(exchange, until: until)
                return []
            case .punch(let sync, let addresses, let roundTrip):
                self.roundTrip = roundTrip
                phase = .syncing(addresses, until: now + roundTrip / 2)
                return [.send(sync), .closeStream]
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
        switch phase {
        case .dialling(var waiting, let until):
            waiting.remove(address)
            phase = .dialling(waiting: waiting, until: until)
            return waiting.isEmpty ? exchange(at: now) : []
        case .punching(var round):
            round.failed(address, failure, at: now)
            phase = .punching(round)
            return tick(at: now)
        case .idle, .exchanging, .syncing, .over: return []
        }
    }

    public mutating func connected() -> [HolePunchAction] {
        switch phase {
        case .dialling: finish(.upgraded(.directDial))
        case .punching: finish(.upgraded(.punch))
        // The peer's SYN may be faster than half a round trip through the relay.
        case .syncing: finish(.upgraded(.punch))
        case .idle: finish(.upgraded(.elsewhere))
        case .exchanging: [.resetStream] + finish(.upgraded(.elsewhere))
        case .over: []
        }
    }

    public mutating func abandon(_ failure: HolePunchFailure) -> [HolePunchAction] {
        switch phase {
        case .over: []
        case .exchanging: [.resetStream] + finish(.failed(failure))
        case .idle, .dialling, .syncing, .punching: finish(.failed(failure))
        }
    }

    public mutating func tick(at now: Instant) -> [HolePunchAction] {
        switch phase {
        case .dialling(_, let until) where now >= until:
            return [.cancelDials] + exchange(at: now)
        case .exchanging(_, let until) where now >= until:
            return [.resetStream] + finish(.failed(.exchangeTimedOut(configuration.exchangeTimeout)))
        case .syncing(let addresses, let until) where now >= until:
            phase = .punching(HolePunchRound(addresses, configuration, at: now))
            return addresses.map { .punch($0, part) }
        case .punching(var round):
            guard !round.isOver(at: now) else { return next(after: round, at: now) }
            let due = round.due(at: now)
            phase = .punching(round)
            return due.map { .punch($0, part) }
        case .idle, .dialling, .exchanging, .syncing, .over: return []
        }
    }

    // MARK: Steps

    private mutating func exchange(at now: Instant) -> [HolePunchAction] {
        guard !own.isEmpty else { return finish(.failed(.noOwnAddress)) }
        tries += 1
        var exchange = HolePunchInitiator(with: peer, own: own, policy: configuration.addresses)
        let connect = exchange.start(at: now)
        phase = .exchanging(exchange, until: now + configuration.exchangeTimeout)
        return [.open(connect)]
    }

    private mutating func next(after round: HolePunchRound, at now: Instant) -> [HolePunchAction] {
        guard tries < configuration.tries else { return finish(.failed(.unreachable(tries: tries))) }
        // ``HolePunchPart`` says why.
        if round.hasCollided { part = part.other }
        return [.cancelDials] + exchange(at: now)
    }

    private mutating func finish(_ outcome: HolePunchOutcome) -> [HolePunchAction] {
        phase = .over
        return [.cancelDials, .finish(outcome)]
    }
}
