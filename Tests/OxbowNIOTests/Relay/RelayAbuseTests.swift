import NIOCore
import OxbowCore
import OxbowProtocols
import OxbowTesting
import OxbowWire
import Testing

@testable import OxbowNIO

/// What a relay refuses, and what it goes on serving meanwhile (attack "relay": relay over relay, reservation over relay,
/// circuits that stall).
@Suite struct RelayAbuseTests {
    private func failure(_ outcome: Result<ConnectionDriver, DialFailure>?) -> DialFailure? {
        if case .failure(let failure) = outcome { failure } else { nil }
    }

    @Test("A peer without a reservation can't be reached; the refusal says so, and leaves nothing behind (js #1758)")
    func refusesWithoutReservation() {
        let scene = RelayScene()
        let refusal = failure(scene.dial())
        #expect(refusal == .relay(scene.relay.id, .refused(.noReservation)))
        #expect(refusal?.description.contains("NO_RESERVATION") == true)
        // Not even the connection with the relay, which nobody needs.
        scene.world.expect { scene.dialer.swarm.census.isZero && scene.relay.swarm.census.isZero }
        #expect(scene.statistics.refusals == [.noReservation: 1])
        scene.end()
    }

    @Test("A peer that is no relay is named as such")
    func namesNoRelay() throws {
        let scene = RelayScene()
        scene.target.listen()
        let address = try scene.target.address.appending(peer: scene.target.id).appending(.p2pCircuit)
        let outcome = Box<Result<ConnectionDriver, DialFailure>>()
        scene.dialer.dial(address, of: scene.relay.id) { outcome.value = $0 }
        scene.world.expect { outcome.value != nil }
        #expect(failure(outcome.value) == .relay(scene.target.id, .noRelay))
        scene.world.expect { scene.dialer.swarm.census.isZero }
        scene.end()
    }

    @Test(
        "Addresses that make no sense are refused before anything is dialled",
        arguments: [
            "/p2p-circuit", "/memory/3/p2p-circuit", "{r}/p2p-circuit/p2p/{d}/p2p-circuit", "{r}/p2p-circuit/memory/1",
        ])
    func refusesAddresses(_ text: String) throws {
        let scene = RelayScene()
        let address = try Multiaddr(
            text.replacing("{r}", with: "\(scene.relayAddress)").replacing("{d}", with: "\(scene.dialer.id)"))
        let outcome = Box<Result<ConnectionDriver, DialFailure>>()
        scene.dialer.dial(address, of: scene.target.id) { outcome.value = $0 }
        guard case .unsupported = failure(outcome.value) else {
            return #expect(Bool(false), "\(String(describing: outcome.value))")
        }
        scene.end()
    }

    @Test("Neither a reservation nor a circuit is given over a relayed connection")
    func refusesOverRelay() throws {
        let scene = RelayScene()
        let inner = scene.world.makeHost { $0.relayServer = RelayServerConfiguration() }
        try scene.reserve(for: inner)
        let circuit = try #require(scene.dial(inner.id)).get()
        let peer = try #require(scene.dialer.swarm.peer(inner.id))
        let client = try #require(scene.dialer.swarm.relayClient)
        for request in [HopClient.Request.reserve, .connect(scene.target.id)] {
            let failure = Box<RelayFailure>()
            client.ask(request, peer, on: circuit, in: scene.dialer.swarm) { result in
                if case .failure(let error) = result { failure.value = error }
            }
            scene.world.expect { failure.value != nil }
            #expect(failure.value == .refused(.permissionDenied))
        }
        #expect(inner.swarm.relayStatistics?.refusals == [.relayed: 2])
        scene.end()
    }

    @Test("STOP is taken only from a relay that holds a reservation for this host")
    func refusesStop() throws {
        let scene = RelayScene()
        let link = scene.world.connect(scene.relay, scene.target, delay: .milliseconds(1))
        let peer = try #require(scene.relay.swarm.peer(scene.target.id))
        let connection = link.connection(of: scene.relay)
        let stream = scene.relay.swarm.openStream(
            to: peer, for: [CircuitRelay.stopProtocolID], on: connection, isMigratable: false)
        let stop = CircuitStream(stream, on: scene.world.loop)
        let request = StopClient(from: scene.dialer.id, limit: nil)
        stop.write(request.start())
        var status: CircuitStatus?
        stop.readMessage(within: .seconds(5), request.receive) { status = try? $0.get() }
        scene.world.expect { status != nil }
        #expect(status == .permissionDenied)
        stop.finish()
        scene.end()
    }

