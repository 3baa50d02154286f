import DequeModule
import NIOCore
import OxbowCore
import OxbowProtocols
import OxbowSecurity
import OxbowUpgrade

/// One hole punch that is under way, on either side: a machine with the stream, the dials and the timer that it works
/// with. It ends by itself, by the machine's deadlines.
///
/// Isolation: everything happens on the event loop of the relayed connection; that is what makes the class
/// `@unchecked Sendable`.
final class HolePunchRun: @unchecked Sendable {
    let side: HolePunchSide
    let peer: PeerState
    let relayed: ConnectionDriver
    let began: Instant
    private(set) var machine: any HolePunchMachine
    private(set) var path: ConnectionPath?
    private weak var swarm: Swarm?
    private let configuration: HolePunchConfiguration
    private var ended: ((HolePunchRun, HolePunchOutcome) -> Void)?
    private var stream: LoopStream?
    private var waiting: [UInt8] = []
    private var dials: [UInt64: DialTicket] = [:]
    private var timer: Scheduled<Void>?
    private var actions = Deque<HolePunchAction>()
    private var isPerforming = false

    /// - Parameter ended: called once, on the event loop.
    init(
        _ machine: any HolePunchMachine, _ side: HolePunchSide, with peer: PeerState, over relayed: ConnectionDriver,
        in swarm: Swarm, ended: @escaping (HolePunchRun, HolePunchOutcome) -> Void
    ) {
        (self.machine, self.side, self.peer, self.relayed, self.swarm) = (machine, side, peer, relayed, swarm)
        configuration = swarm.configuration.holePunch
        began = relayed.now
        self.ended = ended
    }

    private var eventLoop: any EventLoop { relayed.eventLoop }
    private var now: Instant { Instant(eventLoop.now) }

    /// Begins an attempt of this side.
    func start(announced: [Multiaddr]) {
        guard var attempt = machine as? HolePunchAttempt else { preconditionFailure("an answer begins with a stream") }
        let actions = attempt.start(announced: announced, at: now)
        machine = attempt
        perform(actions)
    }

    /// Answers an attempt of the peer.
    func start(answering stream: LoopStream) {
        read(stream)
        perform([])
    }

    /// A direct connection stands.
    func connected(_ path: ConnectionPath) {
        self.path = self.path ?? path
        perform(machine.connected())
    }

    func abandon(_ failure: HolePunchFailure) {
        perform(machine.abandon(failure))
    }

    // MARK: The stream

    private func read(_ stream: LoopStream) {
        self.stream = stream
        // The machine's own deadline comes first; this one is for the stream that it leaves behind.
        stream.start(within: configuration.exchangeTimeout * 2) { [weak self] event in
            self?.received(event)
        }
    }

    private func received(_ event: LoopStream.Event) {
        switch event {
        case .bytes(let buffer):
            waiting += buffer.readableBytesView
            var input = waiting[...]
            let actions = machine.receive(&input, at: now)
            waiting = Array(input)
            perform(actions)
        case .end: perform(machine.streamEnded(nil, at: now))
        case .failed(let error): perform(machine.streamEnded("\(error)", at: now))
        }
    }

    // MARK: Actions

    /// Carries out what the machine wants, in order, also when one action brings on the next.
    private func perform(_ new: [HolePunchAction]) {
        eventLoop.preconditionInEventLoop()
        actions += new
        guard !isPerforming else { return }
        isPerforming = true
        while let action = actions.popFirst() { carryOut(action) }
        isPerforming = false
        schedule()
    }

    private func carryOut(_ action: HolePunchAction) {
        switch action {
        case .open(let bytes): open(bytes)
        case .send(let bytes): stream?.write(bytes)
        case .closeStream: stream?.finish()
        case .resetStream: stream?.reset()
        case .dial(let address): dial(address, DialOptions())
        case .punch(let address, let part): punch(address, as: part)
        case .cancelDials:
            let tickets = dials.sorted { $0.key < $1.key }
            dials = [:]
            for (_, ticket) in tickets { ticket.cancel() }
        case .finish(let outcome):
            let ended = ended
            self.ended = nil
            ended?(self, outcome)
        }
    }

    private func open(_ bytes: [UInt8]) {
        guard let swarm else { return abandon(.closed) }
        waiting = []
        let stream = LoopStream(
            swarm.openStream(to: peer, for: [DCUtR.protocolID], on: relayed, isMigratable: false), on: eventLoop)
        stream.write(bytes)
        read(stream)
    }

    private func punch(_ address: Multiaddr, as part: HolePunchPart) {
        let options = DialOptions(role: part == .client ? .dialer : .listener, source: .listeningPort) { [self] in
            eventLoop.execute { [self] in machine.socketConnected(address) }
        }
        dial(address, options)
    }

    private func dial(_ address: Multiaddr, _ options: DialOptions) {
        guard let swarm else { return abandon(.closed) }
        let (number, ticket) = (UniqueNumber.next(), DialTicket())
        dials[number] = ticket
        swarm.connect(address, peer.id, ticket, options: options) { [self] result in
            // Each dial ends: at the latest when the run cancels it.
            eventLoop.execute { [self] in dialEnded(number, address, result) }
        }
    }

    /// A dial that led to a connection needs nothing more: the swarm tells of every connection.
    private func dialEnded(
        _ number: UInt64, _ address: Multiaddr, _ result: Result<ConnectionDriver, DialFailure>
    ) {
        guard dials.removeValue(forKey: number) != nil, case .failure(let failure) = result else { return }
        perform(machine.dialFailed(address, HolePunchDialFailure(failure), at: now))
    }

    private func schedule() {
        timer?.cancel()
        timer = machine.nextEvent.map { instant in
            eventLoop.scheduleTask(deadline: NIODeadline(instant)) { [self] in perform(machine.tick(at: now)) }
        }
    }
}

extension HolePunchDialFailure {
    init(_ failure: DialFailure) {
        switch failure {
        case .unsupported, .namesAnotherPeer, .relay, .notTried: self = .unsupported
        case .connection(.upgrade(.security(_, .peerIDMismatch))): self = .unsupported
        // Two clients don't understand each other, two servers wait for each other.
        case .connection(.upgrade), .connection(.handshakeTimedOut), .connection(.closedLocally): self = .collided
        case .connection: self = .cutOff
        case .unreachable, .notFinished: self = .unreachable
        }
    }
}
