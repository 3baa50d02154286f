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
    private(set) lazy var network = MemoryNetwork { [unowned self] _ in MemoryLink(delay: dialDelay) }

    package init() {}

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
    /// - Parameter delay: how long each byte is under way.
    package func connect(
        _ dialer: SimulatedHost, _ listener: SimulatedHost, delay: Duration = .zero
    ) -> SimulatedLink {
        let link = beginConnecting(dialer, listener, delay: delay)
        // Handshake and identify take seven ways at most.
        run(for: delay * 20)
        return link
    }

    /// Connects two hosts without waiting for anything.
    ///
    /// - Parameter relayed: whether both paths say that they run through a relay, which limits them.
    package func beginConnecting(
        _ dialer: SimulatedHost, _ listener: SimulatedHost, delay: Duration, relayed: Bool = false
    ) -> SimulatedLink {
        let (near, far) = MemoryTransport.pair(loop, loop, link: MemoryLink(delay: delay))
        return beginConnecting(dialer, listener, SimulatedLink(near: near, far: far, delay: delay), relayed: relayed)
    }

    /// Connects two hosts over lines with conditions of their own, one for each direction, and waits for nothing.
    package func beginConnecting(
        _ dialer: SimulatedHost, _ listener: SimulatedHost, there: LineConditions, back: LineConditions
    ) -> SimulatedLink {
        let (near, far) = MemoryTransport.pair(loop, loop)
        let link = SimulatedLink(near: near, far: far, delay: max(there.delay, back.delay))
        link.lines = [
            SimulatedLine(from: near, there, seed: 1, loop), SimulatedLine(from: far, back, seed: 2, loop),
        ]
        return beginConnecting(dialer, listener, link)
    }

    private func beginConnecting(
        _ dialer: SimulatedHost, _ listener: SimulatedHost, _ link: SimulatedLink, relayed: Bool = false
    ) -> SimulatedLink {
        let (near, far) = (link.near, link.far)
        let circuit = relayed ? try? Multiaddr("/memory/99/p2p/\(FixedKeys.all[2].publicKey.peerID)/p2p-circuit") : nil
        let limit = circuit.map { _ in CircuitLimit(bytes: 1 << 30) }
        let listening = listener.swarm.adopt(far, role: .listener, remote: circuit, limit: limit)
        let dialing = dialer.swarm.adopt(
            near, role: .dialer, expectedPeer: listener.id, remote: circuit, limit: limit
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
        identifies: [ProtocolID] = ["/libp2p/stream-migration"], delay: Duration = .zero
    ) throws -> (peer: RawPeer, connection: ConnectionDriver) {
        let (end, hosts) = MemoryTransport.pair(loop, loop, link: MemoryLink(delay: delay))
        let connection = host.swarm.adopt(hosts, role: isDialer ? .listener : .dialer)
        let peer = try RawPeer(identity: identity, role: isDialer ? .initiator : .responder, transport: end)
        peer.identifies = identifies
        end.start(delegate: peer)
        run(for: delay * 20)
        guard let connection, peer.isUp else { throw ConnectionError.transportEnded }
        return (peer, connection)
    }

    // MARK: Time

    /// Virtual time since the world began.
    package var now: Duration { .nanoseconds(Int64(clamping: loop.now.uptimeNanoseconds)) }

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
        loop.scheduleTask(in: .nanoseconds(delay.saturatingNanoseconds), body)
    }

    // MARK: The end

    /// Closes every host and lets all timers run out.
    ///
    /// - Returns: what is left in each host, which should be nothing.
    package func end() -> [SwarmCensus] {
        for link in links { link.heal() }
        for host in hosts { host.swarm.close {} }
        run(for: .seconds(120))
        let left = hosts.map(\.swarm.census)
        try? loop.syncShutdownGracefully()
        return left
    }

    /// Lets go of everything, so that what still lives then is kept alive by something else.
    package func forget() {
        for link in links { (link.near.line, link.far.line) = (nil, nil) }
        (links, hosts) = ([], [])
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
