import CProtobufC
import OxbowMessagesC

/// A message of `/libp2p/dcutr` (libp2p/specs, relay/DCUtR.md, "RPC messages").
public enum HolePunchMessage: WireMessage {
    /// Where the sender can be dialled: binary multiaddrs, the peer's word.
    case connect(addresses: [[UInt8]])
    /// Dial now.
    case sync

    public static let name = "HolePunch"
    /// 4 KiB, which is what the specification lets through.
    public static let maximumSize = 4 << 10
    /// The most addresses that are accepted: with less than 16 bytes each they would be no addresses.
    public static let maximumAddresses = 256

    private static let connectType: UInt64 = 100
    private static let syncType: UInt64 = 300

    /// - Throws: ``WireError/typeNotSet(message:)`` for a type that isn't known here.
    public init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let message = try Self.unpack(bytes, oxbow__hole_punch__unpack)
        defer { oxbow__hole_punch__free_unpacked(message, nil) }
        switch message.pointee.type {
        case Self.connectType:
            let addresses = try elements(
                message.pointee.observed_addresses, message.pointee.n_observed_addresses,
                of: "the hole punch's addresses", limit: Self.maximumAddresses)
            self = .connect(addresses: addresses.map(\.bytes))
        case Self.syncType:
            self = .sync
        default:
            throw .typeNotSet(message: Self.name)
        }
    }

    public func encoded() -> [UInt8] {
        var arena = PackArena()
        var message = Oxbow__HolePunch()
        oxbow__hole_punch__init(&message)
        switch self {
        case .connect(let addresses):
            message.type = Self.connectType
            message.n_observed_addresses = addresses.count
            message.observed_addresses = arena.list(addresses.map { arena.bytes($0) })
        case .sync:
            message.type = Self.syncType
        }
        return arena.pack(message, size: oxbow__hole_punch__get_packed_size, pack: oxbow__hole_punch__pack)
    }
}
