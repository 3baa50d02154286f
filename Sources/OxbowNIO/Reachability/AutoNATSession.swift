import NIOCore
import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowWire

/// One request to this host's AutoNAT server, on the event loop of the connection on which it came.
///
/// Isolation: everything happens on the stream's event loop; that is what makes the class `@unchecked Sendable`.
final class AutoNATSession: @unchecked Sendable {
    let peer: PeerID
    private let stream: LoopStream
    private let server: AutoNATServer
    private let dialer: Swarm
    private let ticket = DialTicket()
    private let isAdmitted: Bool
    private var waiting: [UInt8] = []
    private var pause: Scheduled<Void>?
    private var isOver = false
    private var isDialling = false

    private var eventLoop: any EventLoop { stream.eventLoop }

    init(_ stream: LoopStream, of peer: PeerID, server: AutoNATServer, dialer: Swarm, isAdmitted: Bool) {
        (self.stream, self.peer, self.server) = (stream, peer, server)
        (self.dialer, self.isAdmitted) = (dialer, isAdmitted)
    }

    // MARK: Version 2

    func serveVersion2(_ machine: AutoNATv2Server) {
        var machine = machine
        guard isAdmitted else { return respond(machine.reject()) }
        var isForeign = false
        receive { [self] input throws(AutoNATError) in
            switch try machine.receive(&input) {
            case .needMoreInput: return
            case .demand(let bytes):
                isForeign = true
                guard server.takeForeignDial(at: Instant(eventLoop.now)) else { return respond(machine.reject()) }
                stream.write(bytes)
            case .respond(let bytes): respond(bytes)
            case .dial(let address, let nonce):
                isDialling = true
                after(isForeign ? delay() : .zero) { [self] in
                    dialBack(address, nonce) { [self] in respond(machine.dialled($0)) }
                }
            }
        }
    }

    /// Connects to the client's address and shows the nonce there.
    private func dialBack(
        _ address: Multiaddr, _ nonce: UInt64, completion: @escaping (AutoNATv2DialStatus) -> Void
    ) {
        let deliver = Callback(eventLoop, completion)
        let timeout = server.configuration.dialBackTimeout
        dialer.connect(address, peer, ticket) { [dialer, peer] result in
            guard case .success(let connection) = result else { return deliver(.dialError) }
            connection.onLoop { connection in
                guard let state = dialer.peer(peer), state.hasConnection(connection) else {
                    return deliver(.dialBackError)
                }
                let stream = LoopStream(
                    dialer.openStream(
                        to: state, for: [AutoNAT.dialBackProtocolID], on: connection, isMigratable: false),
                    on: connection.eventLoop)
                Self.show(nonce, on: stream, within: timeout) { status in
                    connection.close()
                    deliver(status)
                }
            }
        }
    }

    private static func show(
        _ nonce: UInt64, on stream: LoopStream, within timeout: Duration,
        completion: @escaping (AutoNATv2DialStatus) -> Void
    ) {
        var writer = AutoNATDialBackWriter()
        var waiting: [UInt8] = []
        stream.write(AutoNATDialBackWriter.start(nonce: nonce))
        stream.stream.closeWrite()
        stream.start(within: timeout) { event in
            switch event {
            case .bytes(let buffer):
                waiting += buffer.readableBytesView
                var input = waiting[...]
                do throws(AutoNATError) {
                    guard try writer.receive(&input) else {
                        waiting = Array(input)
                        return
                    }
                    stream.finish()
                    completion(.ok)
                } catch {
                    stream.reset()
                    completion(.dialBackError)
                }
            // Older clients close without an answer; that they close tells that the nonce was read.
            case .end: completion(.ok)
            case .failed: completion(.dialBackError)
            }
        }
    }

    // MARK: Version 1

    func serveVersion1(_ machine: AutoNATv1Server) {
        var machine = machine
        guard isAdmitted else { return respond(machine.reject()) }
        receive { [self] input throws(AutoNATError) in
            switch try machine.receive(&input) {
            case .needMoreInput: return
            case .respond(let bytes): respond(bytes)
            case .dial(let addresses):
                isDialling = true
                dialAny(addresses) { [self] in respond(machine.dialled($0)) }
            }
        }
    }

    /// Dials all addresses at once; the first that leads to the client ends the others.
    private func dialAny(_ addresses: [Multiaddr], completion: @escaping (Multiaddr?) -> Void) {
        var remaining = addresses.count
        var isDecided = false
        for address in addresses {
            let deliver = Callback<Bool>(eventLoop) { [ticket] isReached in
                remaining -= 1
                guard !isDecided, isReached || remaining == 0 else { return }
                isDecided = true
                ticket.cancel()
                completion(isReached ? address : nil)
            }
            dialer.connect(address, peer, ticket) { result in
                let connection = try? result.get()
                connection?.close()
                deliver(connection != nil)
            }
        }
    }

    // MARK: The stream

    private func receive(_ body: @escaping (inout ArraySlice<UInt8>) throws(AutoNATError) -> Void) {
        stream.start(within: server.configuration.requestTimeout) { [self] event in
            switch event {
            case .bytes(let buffer):
                waiting += buffer.readableBytesView
                var input = waiting[...]
                do throws(AutoNATError) {
                    try body(&input)
                    waiting = Array(input)
                } catch {
                    giveUp()
                }
            // A client may end its side behind the request.
            case .end: if !isDialling { giveUp() }
            case .failed: giveUp()
            }
        }
    }

    private func after(_ delay: Duration, _ body: @escaping () -> Void) {
        guard delay > .zero else { return body() }
        let resume = Callback<Void>(eventLoop, body)
        pause = eventLoop.scheduleTask(in: .nanoseconds(delay.saturatingNanoseconds)) { resume(()) }
    }

    private func delay() -> Duration {
        let limit = server.configuration.maximumDialDelay
        guard limit > .zero, let number = try? SecureRandom.uint64() else { return .zero }
        return limit / 1_024 * Int(number % 1_024)
    }

    private func respond(_ bytes: [UInt8]) {
        guard !isOver else { return }
        stream.write(bytes)
        stream.finish()
        end()
    }

    private func giveUp() {
        guard !isOver else { return }
        stream.reset()
        end()
    }

    private func end() {
        isOver = true
        pause?.cancel()
        ticket.cancel()
        if isAdmitted { server.ended(peer) }
    }
}

/// Brings a result back to the event loop that waits for it.
///
/// Isolation: the body runs on the loop alone; that is what makes the class `@unchecked Sendable`.
private final class Callback<Value: Sendable>: @unchecked Sendable {
    private let eventLoop: any EventLoop
    private let body: (Value) -> Void

    init(_ eventLoop: any EventLoop, _ body: @escaping (Value) -> Void) {
        (self.eventLoop, self.body) = (eventLoop, body)
    }

    func callAsFunction(_ value: Value) {
        eventLoop.execute { self.body(value) }
    }
}
