public import OxbowCore
public import OxbowProtocols
public import OxbowWire

/// How a host uses relays.
public struct RelayClientConfiguration: Hashable, Sendable {
    /// How long a relay may take to answer, and a peer's circuit to say whose it is. A relay itself waits for the far
    /// peer meanwhile.
    public var answerTimeout: Duration = .seconds(15)
    /// Reservations that are kept at once.
    public var maximumReservations = 8
    /// Relay addresses that are announced for one reservation.
    public var maximumAddresses = 16
    /// Of the bytes that a relay lets through, those that are kept for moving streams away: the application's stop to be
    /// sent when no more are left.
    public var handOverReserve: UInt64 = 16 << 10

    public init() {}
}

/// Why a relay was of no use.
public enum RelayFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The relay said no.
    case refused(CircuitStatus)
    /// The peer doesn't relay.
    case noRelay
    /// The relay could not be reached, in the words of the dial.
    case unreachable(String)
    /// The stream with the relay failed.
    case stream(StreamError)
    case timedOut
    /// The relay's answer can't be understood.
    case broken(CircuitError)
    /// The reservation's voucher can't be believed.
    case voucher(VoucherError)
    /// The reservation ends before it is of any use, by this host's clock.
    case tooShort
    /// The reservation was given back, or the host closes.
    case givenBack

    public var description: String {
        switch self {
        case .refused(let status): Self.text(of: status)
        case .noRelay: "the peer is no relay: it doesn't speak \(CircuitRelay.hopProtocolID); choose another one"
        case .unreachable(let why): "the relay could not be reached: \(why)"
        case .stream(let error): "the relay broke off: \(error)"
        case .timedOut: "the relay did not answer in time"
        case .broken(let error): "the relay's answer makes no sense: \(error)"
        case .voucher(let error): error.description
        case .tooShort: "the relay's reservation is over too soon; one of both clocks may be wrong"
        case .givenBack: "the reservation was given back"
        }
    }

    private static func text(of status: CircuitStatus) -> String {
        let advice =
            switch status {
            case .reservationRefused: "it has no room for a reservation now; try later, or another relay"
            case .resourceLimitExceeded: "too many circuits run already; try later, or another relay"
            case .permissionDenied: "it doesn't serve this host, or not over this connection; use another relay"
            case .connectionFailed: "the peer holds a reservation and didn't accept the circuit; try again"
            case .noReservation: "the peer holds no reservation there; ask it for its present addresses"
            case .malformedMessage, .unexpectedMessage, .ok, .unknown: "the two hosts don't understand each other"
            }
        return "the relay refused (\(status)): \(advice)"
    }
}

/// What happens to a reservation of this host's.
public enum RelayReservationChange: Hashable, Sendable, CustomStringConvertible {
    /// Peers can reach this host through the relay.
    case made(addresses: [Multiaddr])
    /// It holds for longer.
    case renewed
    /// An attempt to make or renew it failed; another follows.
    case failed(RelayFailure)
    /// Peers can't reach this host through the relay any more. It is tried to make it again.
    case lost(ReservationLife.Loss)

    public var description: String {
        switch self {
        case .made(let addresses): "made; reachable at \(addresses.map(\.description).joined(separator: ", "))"
        case .renewed: "renewed"
        case .failed(let failure): "not made: \(failure)"
        case .lost(.connectionLost): "lost with the connection to the relay"
        case .lost(.expired): "over, since it could not be renewed in time"
        }
    }
}
