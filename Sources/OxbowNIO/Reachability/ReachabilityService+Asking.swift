import NIOCore
import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowSwarm
import Synchronization

extension ReachabilityService {
    /// A question that is under way.
    struct Question {
        let number: UInt64
        let server: PeerID
        /// Where the server is: whose word its answer is.
        let witness: NetworkGroup
        /// Nil for version 1, which shows no nonce.
        let request: DialRequest?
    }

    /// Asks the first of `servers` that has a direct connection.
    func ask(_ servers: [PeerID], in swarm: Swarm, at now: Instant) {
        for server in servers {
            guard let peer = swarm.peer(server) else { continue }
            guard let connection = peer.usableConnections.first(where: { !$0.path.isRelayed }) else { continue }
            guard let nonce = try? SecureRandom.uint64() else { break }
            return ask(peer, on: connection, nonce: nonce, in: swarm, at: now)
        }
        // None of them can be asked: they are only to be had through a relay.
        guard !servers.isEmpty else { return }
        state.withLock { state in
            for server in servers { state.servers[server]?.askAgain = now + configuration.serverInterval }
        }
    }

    private func ask(
        _ peer: PeerState, on connection: ConnectionDriver, nonce: UInt64, in swarm: Swarm, at now: Instant
    ) {
        let number = UniqueNumber.next()
        let witness = connection.path.remoteAddress.flatMap(NetworkGroup.init) ?? .peer(peer.id)
        let plan: (addresses: [Multiaddr], request: DialRequest?, registers: Bool)? = state.withLock { state in
            guard !state.isClosed, state.question == nil, let server = state.servers[peer.id] else { return nil }
            let addresses = state.tracker.addressesToProbe(limit: AutoNAT.maximumRequestAddresses, at: now)
            guard !addresses.isEmpty else { return nil }
            let request: DialRequest? =
                server.hasVersion2
                ? DialRequest(
                    AutoNATv2Client(
                        addresses: addresses, nonce: nonce, maximumDialData: configuration.maximumDialData),
                    on: connection.eventLoop)
                : nil
            state.question = Question(number: number, server: peer.id, witness: witness, request: request)
            state.servers[peer.id]?.askAgain = now + configuration.serverInterval
            let registers = !state.takesDialBacks
            state.takesDialBacks = true
            return (addresses, request, registers)
        }
        guard let (addresses, request, registers) = plan else { return }
        if registers {
            swarm.setHandler(AutoNAT.dialBackProtocolID) { [self] stream, connection in
                takeDialBack(LoopStream(stream, on: connection.eventLoop), on: connection)
            }
        }
        let id = request == nil ? AutoNAT.protocolID : AutoNAT.dialRequestProtocolID
        let stream = swarm.openStream(to: peer, for: [id], on: connection, isMigratable: false)
        connection.onLoop { [self, weak swarm] connection in
            let loopStream = LoopStream(stream, on: connection.eventLoop)
            let completion: (AutoNATAnswer?) -> Void = { [self] answer in
                guard let swarm else { return }
                answered(number, answer, in: swarm)
            }
            if let request {
                request.start(loopStream, configuration, completion: completion)
            } else {
                askVersion1(loopStream, swarm?.localPeer, addresses, completion: completion)
            }
        }
    }

    private func askVersion1(
        _ stream: LoopStream, _ localPeer: PeerID?, _ addresses: [Multiaddr],
        completion: @escaping (AutoNATAnswer?) -> Void
    ) {
        guard let localPeer else { return stream.reset() }
        var client = AutoNATv1Client(peer: localPeer, addresses: addresses)
        var waiting: [UInt8] = []
        stream.write(client.start())
        stream.start(within: configuration.requestTimeout) { event in
            do throws(AutoNATError) {
                switch event {
                case .bytes(let buffer):
                    waiting += buffer.readableBytesView
                    var input = waiting[...]
                    let answer = try client.receive(&input)
                    waiting = Array(input)
                    guard let answer else { return }
                    stream.finish()
                    completion(answer)
                case .end: try client.receiveEnd()
                case .failed: completion(nil)
                }
            } catch {
                stream.reset()
                completion(nil)
            }
        }
    }

