import CProtobufC
import OxbowMessagesC

/// What a peer tells about itself (libp2p specs, identify and identify/push).
public struct IdentifyMessage: WireMessage {
    public static let name = "Identify"
    /// 8 KiB for each message; a peer with more to say sends several.
    public static let maximumSize = 8 << 10
    /// The most messages that make up one identification.
    public static let maximumMessages = 10
    /// The most listen addresses that are accepted, over all messages.
    public static let maximumAddresses = 500
    /// The most protocols that are accepted, over all messages.
    public static let maximumProtocols = 1_000

    /// A ``PublicKeyMessage``, encoded.
    public var publicKey: [UInt8]?
    /// Binary multiaddrs. An absent list can't be told from an empty one.
    public var listenAddresses: [[UInt8]] = []
    /// Protocol names. An absent list can't be told from an empty one.
    public var protocols: [String] = []
    /// The binary multiaddr from which the sender sees the receiver come.
    public var observedAddress: [UInt8]?
    public var protocolVersion: String?
    public var agentVersion: String?
    /// A signed envelope with a peer record in it, encoded.
    public var signedPeerRecord: [UInt8]?

    public init() {}

    public init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let unpacked = try Self.unpack(bytes, oxbow__identify__unpack)
        defer { oxbow__identify__free_unpacked(unpacked, nil) }
        let message = unpacked.pointee
        publicKey = message.has_public_key == 0 ? nil : message.public_key.bytes
        listenAddresses = try elements(
            message.listen_addrs, message.n_listen_addrs, of: "the listen addresses", limit: Self.maximumAddresses
        ).map(\.bytes)
        protocols = try elements(
            message.protocols, message.n_protocols, of: "the protocols", limit: Self.maximumProtocols
        ).map { (name) throws(WireError) in try name.text("protocol name") }
        observedAddress = message.has_observed_addr == 0 ? nil : message.observed_addr.bytes
        protocolVersion =
            message.has_protocol_version == 0 ? nil : try message.protocol_version.text("protocol version")
        agentVersion = message.has_agent_version == 0 ? nil : try message.agent_version.text("agent version")
        signedPeerRecord = message.has_signed_peer_record == 0 ? nil : message.signed_peer_record.bytes
    }

    /// Adds a later message of the same identification, by protobuf's rules: lists grow, single fields are replaced
    /// by those that `later` has.
    ///
    /// The caller counts the messages against ``maximumMessages``; the lists' bounds are checked here, and when one
    /// is broken this value is left as it was.
    public mutating func merge(_ later: IdentifyMessage) throws(WireError) {
        let addressCount = listenAddresses.count + later.listenAddresses.count
        guard addressCount <= Self.maximumAddresses else {
            throw .tooMany(field: "the listen addresses", count: addressCount, limit: Self.maximumAddresses)
        }
        let protocolCount = protocols.count + later.protocols.count
        guard protocolCount <= Self.maximumProtocols else {
            throw .tooMany(field: "the protocols", count: protocolCount, limit: Self.maximumProtocols)
        }
        listenAddresses += later.listenAddresses
        protocols += later.protocols
        publicKey = later.publicKey ?? publicKey
        observedAddress = later.observedAddress ?? observedAddress
        protocolVersion = later.protocolVersion ?? protocolVersion
        agentVersion = later.agentVersion ?? agentVersion
        signedPeerRecord = later.signedPeerRecord ?? signedPeerRecord
    }

    public func encoded() -> [UInt8] {
        var arena = PackArena()
        var message = Oxbow__Identify()
        oxbow__identify__init(&message)
        (message.has_public_key, message.public_key) = arena.optional(publicKey)
        message.n_listen_addrs = listenAddresses.count
        message.listen_addrs = arena.list(listenAddresses.map { arena.bytes($0) })
        message.n_protocols = protocols.count
        message.protocols = arena.list(protocols.map { arena.text($0) })
        (message.has_observed_addr, message.observed_addr) = arena.optional(observedAddress)
        (message.has_protocol_version, message.protocol_version) = arena.optional(protocolVersion)
        (message.has_agent_version, message.agent_version) = arena.optional(agentVersion)
        (message.has_signed_peer_record, message.signed_peer_record) = arena.optional(signedPeerRecord)
        return arena.pack(message, size: oxbow__identify__get_packed_size, pack: oxbow__identify__pack)
    }
}
