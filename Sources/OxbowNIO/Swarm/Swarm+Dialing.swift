package import NIOCore
package import OxbowCore
package import OxbowSwarm
import Synchronization

/// What a dial is to do.
package struct PeerDialRequest: Sendable {
    package let peer: PeerID
    /// Addresses that the caller names. They are tried whatever happened to them before, and alone: what is known
    /// besides counts only when none is named.
    package var addresses: [Multiaddr]
    package var goal: DialGoal
    /// Whether it may join, and be joined by, a dial with the same goal that runs.
    package var isShared: Bool

    package init(_ peer: PeerID, at addresses: [Multiaddr] = [], goal: DialGoal = .any, isShared: Bool = true) {
        self.peer = peer
        self.addresses = addresses
        self.goal = goal
        self.isShared = isShared
    }
}

/// What makes two dials the same.
struct DialKey: Hashable {
    let peer: PeerID
    let goal: DialGoal
}

/// A dial that others may join.
struct SharedDial {
    let dial: DialDriver
    var callers = 1
}

/// One caller's share in a dial, to give it up by.
package final class DialCall: Sendable {
    let number = UniqueNumber.next()
    private let state = Mutex(State())

    private struct State {
        var isCancelled = false
        var hasEnded = false
        var leave: (@Sendable () -> Void)?
    }

    package init() {}

    /// The caller doesn't wait any more: its completion runs at once, and the dial ends with its last caller.
    package func cancel() {
        let leave = state.withLock { state in
            state.isCancelled = true
            defer { state.leave = nil }
            return state.leave
        }
        leave?()
    }

    /// Registers what gives the share up; done at once when that was asked for before. The dial, on its own loop, may
    /// have come to its end already: then there is nothing to give up, and nothing is kept.
    func joined(_ leave: @escaping @Sendable () -> Void) {
        let isCancelled = state.withLock { state in
            if !state.isCancelled, !state.hasEnded { state.leave = leave }
            return state.isCancelled
        }
        if isCancelled { leave() }
    }

    func ended() {
        state.withLock { ($0.hasEnded, $0.leave) = (true, nil) }
    }
}

/// The transports that a host dials and listens with.
package struct SwarmTransports: Sendable {
    let tcp: TCPTransport
    let memory: MemoryNetwork

    package init(group: any EventLoopGroup, memory: MemoryNetwork) {
        tcp = TCPTransport(group: group)
        self.memory = memory
    }
}

extension Swarm {
    package typealias DialCompletion = @Sendable (Result<ConnectionDriver, DialError>) -> Void

    /// Dials a peer: joins the dial to it that runs, or starts one. Any thread.
    ///
    /// - Parameters:
    ///   - call: gives this caller's share up.
    ///   - completion: called once, on an event loop or at once.
    package func dial(_ request: PeerDialRequest, _ call: DialCall = DialCall(), completion: @escaping DialCompletion) {
        let done: DialCompletion = { result in
            call.ended()
            completion(result)
        }
        do {
            let dial = try joinOrStart(request, call, done)
            call.joined { [self] in leave(dial, request, call) }
        } catch {
            done(.failure(error))
        }
    }

    private func joinOrStart(
        _ request: PeerDialRequest, _ call: DialCall, _ done: @escaping DialCompletion
    ) throws(DialError) -> DialDriver {
        let peer = request.peer
        guard peer != localPeer else { throw DialError(peer, .isSelf) }
        let key = DialKey(peer: peer, goal: request.goal)
        let isRunning = request.isShared && state.withLock { $0.sharedDials[key] != nil }
        let plan = try plan(request, isJoining: isRunning)
        let begun: Result<DialDriver, DialError> = state.withLock { state in
            guard !state.isClosed else { return .failure(DialError(peer, .closed)) }
            if request.isShared, let shared = state.sharedDials[key] {
                state.sharedDials[key]?.callers += 1
                // Under the lock, so that those who join and leave come in the order of their count.
                shared.dial.eventLoop.execute { shared.dial.join(call.number, plan, done) }
                return .success(shared.dial)
            }
            guard state.dials.count < configuration.limits.dials else {
                return .failure(DialError(peer, .tooManyDials(limit: configuration.limits.dials)))
            }
            let dial = DialDriver(request, swarm: self, on: transports.tcp.group.next())
            state.dials[dial.number] = dial
            if request.isShared { state.sharedDials[key] = SharedDial(dial: dial) }
            dial.eventLoop.execute { dial.begin(call.number, plan, done) }
            return .success(dial)
        }
        return try begun.get()
    }

