import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowWire
import Testing

private func at(_ seconds: Int64) -> Instant { .zero + .seconds(seconds) }

/// What a relay grants, and to whom.
@Suite struct RelayTableTests {
    private static let peers: [PeerID] = (0..<40).map { number in
        PeerID(publicKeyMessage: [0x08, 0x01, 0x12, 0x20] + [UInt8](repeating: number, count: 32)) { $0 }
    }

    private func connection(
        _ peer: Int, _ id: UInt64? = nil, at address: String? = nil, isRelayed: Bool = false
    ) -> RelayConnection {
        RelayConnection(
            id: id ?? UInt64(peer), peer: Self.peers[peer],
            network: RelayNetwork(address.flatMap { try? Multiaddr($0) }), isRelayed: isRelayed)
    }

    private func isGranted(_ result: Result<Duration, RelayRefusal>) -> Bool {
        if case .success = result { true } else { false }
    }

    private func refusal<Value>(_ result: Result<Value, RelayRefusal>) -> RelayRefusal? {
        if case .failure(let refusal) = result { refusal } else { nil }
    }

    @Test("As many reservations as there are places; a place is free again when one is over")
    func bounds() {
        var bounds = RelayBounds()
        bounds.reservations = 2
        var table = RelayTable(bounds)
        #expect(isGranted(table.reserve(on: connection(0), at: at(0))))
        #expect(isGranted(table.reserve(on: connection(1), at: at(100))))
        #expect(refusal(table.reserve(on: connection(2), at: at(100))) == .reservationsFull)
        #expect(isGranted(table.reserve(on: connection(0), at: at(3_000))), "a renewal needs no place")
        #expect(isGranted(table.reserve(on: connection(2), at: at(3_700))))
        #expect(table.reservationCount == 2)
    }

    @Test(
        "Eight for one IPv4 address, or one IPv6 /56",
        arguments: [
            ("/ip4/192.0.2.7/tcp/1", "/ip4/192.0.2.7/tcp/2", true),
            ("/ip4/192.0.2.7/tcp/1", "/ip4/192.0.2.8/tcp/1", false),
            ("/ip6/2001:db8:0:a1::1/tcp/1", "/ip6/2001:db8:0:b2::2/tcp/1", true),
            ("/ip6/2001:db8:0:a1::1/tcp/1", "/ip6/2001:db8:0:100::1/tcp/1", false),
            ("/ip6/::ffff:192.0.2.7/tcp/1", "/ip4/192.0.2.7/tcp/1", true),
        ])
    func boundsNetworks(_ first: String, _ second: String, _ isSame: Bool) {
        var table = RelayTable()
        for peer in 0..<8 { #expect(isGranted(table.reserve(on: connection(peer, at: first), at: at(0)))) }
        let ninth = table.reserve(on: connection(8, at: second), at: at(0))
        #expect(refusal(ninth) == (isSame ? .networkFull : nil))
        #expect(isGranted(table.reserve(on: connection(9), at: at(0))), "no address, no network")
    }

    @Test("Neither reservations nor circuits over a relay, none to oneself, none to who holds nothing")
    func permissions() {
        var table = RelayTable()
        #expect(refusal(table.reserve(on: connection(0, isRelayed: true), at: at(0))) == .relayed)
        _ = table.reserve(on: connection(0), at: at(0))
        func connect(_ from: RelayConnection, _ to: Int, _ time: Int64 = 0) -> RelayRefusal? {
            refusal(table.connect(from: from, to: Self.peers[to], at: at(time)))
        }
        #expect(connect(connection(1, isRelayed: true), 0) == .relayed)
        #expect(connect(connection(0), 0) == .ownCircuit)
        #expect(connect(connection(1), 2) == .noReservation)
        #expect(connect(connection(1), 0) == nil)
        #expect(connect(connection(1), 0, 3_600) == .noReservation, "it is over")
    }

    @Test("The reservation belongs to one of a peer's connections (rust-libp2p #6472)")
    func belongsToConnection() {
        var table = RelayTable()
        _ = table.reserve(on: connection(0, 10), at: at(0))
        table.connectionClosed(11, of: Self.peers[0])
        #expect(table.holdsReservation(10, of: Self.peers[0], at: at(1)))
        _ = table.reserve(on: connection(0, 11), at: at(20))
        table.connectionClosed(10, of: Self.peers[0])
        #expect(table.holdsReservation(11, of: Self.peers[0], at: at(21)))
        #expect((try? table.connect(from: connection(1), to: Self.peers[0], at: at(21)).get())?.target == 11)
        table.connectionClosed(11, of: Self.peers[0])
        #expect(table.reservationCount == 0)
    }

    @Test("Circuits are counted at both ends, and given back once")
    func countsCircuits() throws {
        var bounds = RelayBounds()
        (bounds.circuitsPerPeer, bounds.circuits) = (2, 3)
        var table = RelayTable(bounds)
        for peer in 0..<3 { _ = table.reserve(on: connection(peer), at: at(0)) }
        let first = try table.connect(from: connection(3), to: Self.peers[0], at: at(0)).get()
        _ = try table.connect(from: connection(3), to: Self.peers[1], at: at(0)).get()
        #expect(refusal(table.connect(from: connection(3), to: Self.peers[2], at: at(0))) == .circuitsFull)
        table.circuitEnded(first.id)
        table.circuitEnded(first.id)
        _ = try table.connect(from: connection(3), to: Self.peers[2], at: at(0)).get()
        _ = try table.connect(from: connection(4), to: Self.peers[2], at: at(0)).get()
        #expect(refusal(table.connect(from: connection(5), to: Self.peers[2], at: at(0))) == .circuitsFull)
        #expect(refusal(table.connect(from: connection(5), to: Self.peers[0], at: at(0))) == .circuitsFull, "in all")
        #expect(table.circuitCount == 3)
    }

    @Test("A flood of renewals costs four signatures, then one in ten seconds")
    func boundsRenewals() {
        var table = RelayTable()
        var granted = 0
        for _ in 0..<1_000 where isGranted(table.reserve(on: connection(0), at: at(0))) { granted += 1 }
        #expect(granted == 4)
        #expect(isGranted(table.reserve(on: connection(0), at: at(10))))
        #expect(refusal(table.reserve(on: connection(0), at: at(10))) == .tooOften)
    }

    @Test("Requests that wait are counted by connection")
    func boundsRequests() {
        var table = RelayTable()
        func begins(on connection: UInt64) -> Bool { table.beginRequest(on: connection) }
        for _ in 0..<16 { #expect(begins(on: 1)) }
        #expect(!begins(on: 1) && begins(on: 2))
        table.endRequest(on: 1)
        #expect(begins(on: 1))
        table.connectionClosed(1, of: Self.peers[0])
        table.endRequest(on: 1)
        #expect(begins(on: 1))
    }

    @Test("The asking peer is told the status of the specification (relay/circuit-v2.md, \"Status codes\")")
    func statuses() {
        let told = Dictionary(grouping: RelayRefusal.allCases, by: \.status).mapValues(Set.init)
        let wanted: [CircuitStatus: Set<RelayRefusal>] = [
            .permissionDenied: [.relayed, .ownCircuit],
            .reservationRefused: [.reservationsFull, .networkFull, .tooOften],
            .noReservation: [.noReservation], .resourceLimitExceeded: [.circuitsFull, .requestsFull],
            .connectionFailed: [.targetFailed], .malformedMessage: [.malformed],
        ]
        #expect(told == wanted)
    }
}
