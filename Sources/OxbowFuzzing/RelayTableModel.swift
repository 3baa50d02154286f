import OxbowCore
import OxbowProtocols

extension FuzzTarget {
    /// A relay's table beside a plain list of what it has granted: its bounds hold, and nothing is left behind.
    static func relayTable(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var scene = RelayTableScene()
        while !input.isEmpty { try scene.act(&input) }
        try scene.end()
        return .accepted
    }
}

private struct RelayTableScene {
    private static let bounds: RelayBounds = {
        var bounds = RelayBounds()
        (bounds.reservations, bounds.reservationsPerNetwork) = (3, 2)
        (bounds.circuitsPerPeer, bounds.circuits, bounds.requestsPerConnection) = (3, 5, 2)
        bounds.lifetime = .seconds(60)
        return bounds
    }()
    /// Two connections of each peer, one of them relayed at times, from three networks.
    private static let connections: [RelayConnection] = (0..<8).map { index in
        let address = FuzzAddresses.all[[0, 1, 5, 8][index % 4]]
        return RelayConnection(
            id: UInt64(index), peer: peers[index % 4], network: RelayNetwork(address), isRelayed: index == 7)
    }
    private static let peers = [FuzzKeys.first, FuzzKeys.second, FuzzKeys.third].map(\.peerID) + [FuzzKeys.hashed]

    private var table = RelayTable(bounds)
    private var now = Instant.zero
    private var circuits: [(id: UInt64, ends: [Int])] = []
    private var requests = [Int](repeating: 0, count: connections.count)
    /// By peer: on which connection it holds its reservation, and until when.
    private var held: [Int: (connection: Int, until: Instant)] = [:]

    mutating func act(_ input: inout FuzzInput) throws(FuzzFailure) {
        let index = input.int(below: Self.connections.count)
        let connection = Self.connections[index]
        switch input.int(below: 8) {
        case 0, 1: try reserve(index)
        case 2, 3: try connect(from: index, to: input.int(below: 4))
        case 4:
            guard !circuits.isEmpty else { return }
            let ended = circuits.remove(at: input.int(below: circuits.count))
            table.circuitEnded(ended.id)
            if input.bool() { table.circuitEnded(ended.id) }
        case 5:
            let isCounted = table.beginRequest(on: connection.id)
            try requireEqual(isCounted, requests[index] < Self.bounds.requestsPerConnection, "requests are bounded")
            requests[index] += isCounted ? 1 : 0
        case 6:
            guard requests[index] > 0 else { return table.endRequest(on: connection.id) }
            requests[index] -= 1
            table.endRequest(on: connection.id)
        default:
            if input.bool() {
                now = now + .seconds(input.int(below: 90))
            } else {
                table.connectionClosed(connection.id, of: connection.peer)
                requests[index] = 0
                if held[index % 4]?.connection == index { held[index % 4] = nil }
            }
        }
        try check()
    }

    private mutating func reserve(_ index: Int) throws(FuzzFailure) {
        forgetExpired()
        switch table.reserve(on: Self.connections[index], at: now) {
        case .success(let lifetime):
            try requireEqual(lifetime, Self.bounds.lifetime, "a reservation lasts as long as the relay says")
            try require(!Self.connections[index].isRelayed, "nobody reserves over a relay")
            held[index % 4] = (index, now + lifetime)
        case .failure(.relayed):
            try require(Self.connections[index].isRelayed, "only what is relayed is refused as that")
        case .failure(.reservationsFull), .failure(.networkFull), .failure(.tooOften): break
        case .failure(let why): throw FuzzFailure("a reservation is refused as \(why)")
        }
    }

    private mutating func connect(from index: Int, to target: Int) throws(FuzzFailure) {
        forgetExpired()
        let source = Self.connections[index]
        let busiest = max(count(of: index % 4), count(of: target))
        let isFull = circuits.count >= Self.bounds.circuits || busiest >= Self.bounds.circuitsPerPeer
        let wanted: RelayRefusal? =
            source.isRelayed
            ? .relayed
            : index % 4 == target ? .ownCircuit : held[target] == nil ? .noReservation : isFull ? .circuitsFull : nil
        switch table.connect(from: source, to: Self.peers[target], at: now) {
        case .success(let circuit):
            try requireEqual(wanted, nil, "a circuit is granted")
            try requireEqual(circuit.target, held[target].map { UInt64($0.connection) }, "it goes to the reservation")
            try require(!circuits.contains { $0.id == circuit.id }, "a circuit has an id of its own")
            circuits.append((circuit.id, [index % 4, target]))
        case .failure(let why): try requireEqual(why, wanted, "a circuit is refused")
        }
    }

    private func count(of peer: Int) -> Int { circuits.reduce(0) { $0 + $1.ends.count { $0 == peer } } }

    private mutating func forgetExpired() {
        held = held.filter { $0.value.until > now }
    }

    private func check() throws(FuzzFailure) {
        try requireEqual(table.circuitCount, circuits.count, "circuits are counted")
        try require(table.reservationCount <= Self.bounds.reservations, "reservations are bounded")
        for (peer, entry) in held {
            let holds = table.holdsReservation(UInt64(entry.connection), of: Self.peers[peer], at: now)
            try requireEqual(holds, entry.until > now, "a reservation belongs to its connection, until its time")
        }
    }

    mutating func end() throws(FuzzFailure) {
        for circuit in circuits { table.circuitEnded(circuit.id) }
        for connection in Self.connections { table.connectionClosed(connection.id, of: connection.peer) }
        try require(table.circuitCount == 0 && table.reservationCount == 0, "nothing is left behind")
        for connection in Self.connections {
            try require(table.beginRequest(on: connection.id), "no request is counted for a connection that is gone")
        }
    }
}
