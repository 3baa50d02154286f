import NIOCore
import OxbowCore
import OxbowNIO
import OxbowSwarm
import OxbowTesting
import Testing

/// A local network in memory, on which every port hears every message, its own too.
private final class SimulatedBus: MulticastBus, @unchecked Sendable {
    struct Port: MulticastPort {
        let bus: SimulatedBus
        let address: SocketAddress

        func send(_ bytes: [UInt8], to destination: SocketAddress?) {
            let targets = bus.receivers.filter { destination == nil || $0.address == destination }
            for target in targets { target.receive(MulticastDatagram(bytes: bytes, sender: address)) }
        }

        func close() { bus.receivers.removeAll { $0.address == address } }
    }

    var receivers: [(address: SocketAddress, receive: @Sendable (MulticastDatagram) -> Void)] = []
    var opened = 0
    var fingerprint = 1

    func open(
        on loop: any EventLoop, receive: @escaping @Sendable (MulticastDatagram) -> Void
    ) -> EventLoopFuture<any MulticastPort> {
        guard let address = try? SocketAddress(ipAddress: "10.0.0.\(opened + 1)", port: 5_353) else {
            return loop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        opened += 1
        receivers.append((address, receive))
        return loop.makeSucceededFuture(Port(bus: self, address: address))
    }
}

@Suite struct LocalDiscoveryDriverTests {
    private func discovered(_ host: SimulatedHost) -> [PeerID: [Multiaddr]] {
        host.events.reduce(into: [:]) { found, event in
            if case .peerDiscovered(let peer, let addresses) = event { found[peer] = addresses }
        }
    }

    @Test("Two hosts on one network learn of each other, and forget who says goodbye")
    func discovers() throws {
        let world = SimulatedWorld()
        let bus = SimulatedBus()
        let hosts = (0..<2).map { _ in
            world.makeHost {
                $0.discovery.localNetwork = LocalNetworkDiscovery()
                $0.discovery.multicast = bus
            }
        }
        let addresses = try (1...2).map { try Multiaddr("/ip4/10.0.0.\($0)/tcp/4001") }
        for (host, address) in zip(hosts, addresses) {
            host.swarm.addListenAddresses([address])
            host.swarm.start()
        }
        world.run(for: .seconds(2))
        #expect(discovered(hosts[0]) == [hosts[1].id: [addresses[1]]])
        #expect(discovered(hosts[1]) == [hosts[0].id: [addresses[0]]])
        let known = hosts[0].swarm.peerBook.peer(hosts[1].id)
        #expect(known?.addresses.map(\.address) == [addresses[1]])
        #expect(known?.addresses.map(\.origin) == [.localNetwork])
        #expect(hosts[0].swarm.census.connections == 0, "nobody is dialled unless that is asked for")
        hosts[1].swarm.close {}
        world.run(for: .seconds(1))
        #expect(hosts[0].swarm.peerBook.peer(hosts[1].id) == nil)
        world.expectNothingLeft()
        #expect(bus.receivers.isEmpty)
    }

    @Test("Who asks for it is connected to whoever is found; a changed interface opens the port anew")
    func connects() throws {
        let world = SimulatedWorld()
        let bus = SimulatedBus()
        let left = world.makeHost {
            var discovery = LocalNetworkDiscovery()
            discovery.isConnecting = true
            $0.discovery.localNetwork = discovery
            $0.discovery.multicast = bus
        }
        let right = world.makeHost {
            $0.discovery.localNetwork = LocalNetworkDiscovery()
            $0.discovery.multicast = bus
        }
        right.listen()
        // What is told is an address that nobody has; the one that works is known otherwise.
        right.swarm.addListenAddresses([try Multiaddr("/memory/1"), try Multiaddr("/ip4/10.0.0.2/tcp/1")])
        left.swarm.peerBook.add([right.address], of: right.id, origin: .given)
        left.swarm.start()
        world.run(for: .seconds(60))
        #expect(left.swarm.peer(right.id) == nil)
        right.swarm.start()
        world.expect(within: .seconds(5)) { left.swarm.peer(right.id) != nil }
        bus.fingerprint = 2
        world.run(for: .seconds(31))
        #expect(bus.receivers.count == 2 && bus.opened == 4)
        world.expectNothingLeft()
        #expect(bus.receivers.isEmpty)
    }
}
