import NIOCore
import OxbowCore
import OxbowProtocols
import OxbowTesting
import Testing

@testable import OxbowNIO

/// Circuits that a relay bounds.
@Suite struct CircuitLimitTests {
    static let limit = CircuitLimit(duration: .seconds(120), bytes: 128 << 10)

    @Test("Both ends know the relay's limit; what leaves neither time nor bytes unsaid is no limit")
    func knowsLimit() throws {
        let scene = RelayScene(limit: Self.limit)
        let circuit = try scene.connected()
        #expect(circuit.path.limit == Self.limit)
        let inbound = try #require(scene.target.swarm.peer(scene.dialer.id)?.usableConnections.first)
        #expect(inbound.path.limit == Self.limit && inbound.path.isLimited)
        scene.end()
    }

    @Test("An application's stream needs a permission there, unless it can move away")
    func needsPermission() throws {
        let scene = RelayScene(limit: Self.limit)
        let circuit = try scene.connected()
        let swarm = scene.dialer.swarm
        let peer = try #require(swarm.peer(scene.target.id))
        func may(_ isMigratable: Bool, _ allowsLimited: Bool, _ id: ProtocolID = echo) -> Bool {
            swarm.mayOpenStream(
                for: [id], to: peer, on: circuit, isMigratable: isMigratable, allowsLimited: allowsLimited)
        }
        #expect(may(true, false) && may(false, true))
        #expect(!may(false, false))
        #expect(!may(true, false, Ping.protocolID), "never migrates")
        scene.end()
    }

    @Test("The reserve is kept: a stream stops in time, and still moves to a direct connection with all its bytes")
    func movesWhenSpent() throws {
        let scene = RelayScene(limit: Self.limit)
        let circuit = try scene.connected()
        scene.target.serve(echo) { $0.echo() }
        let stream = scene.dialer.open([echo], to: scene.target, on: circuit)
        stream.send(400_000, chunk: 10_000, each: .milliseconds(1))
        scene.world.run(for: .seconds(30))
        #expect(stream.end == nil && scene.circuitErrors(of: scene.dialer).isEmpty, "it waits")
        let passed = stream.received.readableBytes
        #expect(passed > 100_000 && passed < 128 << 10)
        let budget = try #require(circuit.circuitBudget)
        #expect(budget.allowance == 0 && budget.sent < 128 << 10)

        let direct = scene.world.connect(scene.dialer, scene.target, delay: .milliseconds(5))
        stream.migrate(scene.dialer, to: direct)
        scene.world.expect { stream.received.readableBytes == 400_000 }
        #expect(stream.received == Pattern.bytes(from: 0, count: 400_000))
        #expect(scene.statistics.circuitsOutOfBytes == 0)
        scene.end()
    }

    @Test("An end of stream behind the budget waits with the bytes before it")
    func keepsEndBehindBytes() throws {
        let scene = RelayScene(limit: Self.limit)
        let circuit = try scene.connected()
        var served: SimulatedStream?
        scene.target.serve(bulk) { served = $0 }
        let stream = scene.dialer.open([bulk], to: scene.target, on: circuit)
        stream.send(200_000, chunk: 50_000, each: .milliseconds(1))
        scene.world.run(for: .seconds(20))
        let far = try #require(served)
        #expect(far.end == nil && far.received.readableBytes < 200_000)
        let direct = scene.world.connect(scene.dialer, scene.target, delay: .milliseconds(5))
        stream.migrate(scene.dialer, to: direct)
        scene.world.expect { far.end == .clean }
        #expect(far.received == Pattern.bytes(from: 0, count: 200_000))
        scene.end()
    }

    @Test("A small stream ends within the budget by itself")
    func endsWithinBudget() throws {
        let scene = RelayScene(limit: Self.limit)
        let circuit = try scene.connected()
        var served: SimulatedStream?
        scene.target.serve(echo) { stream in
            stream.echo()
            served = stream
        }
        for _ in 0..<5 {
            served = nil
            let stream = scene.dialer.open([echo], to: scene.target, on: circuit)
            stream.send(5_000, chunk: 2_000, each: .milliseconds(1))
            scene.world.expect { served?.end == .clean }
            served?.closeWrite()
            scene.world.expect { stream.end == .clean }
            #expect(stream.received == Pattern.bytes(from: 0, count: 5_000))
        }
        scene.end()
    }

    @Test("A stream that can't move fails with words when the budget is spent, and its connection stands")
    func failsUnlabelled() throws {
        let scene = RelayScene(limit: Self.limit)
        let circuit = try scene.connected()
        scene.target.serve(bulk)
        let stream = scene.dialer.open([bulk], to: scene.target, on: circuit, isMigratable: false)
        stream.send(400_000, chunk: 10_000, each: .milliseconds(1))
        scene.world.expect { stream.end != nil }
        #expect(stream.end == .failed(.relayLimitReached(bytes: 128 << 10)))
        #expect(circuit.isUsable)
        scene.end()
    }

    @Test("The relay cuts what goes past its bytes, and its ends learn why")
    func cutsBytes() throws {
        // The client believes in more than it has.
        let scene = RelayScene(limit: CircuitLimit(bytes: 64 << 10), client: { $0.relayClient.handOverReserve = 0 })
        let circuit = try scene.connected()
        circuit.eventLoop.execute { circuit.circuitBudget = nil }
        scene.target.serve(bulk)
        let stream = scene.dialer.open([bulk], to: scene.target, on: circuit)
        stream.send(200_000, chunk: 10_000, each: .milliseconds(1))
        scene.world.expect { stream.end != nil }
        #expect(scene.statistics.circuitsOutOfBytes == 1 && scene.statistics.circuits == 0)
        let error = try #require(scene.circuitErrors(of: scene.dialer).first)
        #expect(error.description.contains("65536 bytes each way"))
        scene.end()
    }

    @Test("The relay cuts a circuit when its time is over")
    func cutsTime() throws {
        let scene = RelayScene(limit: CircuitLimit(duration: .seconds(60)))
        let circuit = try scene.connected()
        #expect(circuit.path.isLimited)
        scene.world.run(for: .seconds(58))
        #expect(circuit.isUsable)
        scene.world.run(for: .seconds(3))
        #expect(!circuit.isUsable && scene.statistics.circuitsOutOfTime == 1 && scene.statistics.circuits == 0)
        #expect(scene.circuitErrors(of: scene.target).count == 1)
        scene.end()
    }
}
