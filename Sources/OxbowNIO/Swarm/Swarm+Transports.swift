import NIOCore
import NIOPosix
package import OxbowCore
import Synchronization

/// Lets one attempt of a dial be given up, whatever it is at.
package final class DialTicket: Sendable {
    package init() {}

    private struct State {
        var isCancelled = false
        var abort: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    /// Registers what ends the attempt; done at once when it was given up already.
    func onCancel(_ abort: @escaping @Sendable () -> Void) {
        let isCancelled = state.withLock { state in
            if !state.isCancelled { state.abort.append(abort) }
            return state.isCancelled
        }
        if isCancelled { abort() }
    }

    func cancel() {
        let aborts = state.withLock { state in
            state.isCancelled = true
            defer { state.abort = [] }
            return state.abort
        }
        for abort in aborts { abort() }
    }
}

// Between addresses and connections: the one place that knows which transports there are.

extension Swarm {
    /// Connects to one address. `completion` is called once.
    package func connect(
        _ address: Multiaddr, _ peer: PeerID, _ ticket: DialTicket,
        completion: @escaping @Sendable (Result<ConnectionDriver, DialFailure>) -> Void
    ) {
        if let named = address.peerID, named != peer { return completion(.failure(.namesAnotherPeer(named))) }
        if let endpoint = address.tcpEndpoint {
            let channel = transports.tcp.connect(to: endpoint, timeout: configuration.dialTimeout) { channel in
                ticket.onCancel { channel.close(promise: nil) }
            }
            channel.whenComplete { [self] result in
                switch result {
                case .failure(let error):
                    completion(.failure(.unreachable(networkErrorText(error))))
                case .success(let channel):
                    guard let handler = try? channel.pipeline.syncOperations.handler(type: SocketHandler.self) else {
                        return completion(.failure(.unreachable("the socket closed at once")))
                    }
                    let local = Multiaddr(channel.localAddress)
                    // For a name, what it led to is the truth about the connection.
                    let remote = Multiaddr(channel.remoteAddress) ?? address.withoutPeerID
                    let path = newPath(.dialer, local: local, remote: remote)
                    upgrade(handler, path, peer, ticket, completion) { handler.start(delegate: $0) }
                }
            }
        } else if case .memory(let number)? = address.components.first {
            let loop = transports.tcp.group.next()
            loop.execute { [self] in
                let path = newPath(.dialer, local: nil, remote: address.withoutPeerID)
                guard let end = transports.memory.connect(to: number, from: loop, address: nil) else {
                    return completion(.failure(.unreachable("nobody listens there")))
                }
                upgrade(end, path, peer, ticket, completion) { end.start(delegate: $0) }
            }
        } else {
            completion(.failure(.unsupported(Self.unsupportedReason(address))))
        }
    }

    private func upgrade(
        _ transport: any ByteTransport, _ path: ConnectionPath, _ peer: PeerID, _ ticket: DialTicket,
        _ completion: @escaping @Sendable (Result<ConnectionDriver, DialFailure>) -> Void,
        start: (ConnectionDriver) -> Void
    ) {
        let connection = adopt(transport, path: path, expectedPeer: peer) { result in
            completion(result.mapError { .connection($0) })
        }
        guard let connection else { return }
        connection.start()
        start(connection)
        ticket.onCancel { connection.cancelUpgrade() }
    }

    /// Listens on an address.
    ///
    /// - Returns: how to stop, and the addresses at which peers can reach it: for an unspecified one those of all
    ///   interfaces.
    package func listen(on address: Multiaddr) async throws(ListenError) -> Listener {
        if let endpoint = address.tcpEndpoint {
            let channel: any Channel
            do {
                channel = try await transports.tcp.listen(on: endpoint) { [self] handler, channel in
                    let path = newPath(
                        .listener, local: Multiaddr(channel.localAddress), remote: Multiaddr(channel.remoteAddress))
                    accept(handler, path) { handler.start(delegate: $0) }
                }.get()
            } catch { throw .failed(address, networkErrorText(error)) }
            let bound = Multiaddr(channel.localAddress) ?? address
            return Listener(addresses: Self.reachable(bound)) {
                try? await channel.close()
            }
        }
        guard case .memory(let number)? = address.components.first, address.components.count == 1 else {
            throw .unsupported(address)
        }
        return try listen(inMemory: number)
    }

    /// Listens at a number of the memory network; 0 finds a free one.
    package func listen(inMemory number: UInt64) throws(ListenError) -> Listener {
        guard let address = try? Multiaddr(components: [.memory(number)]) else {
            preconditionFailure("a number makes an address")
        }
        let listener = MemoryNetwork.Listener(group: transports.tcp.group) { [self] transport, remote in
            let path = newPath(.listener, local: address, remote: remote)
            accept(transport, path) { transport.start(delegate: $0) }
        }
        guard let chosen = transports.memory.listen(at: number, listener),
            let bound = try? Multiaddr(components: [.memory(chosen)])
        else { throw .failed(address, "somebody listens there already") }
        return Listener(addresses: [bound]) { [self] in transports.memory.stop(at: chosen) }
    }

    private func accept(_ transport: any ByteTransport, _ path: ConnectionPath, start: (ConnectionDriver) -> Void) {
        guard let connection = adopt(transport, path: path, expectedPeer: nil, completion: nil) else { return }
        connection.start()
        start(connection)
    }

    func newPath(_ role: ConnectionRole, local: Multiaddr?, remote: Multiaddr?) -> ConnectionPath {
        ConnectionPath(
            id: ConnectionID(rawValue: UniqueNumber.next()), role: role, localAddress: local, remoteAddress: remote)
    }

    // MARK: Words

    /// Where an address of a listener can be reached: one that is unspecified stands for every interface's.
    private static func reachable(_ bound: Multiaddr) -> [Multiaddr] {
        guard bound.isUnspecified, let endpoint = bound.tcpEndpoint else { return [bound] }
        let isIPv6 = if case .ip6 = endpoint.host { true } else { false }
        let devices = (try? System.enumerateDevices()) ?? []
        let addresses = devices.compactMap { device -> Multiaddr? in
            guard var address = device.address, (address.protocol == .inet6) == isIPv6 else { return nil }
            address.port = Int(endpoint.port)
            return Multiaddr(address)
        }
        return addresses.isEmpty ? [bound] : addresses
    }

    static func unsupportedReason(_ address: Multiaddr) -> String {
        if case .dnsaddr? = address.components.first {
            return "/dnsaddr needs a TXT look-up, which this version doesn't make; give the addresses behind it"
        }
        return "only plain TCP addresses (/ip4, /ip6 or /dns…, then /tcp) and /memory can be dialled"
    }
}

/// A place where a swarm listens.
package struct Listener: Sendable {
    package let addresses: [Multiaddr]
    package let stop: @Sendable () async -> Void
}
