public import OxbowCore
public import OxbowWire

/// Facts of circuit relay, version 2 (libp2p specs, relay/circuit-v2.md).
public enum CircuitRelay {
    /// Clients ask relays.
    public static let hopProtocolID: ProtocolID = "/libp2p/circuit/relay/0.2.0/hop"
    /// Relays ask the far peer.
    public static let stopProtocolID: ProtocolID = "/libp2p/circuit/relay/0.2.0/stop"
    /// No reservation is taken to last longer, whatever the relay says.
    public static let maximumLifetime: Duration = .seconds(24 * 3_600)
    /// One that is shorter is of no use: most of it would go into its renewal.
    public static let minimumLifetime: Duration = .seconds(10)

    /// How long something lasts whose end a peer gave, in seconds since 1970: between nothing and ``maximumLifetime``,
    /// whatever the numbers are (CVE-2026-33040, CVE-2026-34219).
    public static func lifetime(until expiration: UInt64, unixTime: Int64) -> Duration {
        let now = UInt64(clamping: unixTime)
        guard expiration > now else { return .zero }
        let seconds = min(expiration - now, UInt64(clamping: maximumLifetime.components.seconds))
        return .seconds(Int64(clamping: seconds))
    }
}

/// What went wrong on a hop or stop stream. Its scope is the stream.
public enum CircuitError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not a message, or not one that may come here.
    case wire(WireError)
    /// The message names a peer by something that isn't an id.
    case peerID(PeerIDError)
    /// Consent to a reservation without the reservation.
    case noReservationGiven
    /// The stream ended, or failed, before the message was whole.
    case endedEarly

    public var description: String {
        switch self {
        case .wire(let error): error.description
        case .peerID(let error): "the relay message names no valid peer: \(error)"
        case .noReservationGiven: "the relay said yes and gave no reservation"
        case .endedEarly: "the stream ended before the message did"
        }
    }

    /// What the sender of the message is told.
    public var status: CircuitStatus {
        switch self {
        case .wire(.unexpectedType): .unexpectedMessage
        case .wire, .peerID, .noReservationGiven, .endedEarly: .malformedMessage
        }
    }
}

/// Takes one message from the front of `input`; what is behind it stays there.
func takeCircuitMessage<Message: WireMessage>(
    _ type: Message.Type, from input: inout ArraySlice<UInt8>
) throws(CircuitError) -> Message? {
    do { return try Message.decodeDelimited(from: &input) } catch { throw .wire(error) }
}

func circuitPeerID(_ multihash: [UInt8]) throws(CircuitError) -> PeerID {
    do { return try PeerID(multihash: multihash) } catch { throw .peerID(error) }
}
