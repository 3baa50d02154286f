import CProtobufC
import OxbowMessagesC

/// What a client and a relay say on a hop stream (libp2p specs, circuit-v2, `HopMessage`).
public enum HopMessage: WireMessage {
    /// The sender wants to be reachable through the relay.
    case reserve
    /// The sender wants a circuit to the peer with this id (a multihash, unchecked).
    case connect(peer: [UInt8])
    /// The relay's answer. A reservation comes with the consent to ``reserve``, the limit with either consent.
    case status(CircuitStatus, reservation: CircuitReservationMessage? = nil, limit: CircuitLimitMessage? = nil)

    public static let name = "HopMessage"
    /// 4 KiB, as other implementations have it.
    public static let maximumSize = 4 << 10

    private enum Code {
        static let reserve: UInt32 = 0
        static let connect: UInt32 = 1
        static let status: UInt32 = 2
    }

    public init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let unpacked = try Self.unpack(bytes, oxbow__hop_message__unpack)
        defer { oxbow__hop_message__free_unpacked(unpacked, nil) }
        let message = unpacked.pointee
        guard message.has_type != 0 else { throw .typeNotSet(message: Self.name) }
        switch message.type {
        case Code.reserve: self = .reserve
        case Code.connect: self = .connect(peer: try circuitPeer(message.peer, Self.name))
        case Code.status:
            self = .status(
                CircuitStatus(code: message.has_status == 0 ? 0 : message.status),
                reservation: try CircuitReservationMessage(message.reservation),
                limit: CircuitLimitMessage(message.limit))
        default: throw .typeNotSet(message: Self.name)
        }
    }

    public func encoded() -> [UInt8] {
        var arena = PackArena()
        var message = Oxbow__HopMessage()
        oxbow__hop_message__init(&message)
        message.has_type = 1
        switch self {
        case .reserve: message.type = Code.reserve
        case .connect(let peer):
            message.type = Code.connect
            message.peer = circuitPeer(peer, in: &arena)
        case .status(let status, let reservation, let limit):
            message.type = Code.status
            (message.has_status, message.status) = (1, status.code)
            message.reservation = reservation?.pointer(in: &arena)
            message.limit = limit?.pointer(in: &arena)
        }
        return arena.pack(message, size: oxbow__hop_message__get_packed_size, pack: oxbow__hop_message__pack)
    }
}

/// What a relay and the far peer of a circuit say on a stop stream (libp2p specs, circuit-v2, `StopMessage`).
public enum StopMessage: WireMessage {
    /// The peer with this id (a multihash, unchecked) wants a circuit.
    case connect(peer: [UInt8], limit: CircuitLimitMessage? = nil)
    /// The far peer's answer.
    case status(CircuitStatus)

    public static let name = "StopMessage"
    /// 4 KiB, as other implementations have it.
    public static let maximumSize = 4 << 10

    private enum Code {
        static let connect: UInt32 = 0
        static let status: UInt32 = 1
    }

    public init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let unpacked = try Self.unpack(bytes, oxbow__stop_message__unpack)
        defer { oxbow__stop_message__free_unpacked(unpacked, nil) }
        let message = unpacked.pointee
        guard message.has_type != 0 else { throw .typeNotSet(message: Self.name) }
        switch message.type {
        case Code.connect:
            self = .connect(
                peer: try circuitPeer(message.peer, Self.name), limit: CircuitLimitMessage(message.limit))
        case Code.status: self = .status(CircuitStatus(code: message.has_status == 0 ? 0 : message.status))
        default: throw .typeNotSet(message: Self.name)
        }
    }

    public func encoded() -> [UInt8] {
        var arena = PackArena()
        var message = Oxbow__StopMessage()
        oxbow__stop_message__init(&message)
        message.has_type = 1
        switch self {
        case .connect(let peer, let limit):
            message.type = Code.connect
            message.peer = circuitPeer(peer, in: &arena)
            message.limit = limit?.pointer(in: &arena)
        case .status(let status):
            message.type = Code.status
            (message.has_status, message.status) = (1, status.code)
        }
        return arena.pack(message, size: oxbow__stop_message__get_packed_size, pack: oxbow__stop_message__pack)
    }
}

/// What a relay certifies about a reservation (libp2p specs, circuit-v2, `Voucher`): the payload of a signed envelope.
public struct ReservationVoucherMessage: WireMessage {
    public static let name = "Voucher"
    /// 4 KiB: it travels inside a hop message.
    public static let maximumSize = 4 << 10

    /// The multihash of the relay's id.
    public var relay: [UInt8]
    /// The multihash of the id of the peer that holds the reservation.
    public var peer: [UInt8]
    /// When it ends, in seconds since 1970.
    public var expiration: UInt64

    public init(relay: [UInt8], peer: [UInt8], expiration: UInt64) {
        self.relay = relay
        self.peer = peer
        self.expiration = expiration
    }

    public init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let message = try Self.unpack(bytes, oxbow__reservation_voucher__unpack)
        defer { oxbow__reservation_voucher__free_unpacked(message, nil) }
        relay = message.pointee.relay.bytes
        peer = message.pointee.peer.bytes
        expiration = message.pointee.expiration
    }

    public func encoded() -> [UInt8] {
        var arena = PackArena()
        var message = Oxbow__ReservationVoucher()
        oxbow__reservation_voucher__init(&message)
        (message.has_relay, message.relay) = (1, arena.bytes(relay))
        (message.has_peer, message.peer) = (1, arena.bytes(peer))
        (message.has_expiration, message.expiration) = (1, expiration)
        return arena.pack(
            message, size: oxbow__reservation_voucher__get_packed_size, pack: oxbow__reservation_voucher__pack)
    }
}
