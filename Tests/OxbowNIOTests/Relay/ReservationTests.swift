import NIOCore
import OxbowCore
import OxbowProtocols
import OxbowTesting
import OxbowWire
import Testing

@testable import OxbowNIO

/// Reservations over virtual hours.
@Suite struct ReservationTests {
    @Test("A reservation is announced, renewed before its end, and gone when it is given back")
    func lives() throws {
        let scene = RelayScene()
        try scene.reserve()
        #expect(scene.target.swarm.announcedAddresses == [scene.circuitAddress])
        #expect(scene.changes() == [.made(addresses: [scene.circuitAddress])])
        scene.world.run(for: .seconds(5 * 3_600))
        let renewals = scene.changes().filter { $0 == .renewed }.count
        #expect(renewals >= 6 && renewals <= 10, "each half to three quarters of an hour")
        #expect(scene.statistics.reservations == 1 && scene.changes().count == renewals + 1)
        scene.target.swarm.releaseReservation(at: scene.relay.id)
        scene.world.run(for: .seconds(3_700))
        #expect(scene.target.swarm.announcedAddresses.isEmpty)
        #expect(scene.changes().filter { $0 == .renewed }.count == renewals)
        scene.end()
    }

    @Test("While the relay is gone it is tried again with longer waits; when it is back, so is the reservation")
    func comesBack() throws {
        let scene = RelayScene()
        try scene.reserve()
        let connection = try #require(scene.relay.swarm.peer(scene.target.id)?.usableConnections.first)
        scene.relay.stopListening()
        connection.close(abruptly: true)
        scene.world.run(for: .seconds(300))
        #expect(scene.target.swarm.announcedAddresses.isEmpty)
        let failures = scene.changes().count
        #expect(failures > 5 && failures < 15)
        scene.relay.listen()
        scene.world.expect(within: .seconds(700)) { !scene.target.swarm.announcedAddresses.isEmpty }
        scene.end()
    }

    @Test("A relay that can't be reached is named, and nothing is announced")
    func namesUnreachable() throws {
        let scene = RelayScene()
        let nowhere = try Multiaddr("/memory/77").appending(peer: scene.relay.id)
        let outcome = Box<Result<[Multiaddr], RelayFailure>>()
        try scene.target.swarm.reserve(at: nowhere) { outcome.value = $0 }
        scene.world.expect { outcome.value != nil }
        guard case .failure(.unreachable) = outcome.value else {
            return #expect(Bool(false), "\(String(describing: outcome.value))")
        }
        #expect(scene.target.swarm.announcedAddresses.isEmpty)
        scene.target.swarm.releaseReservation(at: scene.relay.id)
        scene.end()
    }

    @Test("One reservation per relay, a few in all, never at oneself")
    func boundsReservations() throws {
        let scene = RelayScene(client: { $0.relayClient.maximumReservations = 1 })
        try scene.reserve()
        let other = scene.world.makeHost()
        for relay in [scene.relayAddress, try other.address.appending(peer: other.id)] {
            #expect(throws: ListenError.self) { try scene.target.swarm.reserve(at: relay) }
        }
        #expect(throws: ListenError.self) {
            try scene.relay.swarm.reserve(at: scene.relayAddress)
        }
        #expect(throws: ListenError.self) { try scene.target.swarm.reserve(at: scene.relay.address) }
        scene.end()
    }

    @Test("Of several connections with the relay only one holds the reservation; the others come and go (rust #6472)")
    func belongsToOneConnection() throws {
        let scene = RelayScene()
        try scene.reserve()
        let second = scene.world.connect(scene.target, scene.relay, delay: .milliseconds(1))
        #expect(try scene.dial()?.get() != nil)
        second.cut()
        scene.world.run(for: .milliseconds(100))
        #expect(scene.statistics.reservations == 1 && scene.statistics.circuits == 1)
        #expect(scene.target.swarm.announcedAddresses == [scene.circuitAddress])
        scene.end()
    }

    @Test("Two dials to one relay share its connection; one that is given up leaves the other alone")
    func sharesRelayConnection() throws {
        let scene = RelayScene()
        try scene.reserve()
        let ticket = DialTicket()
        let outcomes = Box<[Result<ConnectionDriver, DialFailure>]>([])
        for ticket in [ticket, DialTicket()] {
            scene.dialer.swarm.connect(scene.circuitAddress, scene.target.id, ticket) { outcomes.value?.append($0) }
        }
        #expect(scene.dialer.swarm.census.connections <= 1)
        ticket.cancel()
        scene.world.expect { outcomes.value?.count == 2 }
        #expect(scene.dialer.swarm.peer(scene.relay.id)?.usableConnections.count == 1)
        #expect(outcomes.value?.count { if case .success = $0 { true } else { false } } == 1)
        scene.end()
    }
}
