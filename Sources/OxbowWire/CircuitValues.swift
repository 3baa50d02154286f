import CProtobufC
import OxbowMessagesC

/// What a relay, or the far peer of a circuit, answers (libp2p specs, circuit-v2, `Status`).
public enum CircuitStatus: Hashable, Sendable, CustomStringConvertible {
    case ok
    case reservationRefused
    case resourceLimitExceeded
    case permissionDenied
    case connectionFailed
    case noReservation
    case malformedMessage
    case unexpectedMessage
    /// A code that isn't known here, 0 among them: no consent, whatever it means.
    case unknown(UInt32)

    private static let codes: [(CircuitStatus, UInt32)] = [
        (.ok, 100), (.reservationRefused, 200), (.resourceLimitExceeded, 201), (.permissionDenied, 202),
        (.connectionFailed, 203), (.noReservation, 204), (.malformedMessage, 400), (.unexpectedMessage, 401),
    ]

    /// The status that `code` stands for.
    public init(code: UInt32) {
        self = Self.codes.first { $0.1 == code }?.0 ?? .unknown(code)
    }

    /// The number on the wire.
    public var code: UInt32 {
        if case .unknown(let code) = self { return code }
        return Self.codes.first { $0.0 == self }?.1 ?? 0
    }

    public var description: String {
        switch self {
        case .ok: "OK"
        case .reservationRefused: "RESERVATION_REFUSED"
        case .resourceLimitExceeded: "RESOURCE_LIMIT_EXCEEDED"
        case .permissionDenied: "PERMISSION_DENIED"
        case .connectionFailed: "CONNECTION_FAILED"
        case .noReservation: "NO_RESERVATION"
        case .malformedMessage: "MALFORMED_MESSAGE"
        case .unexpectedMessage: "UNEXPECTED_MESSAGE"
        case .unknown(let code): "status \(code)"
        }
    }
}

/// What a relay lets through on one circuit (libp2p specs, circuit-v2, `Limit`).
public struct CircuitLimitMessage: Hashable, Sendable {
    /// How long it may last, in seconds; nil when that is not bounded, for which the wire also has 0.
    public var seconds: UInt32?
    /// How many bytes it carries in each direction; nil when that is not bounded.
    public var bytes: UInt64?

    /// A bound of 0 is none.
    public init(seconds: UInt32?, bytes: UInt64?) {
        self.seconds = seconds == 0 ? nil : seconds
        self.bytes = bytes == 0 ? nil : bytes
    }

    /// Whether anything is bounded at all.
    public var isBounding: Bool { seconds != nil || bytes != nil }

    init?(_ pointer: UnsafeMutablePointer<Oxbow__CircuitLimit>?) {
        guard let message = pointer?.pointee else { return nil }
        self.init(
            seconds: message.has_duration == 0 ? nil : message.duration,
            bytes: message.has_data == 0 ? nil : message.data)
    }

    func pointer(in arena: inout PackArena) -> UnsafeMutablePointer<Oxbow__CircuitLimit> {
        var message = Oxbow__CircuitLimit()
        oxbow__circuit_limit__init(&message)
        (message.has_duration, message.duration) = (seconds == nil ? 0 : 1, seconds ?? 0)
        (message.has_data, message.data) = (bytes == nil ? 0 : 1, bytes ?? 0)
        return arena.list([message])
    }
}

/// A place at a relay (libp2p specs, circuit-v2, `Reservation`).
public struct CircuitReservationMessage: Hashable, Sendable {
    /// The most addresses that are accepted.
    public static let maximumAddresses = 100

    /// When it ends, in seconds since 1970, as the relay's clock has it. The peer's number, unchecked.
    public var expiration: UInt64
    /// Binary multiaddrs of the relay, with its id and without `/p2p-circuit`.
    public var addresses: [[UInt8]]
    /// A signed envelope; nil when the relay gave none.
    public var voucher: [UInt8]?

    public init(expiration: UInt64, addresses: [[UInt8]], voucher: [UInt8]?) {
        self.expiration = expiration
        self.addresses = addresses
        self.voucher = voucher
    }

    init?(_ pointer: UnsafeMutablePointer<Oxbow__CircuitReservation>?) throws(WireError) {
        guard let message = pointer?.pointee else { return nil }
        expiration = message.expire
        addresses = try elements(
            message.addrs, message.n_addrs, of: "the reservation's addresses", limit: Self.maximumAddresses
        ).map(\.bytes)
        voucher = message.has_voucher == 0 || message.voucher.len == 0 ? nil : message.voucher.bytes
    }

    func pointer(in arena: inout PackArena) -> UnsafeMutablePointer<Oxbow__CircuitReservation> {
        var message = Oxbow__CircuitReservation()
        oxbow__circuit_reservation__init(&message)
        (message.has_expire, message.expire) = (1, expiration)
        message.n_addrs = addresses.count
        message.addrs = arena.list(addresses.map { arena.bytes($0) })
        (message.has_voucher, message.voucher) = arena.optional(voucher)
        return arena.list([message])
    }
}

/// The id of the peer that a circuit message is about, as it came. Its addresses are not read: relays here dial nobody.
func circuitPeer(
    _ pointer: UnsafeMutablePointer<Oxbow__CircuitPeer>?, _ message: String
) throws(WireError) -> [UInt8] {
    guard let peer = pointer?.pointee, peer.has_id != 0 else { throw .malformed(message: message) }
    return peer.id.bytes
}

func circuitPeer(_ id: [UInt8], in arena: inout PackArena) -> UnsafeMutablePointer<Oxbow__CircuitPeer> {
    var peer = Oxbow__CircuitPeer()
    oxbow__circuit_peer__init(&peer)
    (peer.has_id, peer.id) = (1, arena.bytes(id))
    return arena.list([peer])
}
