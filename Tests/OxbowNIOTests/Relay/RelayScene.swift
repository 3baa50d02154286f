import NIOCore
import OxbowCore
import OxbowProtocols
import OxbowTesting
import Testing

@testable import OxbowNIO

/// A relay, a host with a reservation at it, and one that dials it through the relay; each byte is 10 ms under way.
///
/// Isolation: the test's thread, on which the virtual loop runs.
final class RelayScene: @unchecked Sendable {
    let world = SimulatedWorld()
    let dialer: SimulatedHost
    let target: SimulatedHost
    let relay: SimulatedHost
    /// What came of the newest dial.
    private(set) var outcome: Result<ConnectionDriver, DialFailure>?

    init(
        limit: CircuitLimit? = nil, relay configureRelay: (inout RelayServerConfiguration) -> Void = { _ in },
        client: (inout SwarmConfiguration) -> Void = { _ in }
    ) {
        world.dialDelay = .milliseconds(10)
        dialer = world.makeHost(client)
        target = world.makeHost(client)
        relay = world.makeHost { configuration in
            var relay = RelayServerConfiguration()
            relay.limit = limit
            configureRelay(&relay)
            configuration.relayServer = relay
        }
        relay.listen()
    }

    /// The relay's address, with its id.
    var relayAddress: Multiaddr {
        guard let address = try? relay.address.appending(peer: relay.id) else { preconditionFailure("it fits") }
        return address
    }

    /// The address of whoever has a reservation.
    var circuitAddress: Multiaddr {
        guard let address = try? relayAddress.appending(.p2pCircuit) else { preconditionFailure("it fits") }
        return address
    }

    var statistics: RelayStatistics { relay.swarm.relayStatistics ?? RelayStatistics() }

    /// Keeps a reservation for `host` and waits for it.
    func reserve(for host: SimulatedHost? = nil) throws {
        let host = host ?? target
        try host.swarm.reserve(at: relayAddress)
        world.expect { !host.swarm.announcedAddresses.filter(\.isRelayed).isEmpty }
    }

    /// Dials `peer` through the relay, and waits for what comes of it.
    @discardableResult
    func dial(
        from host: SimulatedHost? = nil, _ peer: PeerID? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) -> Result<ConnectionDriver, DialFailure>? {
        outcome = nil
        (host ?? dialer).dial(circuitAddress, of: peer ?? target.id) { [self] in outcome = $0 }
        world.expect(sourceLocation: sourceLocation) { outcome != nil }
        // Identify on the circuit.
        world.run(for: .milliseconds(500))
        return outcome
    }

    /// A connection between dialer and target through the relay.
    func connected() throws -> ConnectionDriver {
        try reserve()
        return try #require(dial()).get()
    }

    /// The changes of a host's reservation.
    func changes(of host: SimulatedHost? = nil) -> [RelayReservationChange] {
        (host ?? target).events.compactMap { event in
            if case .relayReservation(_, let change) = event { change } else { nil }
        }
    }

    /// Why a host's relayed connections ended.
    func circuitErrors(of host: SimulatedHost) -> [ConnectionError] {
        host.events.compactMap { event in
            if case .connectionClosed(_, let path, let error) = event, path.isRelayed { error } else { nil }
        }
    }

    /// Closes all; nothing may be left anywhere.
    func end(sourceLocation: SourceLocation = #_sourceLocation) {
        world.expectNothingLeft(sourceLocation: sourceLocation)
        #expect(statistics.circuits == 0 && statistics.reservations == 0, sourceLocation: sourceLocation)
    }
}

/// Where a callback leaves something for its test. Isolation: the test's thread.
final class Box<Value>: @unchecked Sendable {
    var value: Value?

    init(_ value: Value? = nil) {
        self.value = value
    }
}
