import NIOCore
import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowSwarm

/// Finds peers on the local network: drives ``LocalDiscovery``.
///
/// Isolation: everything happens on the event loop that ``started(in:)`` chose; that is what makes the class
/// `@unchecked Sendable`. Before that nothing happens.
final class LocalDiscoveryComponent: SwarmComponent, @unchecked Sendable {
    /// How often it is looked after whether the interfaces have changed.
    private static let interfaceCheck: TimeAmount = .seconds(30)
    /// Dials to peers that were found, at once.
    private static let maximumDials = 16

    private let configuration: LocalNetworkDiscovery
    private let bus: any MulticastBus
    private let eventLoop: any EventLoop
    private var machine: LocalDiscovery?
    private var port: (any MulticastPort)?
    private var fingerprint: Int?
    private var timer: (at: Instant, scheduled: Scheduled<Void>)?
    private var check: Scheduled<Void>?
    private var dials: [PeerID: DialCall] = [:]

    init(_ configuration: LocalNetworkDiscovery, bus: any MulticastBus, on eventLoop: any EventLoop) {
        self.configuration = configuration
        self.bus = bus
        self.eventLoop = eventLoop
    }

    private var now: Instant { Instant(eventLoop.now) }

    // MARK: Life

    func started(in swarm: Swarm) {
        eventLoop.execute { [self] in
            // Without a random name nobody is told, which is better than a name that tells.
            guard !swarm.isClosed, let name = Self.randomName() else { return }
            machine = LocalDiscovery(
                peer: swarm.localPeer, name: name, interval: configuration.interval, lifetime: configuration.lifetime,
                answerDelay: Self.answerDelay(of: swarm.localPeer), at: now)
            machine?.setAddresses(swarm.announcedAddresses, at: now)
            open(in: swarm)
        }
    }

    func announcedAddressesChanged(in swarm: Swarm) {
        eventLoop.execute { [self] in
            machine?.setAddresses(swarm.announcedAddresses, at: now)
            setTimer(in: swarm)
        }
    }

    func close(in swarm: Swarm) {
        eventLoop.execute { [self] in
            perform(machine?.end() ?? [], asker: nil, in: swarm)
            machine = nil
            timer?.scheduled.cancel()
            timer = nil
            check?.cancel()
            check = nil
            port?.close()
            port = nil
            let calls = dials
            dials = [:]
            for call in calls.values { call.cancel() }
        }
    }

    /// 32 letters and digits.
    private static func randomName() -> String? {
        let digits = Array("abcdefghijklmnopqrstuvwxyz234567")
        guard let bytes = try? SecureRandom.bytes(LocalDiscovery.nameLength.lowerBound) else { return nil }
        return String(bytes.map { digits[Int($0) % digits.count] })
    }

    /// 20 to 120 ms, another one for most hosts and the same one for each.
    private static func answerDelay(of peer: PeerID) -> Duration {
        .milliseconds(20 + peer.multihash.suffix(2).reduce(0) { $0 << 8 | Int64($1) } % 101)
    }

    /// Opens the port, and opens it anew when the interfaces have changed.
    private func open(in swarm: Swarm) {
        guard machine != nil else { return }
        check = eventLoop.scheduleTask(in: Self.interfaceCheck) { [weak self, weak swarm] in
            guard let self, let swarm else { return }
            open(in: swarm)
        }
        let current = bus.fingerprint
        guard current != fingerprint else { return }
        fingerprint = current
        port?.close()
        port = nil
        let opened = bus.open(on: eventLoop) { [weak self, weak swarm] datagram in
            guard let self, let swarm else { return }
            received(datagram, in: swarm)
        }
        opened.whenComplete { [weak self, weak swarm] result in
            guard let port = try? result.get() else { return }
            guard let self, let swarm, machine != nil, fingerprint == current else { return port.close() }
            self.port = port
            wake(in: swarm)
        }
    }

    // MARK: The machine

    private func received(_ datagram: MulticastDatagram, in swarm: Swarm) {
        let isLegacy = datagram.sender.port != UDPMulticast.port
        let actions = machine?.received(datagram.bytes, isLegacy: isLegacy, at: now) ?? []
        perform(actions, asker: datagram.sender, in: swarm)
    }

    private func wake(in swarm: Swarm) {
        perform(machine?.wake(at: now) ?? [], asker: nil, in: swarm)
    }

    private func perform(_ actions: [LocalDiscovery.Action], asker: SocketAddress?, in swarm: Swarm) {
        for action in actions {
            switch action {
            case .send(let bytes, .everybody): port?.send(bytes, to: nil)
            case .send(let bytes, .asker): port?.send(bytes, to: asker)
            case .found(let peer, let addresses, let lifetime, let isNews):
                swarm.peerBook.add(addresses, of: peer, origin: .localNetwork, lifetime: lifetime)
                guard isNews else { continue }
                swarm.eventSink(.peerDiscovered(peer: peer, addresses: addresses))
                connect(to: peer, in: swarm)
            }
        }
        setTimer(in: swarm)
    }

    private func setTimer(in swarm: Swarm) {
        // Nothing is sent before the port is open, and nothing is lost by waiting for it.
        let due = port == nil ? nil : machine?.nextWake
        guard due != timer?.at else { return }
        timer?.scheduled.cancel()
        timer = due.map { due in
            let scheduled = eventLoop.scheduleTask(deadline: NIODeadline(due)) { [weak self, weak swarm] in
                guard let self, let swarm else { return }
                timer = nil
                wake(in: swarm)
            }
            return (due, scheduled)
        }
    }

    private func connect(to peer: PeerID, in swarm: Swarm) {
        guard configuration.isConnecting, dials[peer] == nil, dials.count < Self.maximumDials, swarm.peer(peer) == nil
        else { return }
        let call = DialCall()
        dials[peer] = call
        swarm.dial(PeerDialRequest(peer), call) { [weak self] _ in
            guard let self else { return }
            eventLoop.execute { self.dials[peer] = nil }
        }
    }
}
