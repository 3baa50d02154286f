public import OxbowCore
public import OxbowWire

/// What a relay grants at most.
public struct RelayBounds: Hashable, Sendable {
    /// Peers that hold a reservation.
    public var reservations = 128
    /// Of these, peers at one IPv4 address or in one IPv6 /56.
    public var reservationsPerNetwork = 8
    /// Circuits that begin or end at one peer.
    public var circuitsPerPeer = 16
    /// Circuits in all.
    public var circuits = 1_024
    /// How long a reservation lasts.
    public var lifetime: Duration = .seconds(3_600)
    /// Requests of one connection that have not been answered.
    public var requestsPerConnection = 16

    public init() {}
}

/// Why a relay says no.
public enum RelayRefusal: String, Error, Hashable, Sendable, CaseIterable {
    /// The asking connection is itself relayed.
    case relayed
    /// All reservations are taken.
    case reservationsFull
    /// Those of the peer's network are.
    case networkFull
    /// The peer renews too often.
    case tooOften
    /// Nobody can be asked for at itself.
    case ownCircuit
    /// The target holds no reservation.
    case noReservation
    /// One of both peers has too many circuits, or the relay has.
    case circuitsFull
    /// The target didn't answer, or refused.
    case targetFailed
    /// Too many requests of one connection wait for an answer.
    case requestsFull
    /// What was asked can't be understood.
    case malformed

    /// What the asking peer is told.
    public var status: CircuitStatus {
        switch self {
        case .relayed, .ownCircuit: .permissionDenied
        case .reservationsFull, .networkFull, .tooOften: .reservationRefused
        case .noReservation: .noReservation
        case .circuitsFull, .requestsFull: .resourceLimitExceeded
        case .targetFailed: .connectionFailed
        case .malformed: .malformedMessage
        }
    }
}

/// The addresses that count as one client: an IPv4 address, or a /56 of IPv6, which is what a site gets.
public struct RelayNetwork: Hashable, Sendable {
    private let isIPv6: Bool
    private let prefix: UInt128

    /// The network of a connection's remote address; nil when that doesn't start with an IP address.
    public init?(_ address: Multiaddr?) {
        switch address?.host {
        case .ip4(let ip4): (isIPv6, prefix) = (false, UInt128(ip4.bits))
        case .ip6(let ip6, _):
            if let mapped = ip6.mapped {
                (isIPv6, prefix) = (false, UInt128(mapped.bits))
            } else {
                (isIPv6, prefix) = (true, ip6.bits >> 72)
            }
        case .dns, nil: return nil
        }
    }
}

/// A connection as the table knows it.
public struct RelayConnection: Hashable, Sendable {
    public let id: UInt64
    public let peer: PeerID
    public let network: RelayNetwork?
    /// Whether it runs through a relay itself.
    public let isRelayed: Bool

    public init(id: UInt64, peer: PeerID, network: RelayNetwork?, isRelayed: Bool) {
        self.id = id
        self.peer = peer
        self.network = network
        self.isRelayed = isRelayed
    }
}

/// Everything that a relay remembers: who holds a reservation on which connection, and who has how many circuits.
///
/// A peer may have several connections and one reservation: that belongs to the connection on which it was made, or
/// renewed last, and ends with that one, whatever happens to the others (rust-libp2p #6472).
public struct RelayTable: Hashable, Sendable {
    /// A circuit that the table counts.
    public struct Circuit: Hashable, Sendable {
        public let id: UInt64
        /// The connection on which the target holds its reservation.
        public let target: UInt64
    }

    private struct Reservation: Hashable {
        var connection: RelayConnection
        var expires: Instant
        var renewals: TokenBucket
    }

    private struct Ends: Hashable {
        let source: PeerID
        let target: PeerID
    }

    private let bounds: RelayBounds
    private var held: [PeerID: Reservation] = [:]
    private var circuits: [UInt64: Ends] = [:]
    private var circuitsOfPeer: [PeerID: Int] = [:]
    private var requests: [UInt64: Int] = [:]
    private var nextCircuit: UInt64 = 0

