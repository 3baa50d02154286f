public import OxbowCore
public import OxbowWire

// Each takes one message from the front of the inbound bytes and leaves what is behind it there: behind a status, those
// bytes are the circuit's.

/// The client's side of a hop stream: one request, one answer.
public struct HopClient: Sendable, Hashable {
    /// What is asked of the relay.
    public enum Request: Sendable, Hashable {
        case reserve
        case connect(PeerID)
    }

    /// What the relay says.
    public enum Answer: Sendable, Hashable {
        case reserved(CircuitReservationMessage, limit: CircuitLimitMessage?)
        /// From the next byte on the stream is the circuit.
        case connected(limit: CircuitLimitMessage?)
        case refused(CircuitStatus)
    }

    private let request: Request

    public init(_ request: Request) {
        self.request = request
    }

    /// What to send first.
    public func start() -> [UInt8] {
        switch request {
        case .reserve: HopMessage.reserve.encodedDelimited()
        case .connect(let peer): HopMessage.connect(peer: peer.multihash).encodedDelimited()
        }
    }

    /// Takes the answer, once it is there.
    public func receive(_ input: inout ArraySlice<UInt8>) throws(CircuitError) -> Answer? {
        guard let message = try takeCircuitMessage(HopMessage.self, from: &input) else { return nil }
        guard case .status(let status, let reservation, let limit) = message else {
            throw .wire(.unexpectedType(message: HopMessage.name))
        }
        guard status == .ok else { return .refused(status) }
        if case .connect = request { return .connected(limit: limit) }
        guard let reservation else { throw .noReservationGiven }
        return .reserved(reservation, limit: limit)
    }
}

/// The relay's side of a hop stream.
public struct HopListener: Sendable, Hashable {
    public init() {}

    /// Takes the request, once it is there.
    public func receive(_ input: inout ArraySlice<UInt8>) throws(CircuitError) -> HopClient.Request? {
        switch try takeCircuitMessage(HopMessage.self, from: &input) {
        case nil: return nil
        case .reserve: return .reserve
        case .connect(let peer): return .connect(try circuitPeerID(peer))
        case .status: throw .wire(.unexpectedType(message: HopMessage.name))
        }
    }

    /// A message that says yes to a reservation.
    public static func accept(_ reservation: CircuitReservationMessage, limit: CircuitLimitMessage?) -> [UInt8] {
        HopMessage.status(.ok, reservation: reservation, limit: limit).encodedDelimited()
    }

    /// A message that says yes to a circuit: what follows it is the circuit's.
    public static func accept(limit: CircuitLimitMessage?) -> [UInt8] {
        HopMessage.status(.ok, limit: limit).encodedDelimited()
    }

    /// A message that says no.
    public static func refuse(_ status: CircuitStatus) -> [UInt8] {
        HopMessage.status(status).encodedDelimited()
    }
}

/// The relay's side of a stop stream: it announces a circuit to the far peer.
public struct StopClient: Sendable, Hashable {
    private let peer: PeerID
    private let limit: CircuitLimitMessage?

    /// - Parameters:
    ///   - peer: who wants the circuit.
    ///   - limit: what it will carry.
    public init(from peer: PeerID, limit: CircuitLimitMessage?) {
        (self.peer, self.limit) = (peer, limit)
    }

    /// What to send first.
    public func start() -> [UInt8] {
        StopMessage.connect(peer: peer.multihash, limit: limit).encodedDelimited()
    }

    /// Takes the answer, once it is there: behind `CircuitStatus.ok`, the stream is the circuit.
    public func receive(_ input: inout ArraySlice<UInt8>) throws(CircuitError) -> CircuitStatus? {
        switch try takeCircuitMessage(StopMessage.self, from: &input) {
        case nil: return nil
        case .status(let status): return status
        case .connect: throw .wire(.unexpectedType(message: StopMessage.name))
        }
    }
}

/// The far peer's side of a stop stream.
public struct StopListener: Sendable, Hashable {
    /// A circuit that a relay announces.
    public struct Offer: Sendable, Hashable {
        /// Who wants it, as the relay says: the handshake on the circuit has to prove it.
        public let peer: PeerID
        public let limit: CircuitLimitMessage?
    }

    public init() {}

    /// Takes the offer, once it is there.
    public func receive(_ input: inout ArraySlice<UInt8>) throws(CircuitError) -> Offer? {
        switch try takeCircuitMessage(StopMessage.self, from: &input) {
        case nil: return nil
        case .connect(let peer, let limit): return Offer(peer: try circuitPeerID(peer), limit: limit)
        case .status: throw .wire(.unexpectedType(message: StopMessage.name))
        }
    }

    /// The answer: with `CircuitStatus.ok` in front, the stream becomes the circuit.
    public static func answer(_ status: CircuitStatus) -> [UInt8] {
        StopMessage.status(status).encodedDelimited()
    }
}
