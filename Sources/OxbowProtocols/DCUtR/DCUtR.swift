public import OxbowCore
public import OxbowWire

/// Facts of `/libp2p/dcutr`, direct connection upgrade through relay (libp2p/specs, relay/DCUtR.md). The
/// specification's names: `A` has dialled `B` through a relay; `B` begins everything that follows.
public enum DCUtR {
    public static let protocolID: ProtocolID = "/libp2p/dcutr"
}

/// Which side of an exchange a host is on.
public enum HolePunchSide: Hashable, Sendable {
    /// `B`: it was dialled through the relay, opens the stream and decides on further tries.
    case initiator
    /// `A`: it has dialled through the relay and answers.
    case responder
}

/// Which part a host plays in security and multiplexer on a connection that comes of a simultaneous open, where TCP
/// itself knows no dialler and no listener.
///
/// The specification makes the responder the client and the initiator the server ("`A` is assumed to be the client and
/// `B` the server"). go-libp2p does the same since 0.41. Up to 0.40 it had the parts the other way round: its initiator
/// upgrades as a client, its responder as a server. Two clients, or two servers, never make a connection, so a part is
/// changed once there is a sign of that: TCP connected and nothing came of it.
///
/// - The initiator changes its part after each such try (go-libp2p does so since 0.48, always and only in its last try).
/// - The responder changes it in a second exchange when the first one of all ended that way, and for no later reason:
///   if both sides changed after the same try, they would collide for ever. A responder's first try can collide only
///   with an initiator that is a client by its own rule, and such a one doesn't change.
///
/// There is a second way to two servers: a SYN that comes when the other side isn't connecting (yet, or any more) is
/// taken by that side's listener. A responder's SYN then makes a proper connection, client to listener. An initiator's
/// makes none; its next try is one as a client, which a listener can take as well.
public enum HolePunchPart: Hashable, Sendable {
    case client
    case server

    /// What the other side has to be.
    public var other: HolePunchPart { self == .client ? .server : .client }
}

/// What a host spends on upgrading relayed connections to direct ones.
public struct HolePunchConfiguration: Hashable, Sendable {
    /// Whether the host upgrades relayed connections, and answers peers that do.
    public var isEnabled = true
    /// How often addresses are exchanged and dialled before the initiator gives up: the specification's three.
    public var tries = 3
    /// How long the initiator's direct dial of a peer that announces public addresses may take.
    public var directDialTimeout: Duration = .seconds(5)
    /// How long one exchange of addresses may take, from the opening of its stream.
    public var exchangeTimeout: Duration = .seconds(10)
    /// How long one try dials, handshake included.
    public var punchTimeout: Duration = .seconds(5)
    /// How long the first repetition of a dial waits that was refused: a SYN that comes too early can be answered by a
    /// reset. Each further one waits twice as long.
    public var firstRedial: Duration = .milliseconds(100)
    /// How often one address is dialled in one try.
    public var dialsPerAddress = 6
    /// Peers with which a punch is under way, either side's.
    public var maximumPunches = 64
    /// Which addresses are sent and dialled.
    public var addresses = HolePunchAddressPolicy()

    public init() {}
}

/// What a peer did wrong in an exchange. Its scope is the stream: reset it; the relayed connection is unharmed.
public enum DCUtRError: Error, Hashable, Sendable, CustomStringConvertible {
    case message(WireError)
    /// A CONNECT where a SYNC has to come, or the other way round.
    case unexpectedMessage
    /// The stream ended before the exchange did.
    case endedEarly
    /// No address in the peer's CONNECT is one that is dialled.
    case noUsableAddress(received: Int)

    public var description: String {
        switch self {
        case .message(let error): error.description
        case .unexpectedMessage: "the peer's messages come in the wrong order"
        case .endedEarly: "the peer ended the exchange of addresses early"
        case .noUsableAddress(let received):
            "of the \(received) addresses that the peer sent none can be dialled: it needs a public TCP address"
        }
    }
}

/// Why a relayed connection was not upgraded.
public enum HolePunchFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// This host knows of no address at which a peer might reach it.
    case noOwnAddress
    /// The peer broke the protocol.
    case exchange(DCUtRError)
    /// The stream for the exchange could not be opened, or broke.
    case stream(String)
    /// The peer didn't bring the exchange to its end in time.
    case exchangeTimedOut(Duration)
    /// Addresses were exchanged, and none led to a connection.
    case unreachable(tries: Int)
    /// The relayed connection ended first.
    case relayedConnectionLost
    /// Both sides began, and the peer's attempt goes on.
    case yielded
    /// The host closes.
    case closed

    public var description: String {
        switch self {
        case .noOwnAddress:
            "no public address of this host is known; peers tell it by identify once it listens and has dialled them"
        case .exchange(let error): error.description
        case .stream(let why): "the exchange of addresses failed: \(why)"
        case .exchangeTimedOut(let limit): "the peer did not answer within \(limit)"
        case .unreachable(let tries):
            "no direct connection after \(tries) \(tries == 1 ? "try" : "tries"); a NAT on the way may give each "
                + "destination its own port. The relayed connection goes on"
        case .relayedConnectionLost: "the relayed connection ended during the attempt"
        case .yielded: "the peer began as well, and its attempt goes on"
        case .closed: "the host is closed"
        }
    }
}
