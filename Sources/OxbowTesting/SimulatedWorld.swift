import NIOCore
package import NIOEmbedded
package import OxbowCore
package import OxbowCrypto
package import OxbowNIO
import OxbowSecurity

/// Whole swarms on a network in memory, on one event loop whose time is virtual: real Noise or TLS, Yamux, negotiation
/// and migration, and a delay of 100 ms that costs no time.
///
/// Time jumps from event to event, so arrivals are exact to the nanosecond. Nothing is left to chance but the keys of
/// the handshakes, which change no length and no time.
///
/// Isolation: a world belongs to the thread that made it; that is what makes its parts `@unchecked Sendable`.
package final class SimulatedWorld: @unchecked Sendable {
    package let loop = EmbeddedEventLoop()
    package private(set) var hosts: [SimulatedHost] = []
    package private(set) var links: [SimulatedLink] = []
    /// How long each byte is under way on connections that are dialled by address.
    package var dialDelay: Duration = .zero
    /// The network of the addresses that ``SimulatedHost/listen()`` gives.
    package private(set) lazy var network = MemoryNetwork { [unowned self] _ in MemoryLink(delay: dialDelay) }

    /// One end of each pipe that was made here.
    private var pipes: [MemoryTransport] = []
    private var hasEnded = false

    package init() {}

    deinit {
        if !hasEnded { _ = end() }
    }

    // MARK: Building

    /// Adds a host. The first has the lowest peer id, and so on.
    package func makeHost(
        security: [ProtocolID] = ["/noise"], labelStart: UInt64 = 1_000_000,
        _ configure: (inout SwarmConfiguration) -> Void = { _ in }
    ) -> SimulatedHost {
        precondition(hosts.count < FixedKeys.all.count, "a world has at most \(FixedKeys.all.count) hosts")
        let host = SimulatedHost(
            world: self, identity: FixedKeys.all[hosts.count], security: security, labelStart: labelStart, configure)
        hosts.append(host)
        return host
    }

    /// Connects two hosts, and waits until identify has told each about the other.
    ///
    /// - Parameters:
    ///   - delay: how long each byte is under way.
    ///   - isRelayed: whether the connection passes for one that runs through a relay.
    package func connect(
        _ dialer: SimulatedHost, _ listener: SimulatedHost, delay: Duration = .zero, isRelayed: Bool = false
    ) -> SimulatedLink {
        let link = beginConnecting(dialer, listener, delay: delay, isRelayed: isRelayed)
        // Handshake and identify take seven ways at most.
        run(for: delay * 20)
        return link
    }

    /// Makes a pipe, for ends that the test starts itself.
    package func pipe(_ link: MemoryLink = MemoryLink()) -> (MemoryTransport, MemoryTransport) {
        let ends = MemoryTransport.pair(loop, loop, link: link)
        pipes.append(ends.0)
        return ends
    }

    /// Connects two hosts without waiting for anything.
    ///
    /// - Parameter isRelayed: whether both paths say that they run through a relay, which limits them.
    package func beginConnecting(
        _ dialer: SimulatedHost, _ listener: SimulatedHost, delay: Duration, isRelayed: Bool = false
    ) -> SimulatedLink {
        let (near, far) = pipe(MemoryLink(delay: delay))
        return beginConnecting(
            dialer, listener, SimulatedLink(near: near, far: far, delay: delay), isRelayed: isRelayed)
    }

    /// Connects two hosts over lines with conditions of their own, one for each direction, and waits for nothing.
    package func beginConnecting(
        _ dialer: SimulatedHost, _ listener: SimulatedHost, there: LineConditions, back: LineConditions
    ) -> SimulatedLink {
        let (near, far) = pipe()
        let link = SimulatedLink(near: near, far: far, delay: max(there.delay, back.delay))
        link.lines = [
            SimulatedLine(from: near, there, seed: 1, loop), SimulatedLine(from: far, back, seed: 2, loop),
        ]
        return beginConnecting(dialer, listener, link)
    }

    private func beginConnecting(
        _ dialer: SimulatedHost, _ listener: SimulatedHost, _ link: SimulatedLink, isRelayed: Bool = false
    ) -> SimulatedLink {
        let (near, far) = (link.near, link.far)
        let address = isRelayed ? Self.relayedAddress : nil
        let limit = isRelayed ? CircuitLimit(bytes: 1 << 30) : nil
        let listening = listener.swarm.adopt(far, role: .listener, remoteAddress: address, limit: limit)
        let dialing = dialer.swarm.adopt(
            near, role: .dialer, remoteAddress: address, expectedPeer: listener.id, limit: limit
        ) { link.result = $0 }
        link.ends = [dialer.id: dialing, listener.id: listening].compactMapValues { $0 }
        links.append(link)
        return link
    }

    /// Connects a peer that the test drives by hand, and waits until the connection stands and identify is answered.
    ///
    /// - Parameters:
    ///   - isDialer: whether the raw peer dials; then its streams have odd numbers.
    ///   - identifies: the protocols that it claims to have.
    package func connectRaw(
        _ identity: PrivateKey, to host: SimulatedHost, isDialer: Bool = true,
        identifies: [ProtocolID] = ["/libp2p/stream-migration"], delay: Duration = .zero, isRelayed: Bool = false
    ) throws -> (peer: RawPeer, connection: ConnectionDriver) {
        let (end, hosts) = pipe(MemoryLink(delay: delay))
        let connection = host.swarm.adopt(
            hosts, role: isDialer ? .listener : .dialer, remoteAddress: isRelayed ? Self.relayedAddress : nil)
        let peer = try RawPeer(identity: identity, role: isDialer ? .initiator : .responder, transport: end)
        peer.identifies = identifies
        end.start(delegate: peer)
        run(for: delay * 20)
        guard let connection, peer.isUp else { throw ConnectionError.transportEnded }
        return (peer, connection)
    }

    /// Puts the listener of a host behind a NAT, through which only a hole punch leads.
    package func hide(_ host: SimulatedHost) {
        guard case .memory(let number)? = host.address.components.first else { return }
        network.hide(number)
    }

    /// What a relayed connection has for an address. No host is at the relay's.
    private static let relayedAddress: Multiaddr? = {
        guard let relay = FixedKeys.all.last?.publicKey.peerID else { return nil }
        return try? Multiaddr(components: [.memory(1_000_000), .p2p(relay), .p2pCircuit])
    }()

    // MARK: Time

    /// Virtual time since the world began.
    package var now: Duration { loop.virtualTime }

    package func run(for duration: Duration = .zero) {
        loop.advanceTime(by: .nanoseconds(duration.saturatingNanoseconds))
    }

    /// Runs in steps of a millisecond until `condition` holds.
    ///
    /// - Returns: whether it does, at most `limit` later.
    package func run(upTo limit: Duration = .seconds(120), until condition: () -> Bool) -> Bool {
        let end = now + limit
        run()
        while !condition() {
            guard now < end else { return false }
            run(for: .milliseconds(1))
        }
        return true
    }

    /// Runs `body` at a later time.
    package func after(_ delay: Duration, _ body: @escaping () -> Void) {
        loop.after(delay, body)
    }

    // MARK: The end

    /// Closes every host and lets all timers run out.
    ///
    /// - Returns: what is left in each host, which should be nothing.
    package func end() -> [SwarmCensus] {
        hasEnded = true
        for link in links { link.heal() }
        for host in hosts { host.swarm.close {} }
        run(for: .seconds(120))
        let left = hosts.map(\.swarm.census)
        letGo()
        return left
    }

    /// Takes away what would keep parts of the world alive without it: the network's listeners have their hosts, an open
    /// pipe has who reads it and is had by them, and what is scheduled has the loop, which has it.
    private func letGo() {
        for host in hosts { host.onEvent = nil }
        if !hosts.isEmpty { network.stopAll() }
        for end in pipes { end.cut() }
        pipes = []
        try? loop.syncShutdownGracefully()
    }

    /// Lets go of everything, so that what still lives then is kept alive by something else.
    package func forget() {
        for link in links { (link.near.line, link.far.line) = (nil, nil) }
        (links, hosts) = ([], [])
    }
}

