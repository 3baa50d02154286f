package import NIOCore
package import OxbowCore
import OxbowMigration
import OxbowProtocols
import Synchronization

/// One dial to a peer, shared by everybody who wants that peer meanwhile.
struct SharedDial {
    let number: UInt64
    let task: Task<Result<ConnectionDriver, DialError>, Never>
    var callers: Int
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
    /// Connects to a peer: joins the dial to it that runs, or starts one. The dial is cancelled when its last caller is.
    package func dial(
        _ peer: PeerID, at addresses: [Multiaddr]
    ) async throws(DialError) -> ConnectionDriver {
        guard peer != localPeer else { throw DialError(peer, .isSelf) }
        guard !addresses.isEmpty else { throw DialError(peer, .noAddresses) }
        let joined: Result<SharedDial, DialError> = state.withLock { state in
            guard !state.isClosed else { return .failure(DialError(peer, .closed)) }
            if var running = state.dials[peer] {
                running.callers += 1
                state.dials[peer] = running
                return .success(running)
            }
            guard state.dials.count < configuration.limits.dials else {
                return .failure(DialError(peer, .tooManyDials(limit: configuration.limits.dials)))
            }
            let task = Task { await self.race(peer, addresses) }
            let dial = SharedDial(number: UniqueNumber.next(), task: task, callers: 1)
            state.dials[peer] = dial
            return .success(dial)
        }
        let dial = try joined.get()
        let result = await withTaskCancellationHandler {
            await dial.task.value
        } onCancel: {
            leave(dial, to: peer)
        }
        state.withLock { state in
            if state.dials[peer]?.number == dial.number { state.dials[peer] = nil }
        }
        return try result.get()
    }

    /// One more connection to a peer, whatever stands or is being dialled already.
    package func dialAnother(
        _ peer: PeerID, at addresses: [Multiaddr]
    ) async throws(DialError) -> ConnectionDriver {
        guard peer != localPeer else { throw DialError(peer, .isSelf) }
        guard !addresses.isEmpty else { throw DialError(peer, .noAddresses) }
        return try await race(peer, addresses).get()
    }

    private func leave(_ dial: SharedDial, to peer: PeerID) {
        state.withLock { state in
            guard var running = state.dials[peer], running.number == dial.number else { return }
            running.callers -= 1
            state.dials[peer] = running.callers == 0 ? nil : running
            if running.callers == 0 { dial.task.cancel() }
        }
    }

    // MARK: The race

    private enum RaceEvent: Sendable {
        case attempt(Multiaddr, Result<ConnectionDriver, DialFailure>)
        case nextTurn
        case timeout
    }

    /// Tries the addresses one after the other, each a little behind the one before or as soon as that failed; the
    /// first that leads to the peer wins (RFC 8305, section 5).
    private func race(
        _ peer: PeerID, _ addresses: [Multiaddr]
    ) async -> Result<ConnectionDriver, DialError> {
        var waiting = Self.ordered(addresses).prefix(configuration.limits.addressesPerDial)[...]
        let all = Array(waiting)
        return await withTaskGroup(of: RaceEvent.self) { group in
            var failures: [Multiaddr: DialFailure] = [:]
            var running = 0
            var outcome: Result<ConnectionDriver, DialError>?
            func startNext() {
                guard let address = waiting.popFirst() else { return }
                running += 1
                group.addTask { .attempt(address, await self.attempt(address, peer)) }
                guard !waiting.isEmpty else { return }
                group.addTask { [stagger = self.configuration.dialStagger] in
                    try? await Task.sleep(for: stagger.saturated)
                    return .nextTurn
                }
            }
            func failed(_ reason: DialError.Reason) -> Result<ConnectionDriver, DialError> {
                let attempts = all.map { DialError.Attempt(address: $0, failure: failures[$0] ?? .notFinished) }
                return .failure(DialError(peer, reason, attempts))
            }
            group.addTask { [limit = configuration.dialTimeout] in
                try? await Task.sleep(for: limit.saturated)
                return .timeout
            }
            /// Ends the race; what still runs is given up.
            func decide(_ result: Result<ConnectionDriver, DialError>) {
                outcome = result
                group.cancelAll()
            }
            startNext()
            while let event = await group.next() {
                switch (event, outcome) {
                case (.attempt(_, .success(let connection)), nil): decide(.success(connection))
                // Too late by a moment: the winner is enough.
                case (.attempt(_, .success(let connection)), _): connection.close()
                case (.attempt(let address, .failure(let failure)), nil):
                    failures[address] = failure
                    running -= 1
                    startNext()
                    if running == 0 { decide(failed(Task.isCancelled ? .cancelled : .allFailed)) }
                case (.nextTurn, nil): startNext()
                case (.timeout, nil):
                    decide(failed(Task.isCancelled ? .cancelled : .timedOut(configuration.dialTimeout)))
                default: break
                }
            }
            return outcome ?? failed(.allFailed)
        }
    }

    /// Interleaves the address families, beginning with that of the first address (RFC 8305, section 4).
    static func ordered(_ addresses: [Multiaddr]) -> [Multiaddr] {
        var seen: Set<Multiaddr> = []
        let unique = addresses.filter { seen.insert($0).inserted }
        func isIPv6(_ address: Multiaddr) -> Bool {
            if case .ip6 = address.host { true } else { false }
        }
        guard let first = unique.first else { return [] }
        let same = unique.filter { isIPv6($0) == isIPv6(first) }
        let other = unique.filter { isIPv6($0) != isIPv6(first) }
        var result: [Multiaddr] = []
        for index in 0..<max(same.count, other.count) {
            if index < same.count { result.append(same[index]) }
            if index < other.count { result.append(other[index]) }
        }
        return result
    }

    private func attempt(
        _ address: Multiaddr, _ peer: PeerID
    ) async -> Result<ConnectionDriver, DialFailure> {
        let ticket = DialTicket()
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                connect(address, peer, ticket) { continuation.resume(returning: $0) }
            }
        } onCancel: {
            ticket.cancel()
        }
    }
}
