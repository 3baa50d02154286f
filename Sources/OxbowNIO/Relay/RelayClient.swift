import NIOCore
import OxbowCore
import OxbowProtocols
import OxbowSecurity
import OxbowWire
import Synchronization

/// What a relay answered, with the stream that it answered on.
struct RelayAnswer: Sendable {
    let answer: HopClient.Answer
    let stream: CircuitStream
}

/// This host's side of relays: keeps reservations, takes circuits that come in through them. Any thread.
final class RelayClient: SwarmComponent {
    struct State {
        var reservations: [PeerID: RelayReservation] = [:]
        /// What is announced for each reservation that is held.
        var announced: [PeerID: [Multiaddr]] = [:]
        var relayDials: [Multiaddr: RelayDial] = [:]
        /// Connections with relays that were opened for a circuit, and how many circuits need them.
        var uses: [ConnectionID: Int] = [:]
        var isClosed = false
    }

    let configuration: RelayClientConfiguration
    let localPeer: PeerID
    let state = Mutex(State())

    init(_ configuration: RelayClientConfiguration, localPeer: PeerID) {
        self.configuration = configuration
        self.localPeer = localPeer
    }

    // MARK: Component

    func register(in swarm: Swarm) {
        swarm.setHandler(CircuitRelay.stopProtocolID) { [self] stream, connection in
            takeCircuit(stream, on: connection, in: swarm)
        }
    }

    func connectionClosed(_ connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm) {
        let reservation = state.withLock { state in
            state.uses[connection.id] = nil
            return state.reservations[peer.id]
        }
        reservation?.eventLoop.execute { reservation?.connectionClosed(connection) }
    }

    func close(in swarm: Swarm) {
        let (reservations, dials) = state.withLock { state in
            state.isClosed = true
            defer { state.reservations = [:] }
            return (Array(state.reservations.values), state.relayDials.values.map(\.ticket))
        }
        for reservation in reservations { reservation.eventLoop.execute { reservation.stop() } }
        for ticket in dials { ticket.cancel() }
    }

    // MARK: Reservations

    /// Keeps a reservation from now on.
    ///
    /// - Parameter firstOutcome: called once, with what the first attempt came to: a failed one is followed by others.
    /// - Returns: false when there is one with the relay already, or too many.
    func reserve(
        at relay: PeerID, _ address: Multiaddr?, in swarm: Swarm,
        firstOutcome: @escaping @Sendable (Result<[Multiaddr], RelayFailure>) -> Void
    ) -> Bool {
        let reservation = RelayReservation(at: relay, address, of: self, in: swarm)
        let isNew = state.withLock { state in
            guard !state.isClosed, state.reservations[relay] == nil,
                state.reservations.count < configuration.maximumReservations
            else { return false }
            state.reservations[relay] = reservation
            return true
        }
        if isNew { reservation.eventLoop.execute { reservation.start(firstOutcome) } }
        return isNew
    }

    /// Gives a reservation back: it is not renewed any more, nor announced, and no circuit is taken.
    func release(_ relay: PeerID) {
        let reservation = state.withLock { $0.reservations.removeValue(forKey: relay) }
        reservation?.eventLoop.execute { reservation?.stop() }
    }

    /// Announces the addresses of one reservation, or takes them back when nil.
    func announce(_ addresses: [Multiaddr]?, for reservation: RelayReservation, in swarm: Swarm) {
        let all: [Multiaddr]? = state.withLock { state in
            // A newer one at the same relay has taken its place.
            if let current = state.reservations[reservation.relay], current !== reservation { return nil }
            state.announced[reservation.relay] = addresses
            return state.announced.sorted { $0.key < $1.key }.flatMap(\.value)
        }
        if let all { swarm.setAddresses(all, of: .relay) }
    }

    /// Whether a reservation is held, or wanted, at a relay: its connection is needed.
    func wantsReservation(at relay: PeerID) -> Bool {
        state.withLock { $0.reservations[relay] != nil }
    }

    // MARK: Asking

    /// Asks a relay for a reservation or a circuit. `completion` is called once, on the connection's event loop.
    ///
    /// - Parameter ticket: gives the request up.
    func ask(
        _ request: HopClient.Request, _ peer: PeerState, on connection: ConnectionDriver, in swarm: Swarm,
        ticket: DialTicket? = nil, completion: @escaping @Sendable (Result<RelayAnswer, RelayFailure>) -> Void
    ) {
        let stream = swarm.openStream(to: peer, for: [CircuitRelay.hopProtocolID], on: connection, isMigratable: false)
        let hop = CircuitStream(stream, on: connection.eventLoop)
        let client = HopClient(request)
        hop.write(client.start())
        connection.onLoop { [timeout = configuration.answerTimeout] _ in
            hop.readMessage(within: timeout, client.receive) { result in
                if case .success(let answer) = result, case .connected = answer {
                    return completion(.success(RelayAnswer(answer: answer, stream: hop)))
                }
                // Whatever went wrong, nothing is left at the relay.
                if case .success = result { hop.finish() } else { hop.reset() }
                completion(Self.judge(result).map { RelayAnswer(answer: $0, stream: hop) })
            }
            ticket?.onCancel { hop.eventLoop.execute { hop.cancelReading() } }
        }
    }

    private static func judge(
        _ result: Result<HopClient.Answer, CircuitStreamError>
    ) -> Result<HopClient.Answer, RelayFailure> {
        switch result {
        case .success(.refused(let status)): .failure(.refused(status))
        case .success(let answer): .success(answer)
        case .failure(.message(let error)): .failure(.broken(error))
        case .failure(.stream(.protocolsNotSupported)): .failure(.noRelay)
        case .failure(.stream(let error)): .failure(.stream(error))
        case .failure(.timedOut): .failure(.timedOut)
        }
    }

    // MARK: Inbound circuits

    /// A relay announces a circuit. On its connection's event loop.
    private func takeCircuit(_ stream: LogicalStream, on connection: ConnectionDriver, in swarm: Swarm) {
        guard let relay = connection.peer?.peer else { return stream.reset(code: 0) }
        let stop = CircuitStream(stream, on: connection.eventLoop)
        stop.readMessage(within: configuration.answerTimeout, StopListener().receive) { [self] result in
            switch result {
            case .success(let offer):
                // Only who was asked to relay may bring peers here (circuit-v2, "Stop Protocol").
                guard state.withLock({ $0.announced[relay] != nil }), !connection.path.isRelayed,
                    offer.peer != localPeer
                else { return refuse(stop, .permissionDenied) }
                stop.write(StopListener.answer(.ok))
                accept(offer, on: stop, from: connection, relay: relay, in: swarm)
            case .failure(.message(let error)): refuse(stop, error.status)
            case .failure(.stream), .failure(.timedOut): stop.reset()
            }
        }
    }

    private func refuse(_ stop: CircuitStream, _ status: CircuitStatus) {
        stop.write(StopListener.answer(status))
        stop.finish()
    }

    private func accept(
        _ offer: StopListener.Offer, on stop: CircuitStream, from connection: ConnectionDriver, relay: PeerID,
        in swarm: Swarm
    ) {
        var path = swarm.newPath(
            .listener, local: nil, remote: .circuit(through: relay, at: connection.path.remoteAddress))
        path.limit = CircuitLimit(offer.limit)
        let transport = CircuitTransport(stop, limit: path.limit) {}
        guard let circuit = swarm.adopt(transport, path: path, expectedPeer: offer.peer, completion: nil)
        else { return }
        circuit.start()
        transport.start(delegate: circuit)
    }
}
