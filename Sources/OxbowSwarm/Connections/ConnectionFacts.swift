/// What the choice between two connections to a peer looks at, besides what was measured on them.
public struct ConnectionFacts: Hashable, Sendable {
    /// Names the connection inside this process; one that opened later has a higher number.
    public var id: UInt64
    /// Whether a relay bounds its bytes or its life.
    public var isLimited: Bool
    /// Whether it runs through a relay.
    public var isRelayed: Bool
    public var transport: Transport
    /// Whether the one of both peers with the lower id dialled it. In a hole punch: whether that one had the dialler's
    /// role.
    public var isDialedByLowerPeer: Bool
    /// Whether the application opened it for a purpose of its own: then it isn't pruned from here.
    public var isPinned: Bool

    /// What carries a connection's bytes.
    public enum Transport: Int, Hashable, Sendable, CaseIterable {
        case quic
        case tcp
        case other
    }

    public init(
        id: UInt64, isLimited: Bool = false, isRelayed: Bool = false, transport: Transport = .tcp,
        isDialedByLowerPeer: Bool = true, isPinned: Bool = false
    ) {
        self.id = id
        self.isLimited = isLimited
        self.isRelayed = isRelayed
        self.transport = transport
        self.isDialedByLowerPeer = isDialedByLowerPeer
        self.isPinned = isPinned
    }
}
