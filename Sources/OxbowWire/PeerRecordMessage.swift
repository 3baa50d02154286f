import CProtobufC
import OxbowMessagesC

/// The addresses that a peer vouches for (libp2p specs, RFC 0003): the payload of a signed envelope.
public struct PeerRecordMessage: WireMessage {
    public static let name = "PeerRecord"
    /// 8 KiB: a record travels inside an identify message, which has the same bound.
    public static let maximumSize = 8 << 10
    /// The most addresses that are accepted.
    public static let maximumAddresses = 500

    /// The multihash of the peer's id.
    public var peerID: [UInt8]
    /// A later record of the same peer has a higher number. It isn't a time.
    public var sequence: UInt64
    /// Binary multiaddrs.
    public var addresses: [[UInt8]]

    public init(peerID: [UInt8], sequence: UInt64, addresses: [[UInt8]]) {
        self.peerID = peerID
        self.sequence = sequence
        self.addresses = addresses
    }

    public init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let message = try Self.unpack(bytes, oxbow__peer_record__unpack)
        defer { oxbow__peer_record__free_unpacked(message, nil) }
        peerID = message.pointee.peer_id.bytes
        sequence = message.pointee.seq
        addresses = try elements(
            message.pointee.addresses, message.pointee.n_addresses, of: "the peer record's addresses",
            limit: Self.maximumAddresses
        ).compactMap { $0?.pointee.multiaddr.bytes }
    }

    public func encoded() -> [UInt8] {
        var arena = PackArena()
        var message = Oxbow__PeerRecord()
        oxbow__peer_record__init(&message)
        message.has_peer_id = 1
        message.peer_id = arena.bytes(peerID)
        message.has_seq = sequence == 0 ? 0 : 1
        message.seq = sequence
        message.n_addresses = addresses.count
        message.addresses = arena.list(addresses.map { Self.addressInfo($0, in: &arena) })
        return arena.pack(message, size: oxbow__peer_record__get_packed_size, pack: oxbow__peer_record__pack)
    }

    private static func addressInfo(
        _ address: [UInt8], in arena: inout PackArena
    ) -> UnsafeMutablePointer<Oxbow__PeerRecord__AddressInfo>? {
        var info = Oxbow__PeerRecord__AddressInfo()
        oxbow__peer_record__address_info__init(&info)
        info.has_multiaddr = 1
        info.multiaddr = arena.bytes(address)
        return arena.list([info])
    }
}
