import NIOCore
import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowSecurity
import OxbowWire
import Synchronization

/// The relay: takes reservations and connects peers by circuits. Any thread; what belongs to a stream happens on the
/// event loop of its connection.
final class RelayServer: SwarmComponent {
    private struct State {
        var table: RelayTable
        var statistics = RelayStatistics()
    }

    private let configuration: RelayServerConfiguration
    private let state: Mutex<State>
    private let bytes = Atomic<UInt64>(0)

    init(_ configuration: RelayServerConfiguration) {
        self.configuration = configuration
        state = Mutex(State(table: RelayTable(configuration.bounds)))
    }

    var statistics: RelayStatistics {
        var statistics = state.withLock { state in
            var statistics = state.statistics
            statistics.reservations = state.table.reservationCount
            statistics.circuits = state.table.circuitCount
            return statistics
        }
        statistics.bytes = bytes.load(ordering: .relaxed)
        return statistics
    }

    /// Whether a connection must not be closed for want of use.
    func holdsReservation(_ connection: ConnectionDriver, of peer: PeerID) -> Bool {
        let now = connection.now
        return state.withLock { $0.table.holdsReservation(connection.id.rawValue, of: peer, at: now) }
    }

    func register(in swarm: Swarm) {
        swarm.setHandler(CircuitRelay.hopProtocolID) { [self] stream, connection in
            serve(stream, on: connection, in: swarm)
        }
    }

    func connectionClosed(_ connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm) {
        state.withLock { $0.table.connectionClosed(connection.id.rawValue, of: peer.id) }
    }

    // MARK: Requests

    private func serve(_ stream: LogicalStream, on connection: ConnectionDriver, in swarm: Swarm) {
        guard let peer = connection.peer?.peer else { return stream.reset(code: 0) }
        let path = connection.path
        let client = RelayConnection(
            id: connection.id.rawValue, peer: peer, network: RelayNetwork(path.remoteAddress),
            isRelayed: path.isRelayed)
        let hop = CircuitStream(stream, on: connection.eventLoop)
        guard state.withLock({ $0.table.beginRequest(on: client.id) }) else { return refuse(hop, .requestsFull) }
        hop.readMessage(within: configuration.requestTimeout, HopListener().receive) { [self] result in
            switch result {
            case .success(.reserve):
                reserve(hop, for: client, at: connection.now, in: swarm)
                requestEnded(client)
            case .success(.connect(let target)): connect(hop, from: client, to: target, at: connection.now, in: swarm)
            case .failure(.message(let error)):
                refuse(hop, .malformed, status: error.status)
                requestEnded(client)
            case .failure(.stream), .failure(.timedOut):
                hop.reset()
                requestEnded(client)
            }
        }
    }

    private func requestEnded(_ client: RelayConnection) {
        state.withLock { $0.table.endRequest(on: client.id) }
    }

    /// Says no. On the stream's event loop.
    private func refuse(_ hop: CircuitStream, _ refusal: RelayRefusal, status: CircuitStatus? = nil) {
        state.withLock { $0.statistics.refusals[refusal, default: 0] += 1 }
        hop.write(HopListener.refuse(status ?? refusal.status))
        hop.finish()
    }

    // MARK: Reservations

    private func reserve(_ hop: CircuitStream, for client: RelayConnection, at now: Instant, in swarm: Swarm) {
        let granted = state.withLock { state in
            let result = state.table.reserve(on: client, at: now)
            if case .success = result { state.statistics.reservationsGranted += 1 }
            return result
        }
        switch granted {
        case .failure(let refusal): refuse(hop, refusal)
        case .success(let lifetime):
            let expiration = UInt64(clamping: swarm.unixTime() + lifetime.components.seconds)
            let voucher = ReservationVoucher(relay: swarm.localPeer, peer: client.peer, expiration: expiration)
            let sealed = try? voucher.sealed(with: swarm.identity).encoded()
            let message = CircuitReservationMessage(
                expiration: expiration, addresses: addresses(of: swarm, beside: sealed?.count ?? 0), voucher: sealed)
            hop.write(HopListener.accept(message, limit: limitMessage))
            hop.finish()
        }
    }

    /// Where clients tell others to find this relay: with its id, as many as leave room for the rest of the message.
    private func addresses(of swarm: Swarm, beside others: Int) -> [[UInt8]] {
        var room = HopMessage.maximumSize - 128 - others
        return swarm.announcedAddresses.filter { !$0.isRelayed && !$0.isUnspecified }.compactMap { address in
            guard let binary = try? address.appending(peer: swarm.localPeer).binary, binary.count + 4 <= room
            else { return nil }
            room -= binary.count + 4
            return binary
        }
    }

    private var limitMessage: CircuitLimitMessage? {
        guard let limit = configuration.limit else { return nil }
        let message = CircuitLimitMessage(
            seconds: limit.duration.map { UInt32(clamping: $0.components.seconds) }, bytes: limit.bytes)
        return message.isBounding ? message : nil
    }

    // MARK: Circuits

    private func connect(
        _ hop: CircuitStream, from client: RelayConnection, to target: PeerID, at now: Instant, in swarm: Swarm
    ) {
        let circuit: RelayTable.Circuit
        switch state.withLock({ $0.table.connect(from: client, to: target, at: now) }) {
        case .failure(let refusal):
            refuse(hop, refusal)
            return requestEnded(client)
        case .success(let granted): circuit = granted
        }
        guard let peer = swarm.peer(target),
            let holder = peer.usableConnections.first(where: { $0.id.rawValue == circuit.target })
        else {
            state.withLock { $0.table.circuitEnded(circuit.id) }
            refuse(hop, .targetFailed)
            return requestEnded(client)
        }
        let stream = swarm.openStream(to: peer, for: [CircuitRelay.stopProtocolID], on: holder, isMigratable: false)
        let stop = CircuitStream(stream, on: holder.eventLoop)
        let request = StopClient(from: client.peer, limit: limitMessage)
        stop.write(request.start())
        holder.onLoop { [self] _ in
            stop.readMessage(within: configuration.stopTimeout, request.receive) { [self] result in
                if case .success(.ok) = result {
                    splice(hop, stop, circuit)
                } else {
                    stop.reset()
                    state.withLock { $0.table.circuitEnded(circuit.id) }
                    hop.eventLoop.execute { self.refuse(hop, .targetFailed) }
                }
                requestEnded(client)
            }
        }
    }

    private func splice(_ hop: CircuitStream, _ stop: CircuitStream, _ circuit: RelayTable.Circuit) {
        state.withLock { $0.statistics.circuitsOpened += 1 }
        let limit = configuration.limit
        let splice = CircuitSplice(
            hop, stop, bounds: .init(bytes: limit?.bytes, duration: limit?.duration, stall: configuration.stallTimeout),
            onBytes: { [self] in bytes.wrappingAdd(UInt64($0), ordering: .relaxed) },
            onEnd: { [self] end in circuitEnded(circuit, end) })
        hop.write(HopListener.accept(limit: limitMessage))
        splice.start()
    }

    private func circuitEnded(_ circuit: RelayTable.Circuit, _ end: CircuitEnd) {
        state.withLock { state in
            state.table.circuitEnded(circuit.id)
            switch end {
            case .finished, .broken: break
            case .bytesSpent: state.statistics.circuitsOutOfBytes += 1
            case .timeSpent: state.statistics.circuitsOutOfTime += 1
            case .stalled: state.statistics.circuitsStalled += 1
            }
        }
    }
}
