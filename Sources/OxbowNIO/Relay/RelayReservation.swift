import NIOCore
import OxbowCore
import OxbowProtocols
import OxbowWire

/// Keeps one reservation at one relay: carries out what its machine says.
///
/// Isolation: everything happens on `eventLoop`, which is any of the host's; that is what makes the class
/// `@unchecked Sendable`.
final class RelayReservation: @unchecked Sendable {
    let relay: PeerID
    let eventLoop: any EventLoop
    /// Where the relay is; nil: a connection with it has to stand.
    private let address: Multiaddr?
    private weak let swarm: Swarm?
    private weak let client: RelayClient?
    private var life = ReservationLife()
    private var timer: Scheduled<Void>?
    /// Of the dial that runs.
    private var ticket: DialTicket?
    private var connection: ConnectionDriver?
    private var addresses: [Multiaddr] = []
    private var attempts: UInt64 = 0
    private var isOver = false
    /// Who wants to know what becomes of the first attempt.
    private var firstOutcome: ((Result<[Multiaddr], RelayFailure>) -> Void)?

    init(at relay: PeerID, _ address: Multiaddr?, of client: RelayClient, in swarm: Swarm) {
        self.relay = relay
        self.address = address
        self.swarm = swarm
        self.client = client
        eventLoop = swarm.transports.tcp.group.next()
    }

    func start(_ firstOutcome: @escaping (Result<[Multiaddr], RelayFailure>) -> Void) {
        self.firstOutcome = firstOutcome
        perform(life.start())
    }

    /// Gives the reservation back: it isn't renewed, nor announced.
    func stop() {
        guard !isOver else { return }
        isOver = true
        timer?.cancel()
        ticket?.cancel()
        ticket = nil
        connection = nil
        conclude(.failure(.givenBack))
        if let swarm { client?.announce(nil, for: self, in: swarm) }
    }

    func connectionClosed(_ closed: ConnectionDriver) {
        guard closed === connection, !isOver else { return }
        connection = nil
        perform(life.connectionLost(at: now, jitter: jitter()))
    }

    private var now: Instant { Instant(eventLoop.now) }

    // MARK: The machine

    private func perform(_ actions: [ReservationLife.Action]) {
        for action in actions where !isOver {
            switch action {
            case .connect: connect()
            case .reserve: reserve()
            case .made(let isRenewal):
                tell(isRenewal ? .renewed : .made(addresses: addresses))
                conclude(.success(addresses))
            case .lost(let loss):
                if let swarm { client?.announce(nil, for: self, in: swarm) }
                tell(.lost(loss))
            }
        }
        schedule()
    }

    private func schedule() {
        timer?.cancel()
        timer = nil
        guard !isOver, let deadline = life.nextDeadline else { return }
        timer = eventLoop.scheduleTask(deadline: NIODeadline(deadline)) { [weak self] in
            guard let self else { return }
            perform(life.tick(at: now))
        }
    }

    private func failed(_ failure: RelayFailure) {
        guard !isOver else { return }
        life.failed(at: now, jitter: jitter())
        tell(.failed(failure))
        schedule()
        conclude(.failure(failure))
    }

    private func tell(_ change: RelayReservationChange) {
        swarm?.eventSink(.relayReservation(relay: relay, change: change))
    }

    private func conclude(_ outcome: Result<[Multiaddr], RelayFailure>) {
        let waiter = firstOutcome
        firstOutcome = nil
        waiter?(outcome)
    }

    /// Differs between hosts, relays and attempts, so that the clients of a relay that comes back don't all come at once.
    private func jitter() -> Double {
        attempts += 1
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        let number = withUnsafeBytes(of: attempts.littleEndian) { Array($0) }
        for byte in (swarm?.localPeer.multihash ?? []) + relay.multihash + number {
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
        }
        return Double(hash >> 11) / Double(1 << 53)
    }

    // MARK: Its actions

    private func connect() {
        guard let swarm else { return }
        if let standing = swarm.peer(relay)?.usableConnections.first(where: { !$0.path.isRelayed }) {
            return connected(standing)
        }
        guard let address else {
            return failed(.unreachable("there is no connection with it; give an address of it"))
        }
        let ticket = DialTicket()
        self.ticket = ticket
        swarm.connect(address, relay, ticket) { [weak self] result in
            self?.eventLoop.execute { [weak self] in
                self?.ticket = nil
                switch result {
                case .success(let connection): self?.connected(connection)
                case .failure(let failure): self?.failed(.unreachable(failure.description))
                }
            }
        }
    }

    private func connected(_ connection: ConnectionDriver) {
        guard !isOver else { return }
        self.connection = connection
        perform(life.connected())
    }

    private func reserve() {
        guard let swarm, let client, let connection, let peer = swarm.peer(relay), peer.hasConnection(connection) else {
            return failed(.unreachable("the connection with it is gone"))
        }
        client.ask(.reserve, peer, on: connection, in: swarm) { [weak self] result in
            self?.eventLoop.execute { [weak self] in self?.answered(result) }
        }
    }

    private func answered(_ result: Result<RelayAnswer, RelayFailure>) {
        guard !isOver, let swarm, let client else { return }
        do throws(RelayFailure) {
            guard case .reserved(let reservation, _) = try result.get().answer else { return }
            let lifetime = CircuitRelay.lifetime(until: reservation.expiration, unixTime: swarm.unixTime())
            guard lifetime >= CircuitRelay.minimumLifetime else { throw .tooShort }
            try check(reservation.voucher, in: swarm)
            addresses = circuitAddresses(reservation, limit: client.configuration.maximumAddresses)
            let actions = life.granted(for: lifetime, at: now, jitter: jitter())
            // A grant whose connection is gone by now is none.
            if !actions.isEmpty { client.announce(addresses, for: self, in: swarm) }
            perform(actions)
        } catch { failed(error) }
    }

    private func check(_ voucher: [UInt8]?, in swarm: Swarm) throws(RelayFailure) {
        // Vouchers are advisory, and some relays give none; but one that is given has to be right.
        guard let voucher else { return }
        do throws(VoucherError) {
            _ = try ReservationVoucher(
                verifying: voucher, from: relay, for: swarm.localPeer, unixTime: swarm.unixTime())
        } catch { throw .voucher(error) }
    }

    /// What to announce: the addresses that the relay gave, as far as they lead to it, or the one at which it was found.
    private func circuitAddresses(_ reservation: CircuitReservationMessage, limit: Int) -> [Multiaddr] {
        let given = reservation.addresses.compactMap { try? Multiaddr(binary: $0) }.filter { address in
            !address.isRelayed && !address.isUnspecified && address.peerID ?? relay == relay
                && address.withoutPeerID != nil
        }
        let found = [address ?? connection?.path.remoteAddress].compactMap { $0 }
        return (given.isEmpty ? found : given).prefix(limit).compactMap { $0.circuit(through: relay) }
    }
}