    public init(_ bounds: RelayBounds = RelayBounds()) {
        self.bounds = bounds
    }

    /// How many reservations were held when the table was asked last.
    public var reservationCount: Int { held.count }
    public var circuitCount: Int { circuits.count }

    // MARK: Requests

    /// A hop stream has opened.
    ///
    /// - Returns: false when too many of its connection wait already; then it isn't counted.
    public mutating func beginRequest(on connection: UInt64) -> Bool {
        guard requests[connection, default: 0] < bounds.requestsPerConnection else { return false }
        requests[connection, default: 0] += 1
        return true
    }

    /// Its request was answered, or the stream is gone.
    public mutating func endRequest(on connection: UInt64) {
        let left = requests[connection, default: 0] - 1
        requests[connection] = left > 0 ? left : nil
    }

    // MARK: Reservations

    /// Makes or renews the reservation of a connection's peer.
    ///
    /// - Returns: how long it lasts.
    public mutating func reserve(
        on connection: RelayConnection, at now: Instant
    ) -> Result<Duration, RelayRefusal> {
        guard !connection.isRelayed else { return .failure(.relayed) }
        dropExpired(at: now)
        var renewals = held[connection.peer]?.renewals ?? TokenBucket(interval: .seconds(10), burst: 4)
        guard renewals.take(at: now) else { return .failure(.tooOften) }
        let others = held.values.filter { $0.connection.peer != connection.peer }
        guard others.count < bounds.reservations else { return .failure(.reservationsFull) }
        if let network = connection.network {
            let neighbours = others.count { $0.connection.network == network }
            guard neighbours < bounds.reservationsPerNetwork else { return .failure(.networkFull) }
        }
        held[connection.peer] = Reservation(
            connection: connection, expires: now + bounds.lifetime, renewals: renewals)
        return .success(bounds.lifetime)
    }

    /// A connection is over: what was held on it is free, what is held on another one of the same peer stays.
    public mutating func connectionClosed(_ id: UInt64, of peer: PeerID) {
        requests[id] = nil
        if held[peer]?.connection.id == id { held[peer] = nil }
    }

    /// Whether a connection must not be closed for want of use: a reservation is held on it.
    public func holdsReservation(_ id: UInt64, of peer: PeerID, at now: Instant) -> Bool {
        guard let reservation = held[peer] else { return false }
        return reservation.connection.id == id && reservation.expires > now
    }

    private mutating func dropExpired(at now: Instant) {
        held = held.filter { $0.value.expires > now }
    }

    // MARK: Circuits

    /// Counts a circuit to `target`, if there may be one.
    public mutating func connect(
        from source: RelayConnection, to target: PeerID, at now: Instant
    ) -> Result<Circuit, RelayRefusal> {
        guard !source.isRelayed else { return .failure(.relayed) }
        guard source.peer != target else { return .failure(.ownCircuit) }
        dropExpired(at: now)
        guard let reservation = held[target] else { return .failure(.noReservation) }
        let busiest = max(circuitsOfPeer[source.peer, default: 0], circuitsOfPeer[target, default: 0])
        guard circuits.count < bounds.circuits, busiest < bounds.circuitsPerPeer else {
            return .failure(.circuitsFull)
        }
        let circuit = Circuit(id: nextCircuit, target: reservation.connection.id)
        nextCircuit += 1
        circuits[circuit.id] = Ends(source: source.peer, target: target)
        circuitsOfPeer[source.peer, default: 0] += 1
        circuitsOfPeer[target, default: 0] += 1
        return .success(circuit)
    }

    /// A circuit is over, or came to nothing. Telling it twice does no harm.
    public mutating func circuitEnded(_ id: UInt64) {
        guard let ends = circuits.removeValue(forKey: id) else { return }
        for peer in [ends.source, ends.target] {
            let left = circuitsOfPeer[peer, default: 0] - 1
            circuitsOfPeer[peer] = left > 0 ? left : nil
        }
    }
}
