import NIOCore
import OxbowCore
import OxbowProtocols
import Synchronization

/// A dial to a relay that several circuits wait for.
struct RelayDial {
    let number: UInt64
    let ticket: DialTicket
    var waiters: [UInt64: RelayWaiter]
}

typealias RelayWaiter = @Sendable (Result<ConnectionDriver, DialFailure>) -> Void

// Circuits that this host asks for.

extension RelayClient {
    /// Connects to a peer through a relay: by a connection with the relay that stands, or by a new one, which closes
    /// again when nobody needs it.
    func dial(
        _ address: CircuitAddress, _ peer: PeerID, _ ticket: DialTicket, in swarm: Swarm,
        completion: @escaping @Sendable (Result<ConnectionDriver, DialFailure>) -> Void
    ) {
        let relay = address.relay
        connect(to: address, ticket, in: swarm) { [self] result in
            switch result {
            case .failure(.notFinished): completion(.failure(.notFinished))
            case .failure(let failure):
                completion(.failure(.relay(relay, .unreachable(failure.description))))
            case .success(let connection):
                guard let state = swarm.peer(relay) else {
                    return completion(.failure(.relay(relay, .unreachable("its connection has just closed"))))
                }
                use(connection)
                ask(.connect(peer), state, on: connection, in: swarm, ticket: ticket) { [self] result in
                    switch result {
                    case .success(let answer):
                        upgrade(answer, peer, ticket, over: connection, relay, in: swarm, completion)
                    case .failure(let failure):
                        unuse(connection, with: relay, in: swarm)
                        completion(.failure(.relay(relay, failure)))
                    }
                }
            }
        }
    }

    /// The relay has made the circuit: a connection begins on it. On the event loop of the relay's connection.
    private func upgrade(
        _ answer: RelayAnswer, _ peer: PeerID, _ ticket: DialTicket, over connection: ConnectionDriver,
        _ relay: PeerID, in swarm: Swarm,
        _ completion: @escaping @Sendable (Result<ConnectionDriver, DialFailure>) -> Void
    ) {
        guard case .connected(let limit) = answer.answer else { return }
        var path = swarm.newPath(
            .dialer, local: nil, remote: .circuit(through: relay, at: connection.path.remoteAddress))
        path.limit = CircuitLimit(limit)
        let transport = CircuitTransport(answer.stream, limit: path.limit) { [self] in
            unuse(connection, with: relay, in: swarm)
        }
        swarm.upgrade(transport, path, peer, ticket, completion) { transport.start(delegate: $0) }
    }

    // MARK: The connection with the relay

    /// Finds a connection with a relay, or makes one, together with all who want the same.
    private func connect(
        to address: CircuitAddress, _ ticket: DialTicket, in swarm: Swarm, completion: @escaping RelayWaiter
    ) {
        if let standing = swarm.peer(address.relay)?.usableConnections.first(where: { !$0.path.isRelayed }) {
            return completion(.success(standing))
        }
        guard let relayAddress = address.relayAddress else {
            return completion(
                .failure(.unreachable("there is no connection with it, and the address doesn't say where it is")))
        }
        let number = UniqueNumber.next()
        let started: RelayDial? = state.withLock { state in
            if state.relayDials[relayAddress] != nil {
                state.relayDials[relayAddress]?.waiters[number] = completion
                return nil
            }
            let dial = RelayDial(number: number, ticket: DialTicket(), waiters: [number: completion])
            state.relayDials[relayAddress] = dial
            return dial
        }
        if let started {
            swarm.connect(relayAddress, address.relay, started.ticket) { [self] result in
                relayDialEnded(started, relayAddress, result)
            }
        }
        ticket.onCancel { [self] in leave(relayAddress, number) }
    }

    private func relayDialEnded(
        _ dial: RelayDial, _ address: Multiaddr, _ result: Result<ConnectionDriver, DialFailure>
    ) {
        let waiters: [RelayWaiter] = state.withLock { state in
            guard let running = state.relayDials[address], running.number == dial.number else { return [] }
            state.relayDials[address] = nil
            // From now on somebody has to need it.
            if case .success(let connection) = result { state.uses[connection.id] = 0 }
            return running.waiters.sorted { $0.key < $1.key }.map(\.value)
        }
        // All have left: a connection that came after all is nobody's.
        if waiters.isEmpty, case .success(let connection) = result { connection.close() }
        for waiter in waiters { waiter(result) }
    }

    /// Who waits for a relay gives up. The last one ends the dial.
    private func leave(_ address: Multiaddr, _ number: UInt64) {
        let (waiter, last): (RelayWaiter?, DialTicket?) = state.withLock { state in
            guard var dial = state.relayDials[address], let waiter = dial.waiters.removeValue(forKey: number)
            else { return (nil, nil) }
            state.relayDials[address] = dial.waiters.isEmpty ? nil : dial
            return (waiter, dial.waiters.isEmpty ? dial.ticket : nil)
        }
        last?.cancel()
        waiter?(.failure(.notFinished))
    }

    // MARK: Who needs it

    private func use(_ connection: ConnectionDriver) {
        state.withLock { state in
            if let count = state.uses[connection.id] { state.uses[connection.id] = count + 1 }
        }
    }

    /// A circuit doesn't need the relay's connection any more. One that was made for circuits alone closes with the last.
    private func unuse(_ connection: ConnectionDriver, with relay: PeerID, in swarm: Swarm) {
        let isIdle = state.withLock { state in
            guard let count = state.uses[connection.id] else { return false }
            state.uses[connection.id] = count - 1
            return count == 1 && state.reservations[relay] == nil
        }
        guard isIdle, swarm.peer(relay)?.hasApplicationStreams != true else { return }
        connection.close()
    }
}

extension PeerState {
    /// Whether streams live with the peer that aren't about the connection itself.
    var hasApplicationStreams: Bool {
        liveStreams.contains { stream in
            !SwarmConfiguration.neverMigratable.isSuperset(of: stream.candidates)
        }
    }
}
