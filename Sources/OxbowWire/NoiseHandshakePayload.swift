import CProtobufC
import OxbowMessagesC

/// What the second and third Noise message carry: who the peer is, the proof, and early choices
/// (libp2p specs, noise).
public struct NoiseHandshakePayload: WireMessage {
    public static let name = "NoiseHandshakePayload"
    /// 4 KiB: an RSA key of 8,192 bits and its signature take 2.1, which leaves as much for the extensions.
    public static let maximumSize = 4 << 10
    /// The most certificate hashes, and the most multiplexers, that are accepted.
    public static let maximumExtensionEntries = 64

    /// A ``PublicKeyMessage``, encoded.
    public var identityKey: [UInt8]?
    /// The key's signature over "noise-libp2p-static-key:" and the sender's static Noise key.
    public var identitySignature: [UInt8]?
    public var extensions: NoiseExtensions?

    public init(
        identityKey: [UInt8]? = nil, identitySignature: [UInt8]? = nil, extensions: NoiseExtensions? = nil
    ) {
        self.identityKey = identityKey
        self.identitySignature = identitySignature
        self.extensions = extensions
    }

    public init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let message = try Self.unpack(bytes, oxbow__noise_handshake_payload__unpack)
        defer { oxbow__noise_handshake_payload__free_unpacked(message, nil) }
        identityKey = message.pointee.has_identity_key == 0 ? nil : message.pointee.identity_key.bytes
        identitySignature = message.pointee.has_identity_sig == 0 ? nil : message.pointee.identity_sig.bytes
        extensions = try message.pointee.extensions.map { (part) throws(WireError) in try NoiseExtensions(part.pointee)
        }
    }

    public func encoded() -> [UInt8] {
        var arena = PackArena()
        var message = Oxbow__NoiseHandshakePayload()
        oxbow__noise_handshake_payload__init(&message)
        (message.has_identity_key, message.identity_key) = arena.optional(identityKey)
        (message.has_identity_sig, message.identity_sig) = arena.optional(identitySignature)
        if let extensions { message.extensions = extensions.message(in: &arena) }
        return arena.pack(
            message, size: oxbow__noise_handshake_payload__get_packed_size, pack: oxbow__noise_handshake_payload__pack)
    }
}

/// Early choices in a Noise handshake (libp2p specs, noise and inlined muxer negotiation).
public struct NoiseExtensions: Hashable, Sendable {
    /// Multihashes of the certificates of a WebTransport server.
    public var webtransportCertificateHashes: [[UInt8]]
    /// The multiplexers that the sender offers, the preferred one first.
    public var streamMuxers: [String]

    public init(webtransportCertificateHashes: [[UInt8]] = [], streamMuxers: [String] = []) {
        self.webtransportCertificateHashes = webtransportCertificateHashes
        self.streamMuxers = streamMuxers
    }

    init(_ message: Oxbow__NoiseExtensions) throws(WireError) {
        let limit = NoiseHandshakePayload.maximumExtensionEntries
        webtransportCertificateHashes = try elements(
            message.webtransport_certhashes, message.n_webtransport_certhashes,
            of: "the Noise certificate hashes", limit: limit
        ).map(\.bytes)
        streamMuxers = try elements(
            message.stream_muxers, message.n_stream_muxers, of: "the Noise multiplexers", limit: limit
        ).map { (name) throws(WireError) in try name.text("Noise multiplexer") }
    }

    func message(in arena: inout PackArena) -> UnsafeMutablePointer<Oxbow__NoiseExtensions> {
        var message = Oxbow__NoiseExtensions()
        oxbow__noise_extensions__init(&message)
        message.n_webtransport_certhashes = webtransportCertificateHashes.count
        message.webtransport_certhashes = arena.list(webtransportCertificateHashes.map { arena.bytes($0) })
        message.n_stream_muxers = streamMuxers.count
        message.stream_muxers = arena.list(streamMuxers.map { arena.text($0) })
        return arena.list([message])
    }
}
