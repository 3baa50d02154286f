public import OxbowCore

/// How a direct connection came to stand.
public enum HolePunchMethod: Hashable, Sendable {
    /// The peer's announced addresses could simply be dialled.
    case directDial
    /// Both sides dialled, by agreement.
    case punch
    /// A direct connection stood or came up without that.
    case elsewhere
}

/// How an attempt to upgrade a relayed connection ended.
public enum HolePunchOutcome: Hashable, Sendable {
    case upgraded(HolePunchMethod)
    case failed(HolePunchFailure)
}

/// Why one dial of a hole punch led to nothing.
public enum HolePunchDialFailure: Hashable, Sendable {
    /// No socket connected: refused, reset, no way there.
    case unreachable
    /// A socket connected, but no connection came of it: as a rule both sides played the same part.
    case collided
    /// A socket connected, and was closed during the handshake: the other side was first to notice a collision, or the
    /// socket was one that a dial of before had left there.
    case cutOff
    /// The address can't be dialled at all.
    case unsupported
}

/// What the driver of a hole punch is to do.
public enum HolePunchAction: Hashable, Sendable {
    /// Open a stream for an exchange and send these bytes.
    case open([UInt8])
    /// Send these bytes on the stream.
    case send([UInt8])
    /// The stream has done its work: end it in order.
    case closeStream
    /// The exchange went wrong.
    case resetStream
    /// Dial as one dials any address.
    case dial(Multiaddr)
    /// Dial from the port that the host listens on, as that part.
    case punch(Multiaddr, HolePunchPart)
    /// Give up all dials that have not led to a connection.
    case cancelDials
    /// Nothing follows.
    case finish(HolePunchOutcome)
}

/// Either side of a hole punch with one peer.
public protocol HolePunchMachine: Sendable {
    /// Bytes came on the exchange's stream. What is consumed is taken from the front of `input`.
    mutating func receive(_ input: inout ArraySlice<UInt8>, at now: Instant) -> [HolePunchAction]
    /// The exchange's stream ended (nil) or broke.
    mutating func streamEnded(_ reason: String?, at now: Instant) -> [HolePunchAction]
    /// The socket of a punch has connected; its handshake follows.
    mutating func socketConnected(_ address: Multiaddr)
    /// A dial led to nothing.
    mutating func dialFailed(
        _ address: Multiaddr, _ failure: HolePunchDialFailure, at now: Instant
    ) -> [HolePunchAction]
    /// A direct connection with the peer stands, whoever dialled it.
    mutating func connected() -> [HolePunchAction]
    /// The attempt ends from outside.
    mutating func abandon(_ failure: HolePunchFailure) -> [HolePunchAction]
    /// Time has passed: to be called at ``nextEvent``.
    mutating func tick(at now: Instant) -> [HolePunchAction]
    /// When ``tick(at:)`` has something to do; nil when the machine is over.
    var nextEvent: Instant? { get }
    /// How many exchanges have begun.
    var tries: Int { get }
    /// The round trip through the relay that the last exchange measured; nil before, and on the responder's side.
    var roundTrip: Duration? { get }
}
