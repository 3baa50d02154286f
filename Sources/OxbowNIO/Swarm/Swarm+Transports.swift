import NIOCore
import NIOPosix
package import OxbowCore
import OxbowSecurity
import OxbowUpgrade
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
    ///
    /// - Parameter isOnly: what was registered before has no more to do: the attempt has come further.
    func onCancel(isOnly: Bool = false, _ abort: @escaping @Sendable () -> Void) {
        let isCancelled = state.withLock { state in
            if isOnly { state.abort = [] }
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

/// How an address is dialled.
package struct DialOptions: Sendable {
    /// Which part this end plays in security and multiplexer: the listener's only where both sides dial.
    package var role = ConnectionRole.dialer
    package var source = DialSource.listeningPortIfPossible
    /// Called when the socket has connected, before the handshake.
    package var socketConnected: (@Sendable () -> Void)?

    package init(
        role: ConnectionRole = .dialer, source: DialSource = .listeningPortIfPossible,
        socketConnected: (@Sendable () -> Void)? = nil
    ) {
        (self.role, self.source, self.socketConnected) = (role, source, socketConnected)
    }
}

extension DialFailure {
    /// Whether it is what two hosts see that have dialled each other at the same moment, each from the port that it
    /// listens on: their SYNs met, TCP made one socket of both (RFC 9293, section 3.5), and both began as clients. Each
    /// takes the other's proposal for an agreement, and its first handshake message for an answer; the one that is first
    /// to notice closes, so that the other may see no more than the end.
    fileprivate var isSimultaneousOpen: Bool {
        switch self {
        case .connection(.upgrade(.security(_, .peerIDMismatch))): false
        case .connection(.upgrade(.security)), .connection(.transportFailed), .connection(.transportEnded): true
        default: false
        }
    }
}

extension Multiaddr.Component {
    fileprivate var isMemory: Bool { if case .memory = self { true } else { false } }
}

// Between addresses and connections: the one place that knows which transports there are.

extension Swarm {
    /// Connects to one address. `completion` is called once.
    package func connect(
        _ address: Multiaddr, _ peer: PeerID, _ ticket: DialTicket, options: DialOptions = DialOptions(),
        completion: @escaping @Sendable (Result<ConnectionDriver, DialFailure>) -> Void
    ) {
        if let named = address.peerID, named != peer { return completion(.failure(.namesAnotherPeer(named))) }
        if address.isRelayed { return dialThroughRelay(address, peer, ticket, completion: completion) }
        if let endpoint = address.tcpEndpoint {
            connect(endpoint, at: address, peer, ticket, options, completion)
        } else if case .memory(let number)? = address.components.first {
            connect(inMemory: number, at: address, peer, ticket, options, completion)
        } else {
            completion(.failure(.unsupported(Self.unsupportedReason(address))))
        }
    }

    private func connect(
        _ endpoint: TCPEndpoint, at address: Multiaddr, _ peer: PeerID, _ ticket: DialTicket, _ options: DialOptions,
        _ completion: @escaping @Sendable (Result<ConnectionDriver, DialFailure>) -> Void
    ) {
        let source = configuration.dialsFromListeningPort ? options.source : .anyPort
        let opened = transports.tcp.connect(to: endpoint, from: source, timeout: configuration.dialTimeout) { channel in
            ticket.onCancel { channel.close(promise: nil) }
        }
        opened.whenComplete { [self] result in
            switch result {
            case .failure(let error):
                completion(.failure(.unreachable(networkErrorText(error))))
            case .success((let channel, let isFromListeningPort)):
                guard let handler = try? channel.pipeline.syncOperations.handler(type: SocketHandler.self) else {
                    return completion(.failure(.unreachable("the socket closed at once")))
                }
                options.socketConnected?()
                let local = Multiaddr(channel.localAddress)
                // For a name, what it led to is the truth about the connection.
                let remote = Multiaddr(channel.remoteAddress) ?? address.withoutPeerID
                let path = newPath(options.role, local: local, remote: remote)
                let mayMeet = isFromListeningPort && source == .listeningPortIfPossible
                upgrade(handler, path, peer, ticket) { [self] result in
                    guard mayMeet, case .failure(let failure) = result, failure.isSimultaneousOpen else {
                        return completion(result)
                    }
                    var again = options
                    again.source = .anyPort
                    connect(endpoint, at: address, peer, ticket, again, completion)
                } start: {
                    handler.start(delegate: $0)
                }
            }
        }
    }

    private func connect(
        inMemory number: UInt64, at address: Multiaddr, _ peer: PeerID, _ ticket: DialTicket, _ options: DialOptions,
        _ completion: @escaping @Sendable (Result<ConnectionDriver, DialFailure>) -> Void
    ) {
        let loop = transports.tcp.group.next()
        let begin: @Sendable (MemoryTransport?) -> Void = { [self] end in
            guard let end else { return completion(.failure(.unreachable("nobody listens there"))) }
            options.socketConnected?()
            let path = newPath(options.role, local: nil, remote: address.withoutPeerID)
            upgrade(end, path, peer, ticket, completion) { end.start(delegate: $0) }
        }
        loop.execute { [self] in
            guard options.source == .listeningPort else {
                return begin(transports.memory.connect(to: number, from: loop, address: nil))
            }
            guard case .memory(let own)? = listenAddresses.lazy.compactMap(\.components.first).first(where: \.isMemory)
            else { return begin(nil) }
            let punch = transports.memory.punch(from: own, to: number, on: loop, completion: begin)
            ticket.onCancel { [self] in transports.memory.cancel(punch) }
        }
    }

    func upgrade(
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
        // The socket is the connection's now: one that stands is no attempt any more.
        ticket.onCancel(isOnly: true) { connection.cancelUpgrade() }
    }

    /// Listens on an address.
    ///
    /// - Returns: how to stop, and the addresses at which peers can reach it: for an unspecified one those of all
    ///   interfaces.
    package func listen(on address: Multiaddr) async throws(ListenError) -> Listener {
        if address.isRelayed { return try await listen(throughRelay: address) }
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
        return
            "only plain TCP addresses (/ip4, /ip6 or /dns…, then /tcp), /memory, and /p2p-circuit behind one can be dialled"
    }
}

/// A place where a swarm listens.
package struct Listener: Sendable {
    package let addresses: [Multiaddr]
    /// Whether the addresses are announced as long as the listener is there. Those at a relay come and go by themselves.
    package var isAnnounced = true
    package let stop: @Sendable () async -> Void
}