extension EmbeddedEventLoop {
    /// Virtual time since the loop was made.
    var virtualTime: Duration { .nanoseconds(Int64(clamping: now.uptimeNanoseconds)) }

    func after(_ delay: Duration, _ body: @escaping () -> Void) {
        scheduleTask(in: .nanoseconds(delay.saturatingNanoseconds), body)
    }
}

/// One connection between two hosts: its two ends and the line between them.
package final class SimulatedLink: @unchecked Sendable {
    package let near: MemoryTransport
    package let far: MemoryTransport
    package let delay: Duration
    /// What came of the dial.
    package internal(set) var result: Result<ConnectionDriver, ConnectionError>?
    var ends: [PeerID: ConnectionDriver] = [:]
    /// From near to far, and back; none: the pipe's own delay is all there is.
    package internal(set) var lines: [SimulatedLine] = []

    init(near: MemoryTransport, far: MemoryTransport, delay: Duration) {
        (self.near, self.far, self.delay) = (near, far, delay)
    }

    /// The connection as `host` has it.
    package func connection(of host: SimulatedHost) -> ConnectionDriver {
        guard let connection = ends[host.id] else { preconditionFailure("the host has no end of this link") }
        return connection
    }

    /// Whether both ends are over.
    package var isClosed: Bool { ends.values.allSatisfy(\.isClosed) }

    /// Cuts the line: both ends learn of it, bytes under way are lost.
    package func cut() {
        near.cut()
    }

    /// Nothing gets through any more, and nobody is told.
    package func stall() {
        for line in lines { line.stall() }
        (near.isStalled, far.isStalled) = (true, true)
    }

    package func heal() {
        for line in lines { line.heal() }
        (near.isStalled, far.isStalled) = (false, false)
    }

    /// Streams of the multiplexer at both ends that are left.
    package var underlyingStreams: Int { ends.values.reduce(0) { $0 + $1.underlyingStreams } }
}