    /// - Parameter answer: nil when the stream brought none.
    private func answered(_ number: UInt64, _ answer: AutoNATAnswer?, in swarm: Swarm) {
        state.withLock { state in
            guard let question = state.question, question.number == number, let loop = state.loop else { return }
            state.question = nil
            let now = Instant(loop.now)
            switch answer {
            case .reachable(let address, let isProved):
                let witness = isProved ? nil : question.witness
                _ = state.tracker.record(address, isReachable: true, witness: witness, at: now)
            case .unreachable(let addresses):
                for address in addresses {
                    _ = state.tracker.record(address, isReachable: false, witness: question.witness, at: now)
                }
            case .refused, .rejected, .void, nil:
                state.tracker.recordFailure(at: now)
                state.servers[question.server]?.askAgain = now + configuration.serverInterval * 10
            }
        }
        reconsider(in: swarm)
    }

    /// A peer shows a nonce. It counts only on a connection that the peer made: on one that this host made it would prove
    /// nothing.
    private func takeDialBack(_ stream: LoopStream, on connection: ConnectionDriver) {
        let path = connection.path
        guard path.role == .listener, !path.isRelayed else { return stream.reset() }
        var reader = AutoNATDialBackReader()
        var waiting: [UInt8] = []
        stream.start(within: configuration.dialBackTimeout) { [self] event in
            guard case .bytes(let buffer) = event else { return stream.finish() }
            waiting += buffer.readableBytesView
            var input = waiting[...]
            do throws(AutoNATError) {
                let nonce = try reader.receive(&input)
                waiting = Array(input)
                guard let nonce else { return }
                let request = state.withLock { $0.question?.request }
                guard let request, request.nonce == nonce else { return stream.reset() }
                request.takeDialBack(nonce: nonce, at: path.localAddress) { isWanted in
                    connection.onLoop { _ in
                        guard isWanted else { return stream.reset() }
                        stream.write(AutoNATDialBackReader.answer)
                        stream.finish()
                    }
                }
            } catch {
                stream.reset()
            }
        }
    }
}

/// A request of version 2 under way, on the event loop of the connection to the server.
///
/// Isolation: everything but ``nonce`` and ``takeDialBack(nonce:at:completion:)`` happens on `eventLoop`; that is what
/// makes the class `@unchecked Sendable`.
final class DialRequest: @unchecked Sendable {
    let nonce: UInt64
    private let eventLoop: any EventLoop
    private var client: AutoNATv2Client
    private var waiting: [UInt8] = []
    private var stream: LoopStream?
    private var grace: Scheduled<Void>?
    private var completion: ((AutoNATAnswer?) -> Void)?

    init(_ client: AutoNATv2Client, on eventLoop: any EventLoop) {
        nonce = client.nonce
        self.client = client
        self.eventLoop = eventLoop
    }

    /// - Parameter completion: called once, with nil when the stream brought no answer.
    func start(
        _ stream: LoopStream, _ configuration: ReachabilityConfiguration,
        completion: @escaping (AutoNATAnswer?) -> Void
    ) {
        (self.stream, self.completion) = (stream, completion)
        stream.write(client.start())
        stream.start(within: configuration.requestTimeout) { [self] event in
            do throws(AutoNATError) {
                switch event {
                case .bytes(let buffer):
                    waiting += buffer.readableBytesView
                    var input = waiting[...]
                    let step = try client.receive(&input)
                    waiting = Array(input)
                    try follow(step, configuration)
                case .end:
                    try client.receiveEnd()
                    stream.close()
                case .failed: end(nil)
                }
            } catch {
                stream.reset()
                end(nil)
            }
        }
    }

    /// A nonce was shown on another connection. Any thread.
    func takeDialBack(
        nonce: UInt64, at localAddress: Multiaddr?, completion: @escaping @Sendable (_ isWanted: Bool) -> Void
    ) {
        eventLoop.execute { [self] in
            let step = client.receiveDialBack(nonce: nonce, at: localAddress)
            completion(step != nil)
            if case .done(let answer) = step { end(answer) }
        }
    }

    private func follow(
        _ step: AutoNATv2Client.Step, _ configuration: ReachabilityConfiguration
    ) throws(AutoNATError) {
        switch step {
        case .needMoreInput: return
        case .send(let messages):
            // At most 100 kB, which the queue has room for.
            for message in messages { stream?.write(message) }
        case .awaitDialBack:
            stream?.finish()
            grace = eventLoop.scheduleTask(in: .nanoseconds(configuration.dialBackTimeout.saturatingNanoseconds)) {
                [self] in end(client.giveUp())
            }
        case .done(let answer):
            stream?.finish()
            end(answer)
        }
    }

    private func end(_ answer: AutoNATAnswer?) {
        grace?.cancel()
        let completion = completion
        (self.completion, stream, grace) = (nil, nil, nil)
        completion?(answer)
    }
}
