package import OxbowCore
import OxbowProtocols

// What the swarm offers of relays.

extension Swarm {
    var relayClient: RelayClient? { components.lazy.compactMap { $0 as? RelayClient }.first }
    var relayServer: RelayServer? { components.lazy.compactMap { $0 as? RelayServer }.first }

    /// What this host does as a relay; nil when it is none. Any thread.
    package var relayStatistics: RelayStatistics? { relayServer?.statistics }

    /// Whether a connection is needed without a stream on it: a reservation depends on it, at this end or at the other.
    func isHeldForRelaying(_ connection: ConnectionDriver, of peer: PeerID) -> Bool {
        relayClient?.wantsReservation(at: peer) == true || relayServer?.holdsReservation(connection, of: peer) == true
    }

    func dialThroughRelay(
        _ address: Multiaddr, _ peer: PeerID, _ ticket: DialTicket,
        completion: @escaping @Sendable (Result<ConnectionDriver, DialFailure>) -> Void
    ) {
        do throws(CircuitAddress.Problem) {
            let circuit = try CircuitAddress(address)
            guard circuit.relay != localPeer else {
                throw CircuitAddress.Problem(text: "the relay is this host itself")
            }
            guard circuit.relay != peer else { throw CircuitAddress.Problem(text: "the relay is the peer itself") }
            guard let relayClient else { return completion(.failure(.unsupported("there is no relay client"))) }
            relayClient.dial(circuit, peer, ticket, in: self, completion: completion)
        } catch { completion(.failure(.unsupported(error.text))) }
    }

    /// Keeps a reservation at a relay from now on: it is renewed, and made anew when it is lost.
    ///
    /// - Parameters:
    ///   - relay: the relay's address with its id at the end, with `/p2p-circuit` behind it or not.
    ///   - firstOutcome: called once, with the circuit addresses or why the first attempt failed; others follow.
    /// - Throws: when the address names no relay, or a reservation with it is kept already.
    package func reserve(
        at relay: Multiaddr, firstOutcome: @escaping @Sendable (Result<[Multiaddr], RelayFailure>) -> Void = { _ in }
    ) throws(ListenError) {
        let address = relay.isRelayed ? relay : (try? relay.appending(.p2pCircuit)) ?? relay
        let circuit: CircuitAddress
        do throws(CircuitAddress.Problem) { circuit = try CircuitAddress(address) } catch {
            throw .failed(relay, error.text)
        }
        guard circuit.target == nil || circuit.target == localPeer, circuit.relay != localPeer else {
            throw .failed(relay, "a reservation is for this host itself, at another one")
        }
        let isNew = relayClient?.reserve(
            at: circuit.relay, circuit.relayAddress, in: self, firstOutcome: firstOutcome)
        guard isNew == true else {
            throw .failed(relay, "there is a reservation with this relay already, or with too many, or the host closes")
        }
    }

    /// Gives a reservation back.
    package func releaseReservation(at relay: PeerID) {
        relayClient?.release(relay)
    }

    /// Listens at a relay: returns when the first reservation is made.
    func listen(throughRelay address: Multiaddr) async throws(ListenError) -> Listener {
        guard let relay = address.relayAddress?.peerID else { throw .unsupported(address) }
        let outcome: Result<Result<[Multiaddr], RelayFailure>, ListenError> =
            await withUnsafeContinuation { continuation in
                do throws(ListenError) {
                    try reserve(at: address) { continuation.resume(returning: .success($0)) }
                } catch { continuation.resume(returning: .failure(error)) }
            }
        switch try outcome.get() {
        case .success(let addresses):
            return Listener(addresses: addresses, isAnnounced: false) { [self] in releaseReservation(at: relay) }
        case .failure(let failure):
            releaseReservation(at: relay)
            throw .failed(address, failure.description)
        }
    }

    // MARK: Limited connections

    /// Whether an application's stream may be opened: a connection that a relay bounds takes those that can leave it, and
    /// those that were meant for it.
    package func mayOpenStream(
        for protocols: [ProtocolID], to peer: PeerState, on connection: ConnectionDriver, isMigratable: Bool,
        allowsLimited: Bool
    ) -> Bool {
        guard connection.path.isLimited, !allowsLimited else { return true }
        return isMigratable && peer.supportsMigration && protocols.allSatisfy(configuration.mayMigrate)
    }

    /// The bounds of a stream's queues.
    func streamLimits(for protocols: [ProtocolID]) -> Shared<StreamLimits> {
        let isCircuit = protocols == [CircuitRelay.hopProtocolID] || protocols == [CircuitRelay.stopProtocolID]
        return isCircuit ? circuitLimits : streamLimits
    }
}

extension StreamLimits {
    /// A relay has many circuits and forwards what it gets: the queues of theirs are short.
    var forCircuits: StreamLimits {
        var limits = self
        limits.writeHighWatermark = min(limits.writeHighWatermark, 64 << 10)
        limits.writeLowWatermark = min(limits.writeLowWatermark, 32 << 10)
        limits.creditPortion = min(limits.creditPortion, 64 << 10)
        return limits
    }
}
