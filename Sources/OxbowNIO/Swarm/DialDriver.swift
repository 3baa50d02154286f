import NIOCore
import OxbowCore
import OxbowSwarm

/// One dial: drives a ``DialMachine`` on an event loop, with a callback for each attempt and one timer.
///
/// Isolation: everything happens on ``eventLoop``; that is what makes the class `@unchecked Sendable`.
final class DialDriver: @unchecked Sendable {
    let number = UniqueNumber.next()
    let request: PeerDialRequest
    let eventLoop: any EventLoop
    private let swarm: Swarm
    private var machine: DialMachine?
    private var omitted: [(address: Multiaddr, why: DialPlan.Omission)] = []
    private var tickets: [DialMachine.AttemptID: DialTicket] = [:]
    private var failures: [Multiaddr: DialFailure] = [:]
    private var connections: [DialMachine.AttemptID: ConnectionDriver] = [:]
    private var callers: [UInt64: Swarm.DialCompletion] = [:]
    private var named: [Multiaddr] = []
    private var timer: (at: Instant, scheduled: Scheduled<Void>)?
    private var result: Result<ConnectionDriver, DialError>?

    init(_ request: PeerDialRequest, swarm: Swarm, on eventLoop: any EventLoop) {
        self.request = request
        self.swarm = swarm
        self.eventLoop = eventLoop
        named = request.addresses
    }

    private var now: Instant { Instant(eventLoop.now) }

    // MARK: Callers

    func begin(_ caller: UInt64, _ plan: DialPlan, _ done: @escaping Swarm.DialCompletion) {
        let configuration = swarm.configuration
        var timing = DialTiming()
        timing.timeout = configuration.dialTimeout
        timing.stagger = configuration.dialStagger
        timing.relayDelay = configuration.dialing.relayDelay
        timing.concurrentAttempts = configuration.dialing.concurrentAttempts
        timing.attempts = max(timing.attempts, configuration.limits.addressesPerDial)
        callers[caller] = done
        omitted = plan.omitted
        var machine = DialMachine(plan, timing: timing, at: now)
        let actions = machine.begin(at: now)
        self.machine = machine
        perform(actions)
    }

    func join(_ caller: UInt64, _ plan: DialPlan, _ done: @escaping Swarm.DialCompletion) {
        if let result { return done(result) }
        callers[caller] = done
        _ = machine?.join()
        omitted += plan.omitted
        perform(machine?.add(plan.attempts, at: now) ?? [])
    }

    func leave(_ caller: UInt64) {
        guard let done = callers.removeValue(forKey: caller) else { return }
        perform(machine?.leave() ?? [])
        done(.failure(DialError(request.peer, .cancelled, attempts)))
    }

    /// The swarm closes.
    func abandon() {
        perform(machine?.abandon() ?? [])
    }

    // MARK: Actions

    private func perform(_ actions: [DialMachine.Action]) {
        for action in actions {
            switch action {
            case .start(let id): start(id)
            case .cancel(let id): tickets[id]?.cancel()
            case .discard(let id): connections.removeValue(forKey: id)?.close()
            case .finish(let outcome): finish(outcome)
            }
        }
        setTimer()
    }

    private func start(_ id: DialMachine.AttemptID) {
        guard let machine else { return }
        let ticket = DialTicket()
        tickets[id] = ticket
        swarm.connect(machine.attempts[id].address, request.peer, ticket) { [self] result in
            // Never within `connect`: an attempt that fails at once would meet the machine half way.
            eventLoop.execute { self.ended(id, result) }
        }
    }

    private func ended(_ id: DialMachine.AttemptID, _ result: Result<ConnectionDriver, DialFailure>) {
        guard let machine else { return }
        tickets[id] = nil
        let address = machine.attempts[id].address
        switch result {
        case .success(let connection):
            connections[id] = connection
            swarm.peerBook.dialSucceeded(address, of: request.peer)
            perform(self.machine?.connected(id, at: now) ?? [])
        case .failure(let failure):
            // An attempt that was given up says nothing about its address.
            if machine.outcome == nil {
                failures[address] = failure
                swarm.peerBook.dialFailed(address, of: request.peer)
            }
            perform(self.machine?.failed(id, at: now) ?? [])
        }
    }

    private func setTimer() {
        let due = machine?.nextWake
        guard due != timer?.at else { return }
        timer?.scheduled.cancel()
        timer = nil
        guard let due, due < .distantFuture else { return }
        let scheduled = eventLoop.scheduleTask(deadline: NIODeadline(due)) { [self] in
            timer = nil
            perform(machine?.wake(at: now) ?? [])
        }
        timer = (due, scheduled)
    }

    // MARK: The end

    private func finish(_ outcome: DialMachine.Outcome) {
        let result: Result<ConnectionDriver, DialError>
        switch outcome {
        case .connected(let id):
            guard let connection = connections.removeValue(forKey: id) else { preconditionFailure("a winner stands") }
            swarm.peerBook.remember(named, of: request.peer)
            result = .success(connection)
        case .allFailed: result = .failure(failed(everyAddressFailed))
        case .timedOut: result = .failure(failed(.timedOut(swarm.configuration.dialTimeout)))
        case .cancelled: result = .failure(DialError(request.peer, swarm.isClosed ? .closed : .cancelled, attempts))
        }
        self.result = result
        swarm.ended(self)
        let waiting = callers
        callers = [:]
        for caller in waiting.keys.sorted() { waiting[caller]?(result) }
    }

    private func failed(_ reason: DialError.Reason) -> DialError {
        // What was left out isn't tried again any later for it; and a peer without a direct way may have others.
        if request.goal == .any, !failures.isEmpty { swarm.peerBook.dialFailed(request.peer) }
        return DialError(request.peer, reason, attempts)
    }

    private var everyAddressFailed: DialError.Reason {
        let waits = omitted.compactMap { omission in
            if case .backingOff(let wait) = omission.why { wait } else { nil }
        }
        guard failures.isEmpty, let shortest = waits.min() else { return .allFailed }
        return .backingOff(shortest)
    }

    /// What came of each address, in the order of their turns, and then what was left out.
    private var attempts: [DialError.Attempt] {
        let tried = (machine?.attempts ?? []).map {
            DialError.Attempt(address: $0.address, failure: failures[$0.address] ?? .notFinished)
        }
        return tried + omitted.map { DialError.Attempt(address: $0.address, failure: DialFailure($0.why)) }
    }
}

extension DialFailure {
    fileprivate init(_ omission: DialPlan.Omission) {
        switch omission {
        case .unsupported(let why): self = .unsupported(why)
        case .backingOff(let wait):
            self = .notTried("it failed lately; by itself it is tried again in \(wait.wholeSeconds) s")
        case .loopback: self = .notTried("it leads to this host, and the peer is on another as far as is known")
        case .notAHost: self = .notTried("no host can be reached at such an address")
        case .ownAddress: self = .notTried("this host listens there itself")
        case .relayed: self = .notTried("a direct connection is wanted, and a relay is on the way")
        case .overLimit(let limit): self = .notTried("the dial has \(limit) addresses before it, which is the limit")
        }
    }
}
