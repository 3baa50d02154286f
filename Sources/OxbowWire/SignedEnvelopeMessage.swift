import CProtobufC
import OxbowMessagesC

/// A payload with the key that signed it (libp2p specs, RFC 0002). Decoding verifies nothing: that is
/// OxbowCrypto's `SignedEnvelope`.
public struct SignedEnvelopeMessage: WireMessage {
    public static let name = "SignedEnvelope"
    /// 8 KiB: an envelope travels inside an identify message, which has the same bound.
    public static let maximumSize = 8 << 10

    /// A ``PublicKeyMessage``, encoded.
    public var publicKey: [UInt8]
    /// A multicodec that says what the payload is. Absent and empty are the same.
    public var payloadType: [UInt8]
    /// Absent and empty are the same.
    public var payload: [UInt8]
    public var signature: [UInt8]

    public init(publicKey: [UInt8], payloadType: [UInt8], payload: [UInt8], signature: [UInt8]) {
        self.publicKey = publicKey
        self.payloadType = payloadType
        self.payload = payload
        self.signature = signature
    }

    public init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let message = try Self.unpack(bytes, oxbow__signed_envelope__unpack)
        defer { oxbow__signed_envelope__free_unpacked(message, nil) }
        publicKey = message.pointee.public_key.bytes
        payloadType = message.pointee.payload_type.bytes
        payload = message.pointee.payload.bytes
        signature = message.pointee.signature.bytes
    }

    public func encoded() -> [UInt8] {
        var arena = PackArena()
        var message = Oxbow__SignedEnvelope()
        oxbow__signed_envelope__init(&message)
        message.public_key = arena.bytes(publicKey)
        message.has_payload_type = payloadType.isEmpty ? 0 : 1
        message.payload_type = arena.bytes(payloadType)
        message.has_payload = payload.isEmpty ? 0 : 1
        message.payload = arena.bytes(payload)
        message.signature = arena.bytes(signature)
        return arena.pack(message, size: oxbow__signed_envelope__get_packed_size, pack: oxbow__signed_envelope__pack)
    }
}
