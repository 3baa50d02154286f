import CProtobufC
import OxbowMessagesC

/// A message of `/libp2p/autonat/1.0.0` (libp2p specs, autonat/autonat-v1.md).
public enum AutoNATv1Message: WireMessage {
    /// The sender asks to be dialled at one of `addresses`. `peer` is the multihash of its own id.
    case dial(peer: [UInt8]?, addresses: [[UInt8]])
    /// What came of it. `status` is an ``AutoNATv1Status``, or a number that isn't known here; `address` is the one that
    /// was reached, in binary.
    case response(status: UInt64, address: [UInt8]?)

    public static let name = "AutoNAT"
    /// 4 KiB, which is what others read.
    public static let maximumSize = 4 << 10
    /// The most addresses that are looked at; further ones are dropped.
    public static let maximumAddresses = 32

    /// - Throws: ``WireError/typeNotSet(message:)`` for a type that isn't known, ``WireError/malformed(message:)`` when
    ///   what the type promises is missing, too.
    public init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let unpacked = try Self.unpack(bytes, oxbow__autonat__v1__message__unpack)
        defer { oxbow__autonat__v1__message__free_unpacked(unpacked, nil) }
        let message = unpacked.pointee
        switch message.has_type == 0 ? 0 : message.type {
        case 0:
            guard let peer = message.dial?.pointee.peer else { throw .malformed(message: Self.name) }
            self = .dial(
                peer: peer.pointee.has_id == 0 ? nil : peer.pointee.id.bytes,
                addresses: UnsafeBufferPointer(start: peer.pointee.addrs, count: peer.pointee.n_addrs)
                    .prefix(Self.maximumAddresses).map(\.bytes))
        case 1:
            guard let response = message.dial_response?.pointee else { throw .malformed(message: Self.name) }
            self = .response(
                status: response.has_status == 0 ? 0 : response.status,
                address: response.has_addr == 0 ? nil : response.addr.bytes)
        default: throw .typeNotSet(message: Self.name)
        }
    }

    public func encoded() -> [UInt8] {
        var arena = PackArena()
        var message = Oxbow__Autonat__V1__Message()
        oxbow__autonat__v1__message__init(&message)
        message.has_type = 1
        switch self {
        case .dial(let peer, let addresses):
            var info = Oxbow__Autonat__V1__PeerInfo()
            oxbow__autonat__v1__peer_info__init(&info)
            (info.has_id, info.id) = arena.optional(peer)
            info.n_addrs = addresses.count
            info.addrs = arena.list(addresses.map { arena.bytes($0) })
            var dial = Oxbow__Autonat__V1__Dial()
            oxbow__autonat__v1__dial__init(&dial)
            dial.peer = arena.list([info])
            message.type = 0
            message.dial = arena.list([dial])
        case .response(let status, let address):
            var response = Oxbow__Autonat__V1__DialResponse()
            oxbow__autonat__v1__dial_response__init(&response)
            (response.has_status, response.status) = (1, status)
            (response.has_addr, response.addr) = arena.optional(address)
            message.type = 1
            message.dial_response = arena.list([response])
        }
        return arena.pack(
            message, size: oxbow__autonat__v1__message__get_packed_size, pack: oxbow__autonat__v1__message__pack)
    }
}

/// What a server says came of a dial.
public enum AutoNATv1Status: UInt64, Hashable, Sendable {
    case ok = 0
    /// Every address failed.
    case dialError = 100
    /// The server dials none of the addresses, or not now.
    case dialRefused = 101
    case badRequest = 200
    case internalError = 300
}