    private func leave(_ dial: DialDriver, _ request: PeerDialRequest, _ call: DialCall) {
        let key = DialKey(peer: request.peer, goal: request.goal)
        state.withLock { state in
            if let shared = state.sharedDials[key], shared.dial === dial {
                state.sharedDials[key]?.callers -= 1
                if shared.callers == 1 { state.sharedDials[key] = nil }
            }
            dial.eventLoop.execute { dial.leave(call.number) }
        }
    }

    /// A dial has its outcome: nobody joins it any more.
    func ended(_ dial: DialDriver) {
        let key = DialKey(peer: dial.request.peer, goal: dial.request.goal)
        state.withLock { state in
            state.dials[dial.number] = nil
            if state.sharedDials[key]?.dial === dial { state.sharedDials[key] = nil }
        }
    }

    // MARK: The plan

    private func plan(_ request: PeerDialRequest, isJoining: Bool) throws(DialError) -> DialPlan {
        let peer = request.peer
        var candidates = request.addresses.map { DialCandidate($0, isExplicit: true) }
        if candidates.isEmpty {
            if !isJoining, request.goal == .any, let wait = peerBook.backOff(of: peer) {
                throw DialError(peer, .backingOff(wait))
            }
            candidates = peerBook.candidates(for: peer)
            guard !candidates.isEmpty || isJoining else { throw DialError(peer, .noAddresses) }
        }
        // What the application names is dialled wherever it leads, so nothing need be known of this host for it.
        let isLocal = candidates.contains { !$0.isExplicit && ($0.address.isPrivate || $0.address.isLoopback) }
        var surroundings = isLocal ? LocalNetworks.surroundings() : DialSurroundings()
        surroundings.listening = Set(listenAddresses.compactMap(\.withoutPeerID))
        return DialPlan(
            candidates, goal: request.goal, surroundings: surroundings, limit: configuration.limits.addressesPerDial,
            unsupported: Self.unsupported)
    }

    /// Why no transport takes an address; nil when one may.
    private static func unsupported(_ address: Multiaddr) -> String? {
        if address.tcpEndpoint != nil || address.isRelayed { return nil }
        if case .memory? = address.components.first { return nil }
        return unsupportedReason(address)
    }

    // MARK: For tasks

    /// Connects to a peer: joins the dial to it that runs, or starts one. The dial is cancelled when its last caller is.
    ///
    /// - Parameter addresses: where; when empty, what is known of the peer.
    package func dial(
        _ peer: PeerID, at addresses: [Multiaddr] = [], goal: DialGoal = .any
    ) async throws(DialError) -> ConnectionDriver {
        try await dial(PeerDialRequest(peer, at: addresses, goal: goal))
    }

    /// One more connection to a peer, whatever stands or is being dialled already.
    package func dialAnother(
        _ peer: PeerID, at addresses: [Multiaddr]
    ) async throws(DialError) -> ConnectionDriver {
        try await dial(PeerDialRequest(peer, at: addresses, isShared: false))
    }

    private func dial(_ request: PeerDialRequest) async throws(DialError) -> ConnectionDriver {
        let call = DialCall()
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                dial(request, call) { continuation.resume(returning: $0) }
            }
        } onCancel: {
            call.cancel()
        }
        return try result.get()
    }
}