    @Test("A flood of RESERVE is refused past a few, and the others are served")
    func boundsReservationFlood() throws {
        let scene = RelayScene()
        let link = scene.world.connect(scene.dialer, scene.relay, delay: .milliseconds(1))
        let peer = try #require(scene.dialer.swarm.peer(scene.relay.id))
        let client = try #require(scene.dialer.swarm.relayClient)
        let answers = Box(0)
        for _ in 0..<200 {
            client.ask(.reserve, peer, on: link.connection(of: scene.dialer), in: scene.dialer.swarm) { _ in
                answers.value? += 1
            }
        }
        scene.world.expect { answers.value == 200 }
        #expect(scene.statistics.reservationsGranted == 4)
        #expect(scene.statistics.refusals.values.reduce(0, +) == 196)
        _ = try scene.connectedFromAnother()
        scene.end()
    }

    @Test("Hop streams that say nothing hold a bounded number of places, for a bounded time")
    func boundsSilentRequests() throws {
        let scene = RelayScene()
        let link = scene.world.connect(scene.dialer, scene.relay, delay: .milliseconds(1))
        let streams = (0..<40).map { _ in
            scene.dialer.open(CircuitRelay.hopProtocolID, to: scene.relay, on: link, isMigratable: false)
        }
        scene.world.run(for: .seconds(1))
        #expect(scene.statistics.refusals == [.requestsFull: 24])
        scene.world.run(for: .seconds(11))
        #expect(streams.allSatisfy { $0.end != nil })
        try scene.reserve()
        scene.end()
    }

    @Test("A reservation that many peers of one network want is given to the first few of them; a full table says so")
    func boundsReservations() throws {
        let scene = RelayScene(relay: { $0.bounds.reservations = 1 })
        try scene.reserve()
        try scene.dialer.swarm.reserve(at: scene.relayAddress)
        scene.world.expect { scene.changes(of: scene.dialer).contains(.failed(.refused(.reservationRefused))) }
        // It is tried again, slower and slower.
        scene.world.run(for: .seconds(600))
        let attempts = scene.changes(of: scene.dialer).count
        #expect(attempts >= 5 && attempts <= 12)
        scene.dialer.swarm.releaseReservation(at: scene.relay.id)
        scene.end()
    }

    @Test("A peer takes no more circuits than its share")
    func boundsCircuits() throws {
        let scene = RelayScene(relay: { $0.bounds.circuitsPerPeer = 2 })
        try scene.reserve()
        for _ in 0..<2 { #expect(failure(scene.dial()) == nil) }
        #expect(failure(scene.dial()) == .relay(scene.relay.id, .refused(.resourceLimitExceeded)))
        #expect(scene.statistics.circuits == 2)
        scene.end()
    }

    @Test("A STOP that is never answered ends the circuit in time, and the dialer learns of it")
    func boundsSilentTarget() throws {
        let scene = RelayScene(relay: { $0.stopTimeout = .seconds(5) })
        try scene.reserve()
        scene.target.swarm.setHandler(CircuitRelay.stopProtocolID) { _, _ in }
        let began = scene.world.now
        #expect(failure(scene.dial()) == .relay(scene.relay.id, .refused(.connectionFailed)))
        #expect(scene.world.now - began < .seconds(7))
        #expect(scene.statistics.circuits == 0)
        scene.end()
    }

    @Test("An end of a circuit that reads nothing stops its own sender, not the others, and is cut")
    func cutsStalled() throws {
        let scene = RelayScene()
        try scene.reserve()
        // The target takes the circuit and reads nothing of it.
        let taken = Box<CircuitStream>()
        scene.target.swarm.setHandler(CircuitRelay.stopProtocolID) { stream, connection in
            let stop = CircuitStream(stream, on: connection.eventLoop)
            taken.value = stop
            stop.readMessage(within: .seconds(5), StopListener().receive) { _ in stop.write(StopListener.answer(.ok)) }
        }
        let link = scene.world.connect(scene.dialer, scene.relay, delay: .milliseconds(1))
        let peer = try #require(scene.dialer.swarm.peer(scene.relay.id))
        let client = try #require(scene.dialer.swarm.relayClient)
        let circuit = Box<CircuitStream>()
        client.ask(.connect(scene.target.id), peer, on: link.connection(of: scene.dialer), in: scene.dialer.swarm) {
            circuit.value = try? $0.get().stream
        }
        scene.world.expect { circuit.value != nil }
        var sent = 0
        for _ in 0..<200 {
            if case .written? = circuit.value?.stream.tryWrite(Pattern.bytes(from: 0, count: 20_000)) { sent += 20_000 }
            scene.world.run(for: .milliseconds(20))
        }
        #expect(sent < 1 << 20, "two windows and three queues")
        let others = scene.world.makeHost()
        try scene.reserve(for: others)
        #expect(failure(scene.dial(from: scene.target, others.id)) == nil)
        scene.world.run(for: .seconds(70))
        #expect(scene.statistics.circuitsStalled == 1)
        circuit.value?.reset()
        taken.value?.reset()
        scene.end()
    }
}

extension RelayScene {
    /// A circuit between two hosts that have not been there before.
    func connectedFromAnother() throws -> ConnectionDriver {
        let (first, second) = (world.makeHost(), world.makeHost())
        try reserve(for: first)
        return try #require(dial(from: second, first.id)).get()
    }
}
