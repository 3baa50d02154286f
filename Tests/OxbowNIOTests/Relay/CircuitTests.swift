import NIOCore
import OxbowCore
import OxbowProtocols
import OxbowTesting
import Testing

@testable import OxbowNIO

/// Connections through a relay, from one end to the other.
@Suite struct CircuitTests {
    @Test("A megabyte goes through the relay and comes back, and both ends know the path")
    func echoes() throws {
        let scene = RelayScene()
        let circuit = try scene.connected()
        #expect(circuit.path.isRelayed && !circuit.path.isLimited)
        #expect(circuit.path.remoteAddress == scene.circuitAddress)
        let inbound = try #require(scene.target.swarm.peer(scene.dialer.id)?.usableConnections.first)
        #expect(inbound.path.isRelayed && inbound.path.role == .listener)
        #expect(inbound.path.remoteAddress == scene.circuitAddress)

        scene.target.serve(echo) { $0.echo() }
        let stream = scene.dialer.open([echo], to: scene.target, on: circuit)
        stream.send(1 << 20, chunk: 40_000, each: .milliseconds(1))
        scene.world.expect { stream.received.readableBytes == 1 << 20 }
        #expect(stream.received == Pattern.bytes(from: 0, count: 1 << 20))
        #expect(scene.statistics.circuits == 1 && scene.statistics.bytes > 2 << 20)
        scene.end()
    }

    @Test("Much more than any window goes through the relay as fast as it is written")
    func carriesMuch() throws {
        let scene = RelayScene()
        let circuit = try scene.connected()
        var served: SimulatedStream?
        scene.target.serve(bulk) { served = $0 }
        let stream = scene.dialer.open([bulk], to: scene.target, on: circuit)
        let count = 24 << 20
        stream.send(count, chunk: 1 << 20, each: .milliseconds(1))
        scene.world.run(for: .seconds(20))
        #expect(served?.received.readableBytes == count)
        scene.end()
    }

    @Test("Half-close goes through the relay, either way", arguments: [true, false])
    func halfCloses(targetFirst: Bool) throws {
        let scene = RelayScene()
        let circuit = try scene.connected()
        var served: SimulatedStream?
        scene.target.serve(bulk) { served = $0 }
        let stream = scene.dialer.open([bulk], to: scene.target, on: circuit)
        stream.write("hello")
        scene.world.expect { served?.received.readableBytes == 5 }
        let far = try #require(served)
        let (first, second) = targetFirst ? (far, stream) : (stream, far)
        first.closeWrite()
        scene.world.expect { second.end == .clean }
        #expect(first.end == nil)
        second.send(100_000, chunk: 10_000, each: .milliseconds(1))
        scene.world.expect { first.end == .clean }
        #expect(first.received.readableBytes >= 100_000)
        scene.end()
    }

    @Test("A circuit that is closed in order ends cleanly at both ends, and at the relay")
    func closesInOrder() throws {
        let scene = RelayScene()
        let circuit = try scene.connected()
        circuit.close()
        scene.world.expect { scene.statistics.circuits == 0 }
        #expect(scene.circuitErrors(of: scene.dialer) == [.closedLocally])
        #expect(scene.circuitErrors(of: scene.target) == [.closedByPeer(code: 0)])
        // The relay's connection with the dialer was made for the circuit alone.
        scene.world.expect { scene.dialer.swarm.census.isZero }
        #expect(scene.statistics.reservations == 1)
        scene.end()
    }

    @Test("Hosts that close say goodbye through the relay")
    func saysGoodbye() throws {
        let scene = RelayScene()
        _ = try scene.connected()
        scene.dialer.swarm.close {}
        scene.world.expect { scene.dialer.swarm.census.isZero }
        scene.world.expect { scene.circuitErrors(of: scene.target) == [.closedByPeer(code: 0)] }
        scene.end()
    }

    @Test("The relay dies: both ends lose the circuit, and nothing hangs")
    func relayDies() throws {
        let scene = RelayScene()
        let circuit = try scene.connected()
        scene.target.serve(echo) { $0.echo() }
        let stream = scene.dialer.open([echo], to: scene.target, on: circuit)
        stream.write("x")
        scene.world.expect { stream.received.readableBytes == 1 }
        for peer in scene.relay.swarm.allPeers {
            for connection in peer.usableConnections { connection.close(abruptly: true) }
        }
        scene.world.expect { stream.end != nil }
        scene.world.expect { scene.circuitErrors(of: scene.target).count == 1 }
        guard case .failed(.connectionLost(.transportFailed(let why))) = stream.end else {
            return #expect(Bool(false), "\(String(describing: stream.end))")
        }
        #expect(why.contains("the circuit broke off"))
        scene.end()
    }

    @Test("The target's connection with the relay dies: the reservation and the circuit go with it")
    func targetDies() throws {
        let scene = RelayScene()
        _ = try scene.connected()
        let atRelay = try #require(scene.relay.swarm.peer(scene.target.id)?.usableConnections.first)
        atRelay.close(abruptly: true)
        scene.world.run(for: .milliseconds(100))
        #expect(scene.statistics.reservations == 0 && scene.statistics.circuits == 0)
        #expect(scene.circuitErrors(of: scene.dialer).count == 1)
        // It comes back by itself.
        scene.world.expect { scene.statistics.reservations == 1 }
        #expect(scene.changes().contains(.lost(.connectionLost)))
        #expect(try scene.dial()?.get() != nil)
        scene.end()
    }

    @Test("A stream moves from the circuit to a direct connection")
    func moves() throws {
        let scene = RelayScene()
        let circuit = try scene.connected()
        scene.target.serve(echo) { $0.echo() }
        let stream = scene.dialer.open([echo], to: scene.target, on: circuit)
        stream.send(2 << 20, chunk: 20_000, each: .milliseconds(5))
        scene.world.run(for: .milliseconds(200))
        let direct = scene.world.connect(scene.dialer, scene.target, delay: .milliseconds(5))
        stream.migrate(scene.dialer, to: direct)
        scene.world.expect { stream.migrations.count == 1 }
        _ = try stream.migrations[0].get()
        scene.world.run(for: .milliseconds(200))
        let carried = scene.statistics.bytes
        circuit.close()
        scene.world.expect { stream.received.readableBytes == 2 << 20 }
        #expect(stream.received == Pattern.bytes(from: 0, count: 2 << 20))
        #expect(scene.statistics.bytes - carried < 1_000, "only the goodbye")
        scene.end()
    }
}
