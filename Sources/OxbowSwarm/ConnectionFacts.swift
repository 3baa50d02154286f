/// What the choice between two connections to a peer looks at.
public struct ConnectionFacts: Hashable, Sendable {
    /// Names the connection inside this process; a connection that opened later has a higher one.
    public var id: UInt64
    /// Whether a relay bounds its bytes or its life.
    public var isLimited: Bool
    /// Whether it runs through a relay.
    public var isRelayed: Bool
    public var transport: Transport
    /// Whether the one of both peers with the lower id dialled it.
    public var isDialedByLowerPeer: Bool
    /// The smoothed round trip, once it is known.
    public var roundTrip: Duration?

    /// What carries a connection's bytes, best first.
    public enum Transport: Int, Hashable, Sendable, Comparable {
        case quic
        case tcp
        case other

        public static func < (lhs: Transport, rhs: Transport) -> Bool { lhs.rawValue < rhs.rawValue }
    }

    public init(
        id: UInt64, isLimited: Bool = false, isRelayed: Bool = false, transport: Transport = .tcp,
        isDialedByLowerPeer: Bool, roundTrip: Duration? = nil
    ) {
        self.id = id
        self.isLimited = isLimited
        self.isRelayed = isRelayed
        self.transport = transport
        self.isDialedByLowerPeer = isDialedByLowerPeer
        self.roundTrip = roundTrip
    }
}
