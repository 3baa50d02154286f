import CProtobufC
import OxbowMessagesC

/// A public key as it goes over the wire (libp2p specs, peer-ids). What the data is depends on the type.
public struct PublicKeyMessage: WireMessage {
    public static let name = "PublicKey"
    /// 8 KiB: seven times what an RSA key of 8,192 bits needs, so that the key's own check can say what is wrong.
    public static let maximumSize = 8 << 10

    /// 0 RSA, 1 Ed25519, 2 secp256k1, 3 ECDSA. Other values aren't refused here.
    public var type: UInt32
    public var data: [UInt8]

    public init(type: UInt32, data: [UInt8]) {
        self.type = type
        self.data = data
    }

    public init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let message = try Self.unpack(bytes, oxbow__public_key__unpack)
        defer { oxbow__public_key__free_unpacked(message, nil) }
        type = message.pointee.type.rawValue
        data = message.pointee.data.bytes
    }

    public func encoded() -> [UInt8] {
        var arena = PackArena()
        var message = Oxbow__PublicKey()
        oxbow__public_key__init(&message)
        message.type = Oxbow__KeyType(rawValue: type)
        message.data = arena.bytes(data)
        return arena.pack(message, size: oxbow__public_key__get_packed_size, pack: oxbow__public_key__pack)
    }
}

/// A private key as it is stored (libp2p specs, peer-ids). It never goes over the wire.
public struct PrivateKeyMessage: WireMessage {
    public static let name = "PrivateKey"
    /// 8 KiB: a PKCS #1 key of 8,192 bits takes 4.7.
    public static let maximumSize = 8 << 10

    /// 0 RSA, 1 Ed25519, 2 secp256k1, 3 ECDSA. Other values aren't refused here.
    public var type: UInt32
    public var data: [UInt8]

    public init(type: UInt32, data: [UInt8]) {
        self.type = type
        self.data = data
    }

    public init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let message = try Self.unpack(bytes, oxbow__private_key__unpack)
        defer { oxbow__private_key__free_unpacked(message, nil) }
        type = message.pointee.type.rawValue
        data = message.pointee.data.bytes
    }

    public func encoded() -> [UInt8] {
        var arena = PackArena()
        var message = Oxbow__PrivateKey()
        oxbow__private_key__init(&message)
        message.type = Oxbow__KeyType(rawValue: type)
        message.data = arena.bytes(data)
        return arena.pack(message, size: oxbow__private_key__get_packed_size, pack: oxbow__private_key__pack)
    }
}
