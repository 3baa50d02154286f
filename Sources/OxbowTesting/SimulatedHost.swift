import NIOCore
package import OxbowCore
package import OxbowCrypto
package import OxbowNIO
import OxbowSwarm
import OxbowUpgrade

/// A swarm in a ``SimulatedWorld``, with the streams that it serves.
package final class SimulatedHost: @unchecked Sendable {
    package let swarm: Swarm
    package let id: PeerID
    package let identity: PrivateKey
    unowned let world: SimulatedWorld
    private let number: UInt64
    package private(set) var events: [SwarmEvent] = []
    /// Called for each event.
    package var onEvent: ((SwarmEvent) -> Void)?
    /// The streams that peers opened, in the order in which they came.
    package private(set) var accepted: [SimulatedStream] = []

    init(
        world: SimulatedWorld, identity: PrivateKey, security: [ProtocolID], labelStart: UInt64,
        _ configure: (inout SwarmConfiguration) -> Void
    ) {
        self.world = world
        number = UInt64(world.hosts.count + 1)
        self.identity = identity
        id = identity.publicKey.peerID
        var configuration = SwarmConfiguration()
        // What moves is up to the test.
        configuration.policy = .manual
        // The same on every machine.
        configuration.limits.resources = ResourceLimits(memory: 8 << 30)
        configure(&configuration)
        do {
            let upgrade = try UpgradeConfiguration(
                identity: identity, securityProtocols: security)
            let log = EventLog()
            swarm = Swarm(
                upgrade: upgrade, configuration: configuration,
                transports: SwarmTransports(group: world.loop, memory: world.network), unixTime: { 1_800_000_000 },
                labelStart: { labelStart }, eventSink: { log.sink?($0) })
            swarm.registerServices()
            log.sink = { [unowned self] event in
                events.append(event)
                onEvent?(event)
            }
        } catch { preconditionFailure("a simulated host can't be made: \(error)") }
    }

    /// Where ``listen()`` listens: the address is the host's own.
    package var address: Multiaddr {
        guard let address = try? Multiaddr(components: [.memory(number)]) else {
            preconditionFailure("a number makes an address")
        }
        return address
    }

    /// Listens at ``address``, so that others can dial it: by it, or through a relay.
    package func listen() {
        do { swarm.addListenAddresses(try swarm.listen(inMemory: number).addresses) } catch {
            preconditionFailure("the simulated network has no room: \(error)")
        }
    }

    /// Nobody can dial the host any more.
    package func stopListening() {
        world.network.stop(at: number)
    }

    /// Dials an address, as a hole punch or a dial by address does, without waiting for anything.
    package func dial(
        _ address: Multiaddr, of peer: PeerID,
        completion: @escaping @Sendable (Result<ConnectionDriver, DialFailure>) -> Void = { _ in }
    ) {
        swarm.connect(address, peer, DialTicket(), completion: completion)
    }

    /// Serves a protocol: `body` gets each stream when it is open; nil takes the handler away.
    package func serve(_ id: ProtocolID, _ body: ((SimulatedStream) -> Void)? = { _ in }) {
        let run = Unchecked(body)
        guard body != nil else { return swarm.setHandler(id, nil) }
        swarm.setHandler(id) { [unowned self, loop = world.loop] stream, _ in
            let served = SimulatedStream(stream, on: loop)
            accepted.append(served)
            run.value?(served)
            served.start()
        }
    }

    /// Opens a stream on a link.
    package func open(
        _ id: ProtocolID, to peer: SimulatedHost, on link: SimulatedLink, isMigratable: Bool = true
    ) -> SimulatedStream {
        open([id], to: peer, on: link.connection(of: self), isMigratable: isMigratable)
    }

    /// Opens a stream on a connection to a peer that need not be a simulated host.
    package func open(
        _ protocols: [ProtocolID], to peer: SimulatedHost, on connection: ConnectionDriver, isMigratable: Bool = true
    ) -> SimulatedStream {
        open(protocols, to: peer.id, on: connection, isMigratable: isMigratable)
    }

    /// Opens a stream on a connection to a peer that need not be a simulated host.
    package func open(
        _ protocols: [ProtocolID], to peer: PeerID, on connection: ConnectionDriver, isMigratable: Bool = true,
        isPlaceChosen: Bool = true
    ) -> SimulatedStream {
        guard let state = swarm.peer(peer) else { preconditionFailure("the hosts are not connected") }
        let stream = SimulatedStream(
            swarm.openStream(
                to: state, for: protocols, on: connection, isMigratable: isMigratable,
                isPlaceChosen: isPlaceChosen), on: world.loop)
        stream.start()
        return stream
    }
}

private final class EventLog: @unchecked Sendable {
    var sink: ((SwarmEvent) -> Void)?
}

private struct Unchecked<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) {
        self.value = value
    }
}
