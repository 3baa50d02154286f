public import OxbowCore
public import OxbowWire

/// Why a signed envelope, or the record in it, isn't to be believed.
public enum EnvelopeError: Error, Hashable, Sendable {
    /// Not an envelope, or its payload isn't the message that it should be.
    case wire(WireError)
    /// The envelope's key isn't one.
    case key(KeyError)
    /// It holds something else than what is wanted here.
    case wrongPayloadType([UInt8])
    /// It is another peer's.
    case wrongSigner(expected: PeerID, actual: PeerID)
    /// The signature isn't the key's over this domain, type and payload.
    case badSignature
    /// The record's peer isn't named by a valid id.
    case peerID(PeerIDError)
    /// The record speaks for a peer that didn't sign it (RUSTSEC-2022-0009).
    case recordOfAnother(peer: PeerID, signer: PeerID)
}

extension EnvelopeError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .wire(let error): "not a signed envelope: \(error)"
        case .key(let error): "the envelope's key is unusable: \(error)"
        case .wrongPayloadType(let type): "the envelope holds another type of payload (\(type))"
        case .wrongSigner(let expected, let actual): "the envelope was signed by \(actual), not by \(expected)"
        case .badSignature: "the envelope's signature is wrong"
        case .peerID(let error): "the record names no valid peer: \(error)"
        case .recordOfAnother(let peer, let signer): "the record speaks for \(peer), but \(signer) signed it"
        }
    }
}

/// A payload with the key that signed it, verified (libp2p specs, RFC 0002).
///
/// There is no way to have one with a wrong signature: it is either sealed with a private key or opened with a check.
public struct SignedEnvelope: Hashable, Sendable {
    /// The key that signed it.
    public let publicKey: PublicKey
    /// A multicodec that says what the payload is.
    public let payloadType: [UInt8]
    public let payload: [UInt8]
    /// The signature over the domain, the type and the payload.
    public let signature: [UInt8]

    /// Signs `payload`.
    ///
    /// - Parameters:
    ///   - payload: the content.
    ///   - payloadType: a multicodec that says what it is.
    ///   - domain: what the signature is for; it can't be used for anything else.
    ///   - key: the signer's key.
    public init(
        sealing payload: [UInt8], payloadType: [UInt8], domain: String, with key: PrivateKey
    ) throws(CryptoError) {
        self.publicKey = key.publicKey
        self.payloadType = payloadType
        self.payload = payload
        signature = try key.sign(Self.signedBytes(domain, payloadType, payload))
    }

    /// Opens an envelope and verifies it.
    ///
    /// - Parameters:
    ///   - envelope: what ``encoded()`` gave; at most 8 KiB.
    ///   - payloadType: the type that must be in it.
    ///   - domain: what the signature must be for.
    ///   - signer: who must have signed it; nil when anybody may have.
    ///   - memory: knows the signatures that have held; nil verifies each time.
    public init(
        opening envelope: some Collection<UInt8>, payloadType: [UInt8], domain: String, from signer: PeerID?,
        remembering memory: (any SignatureMemory)? = nil
    ) throws(EnvelopeError) {
        let message: SignedEnvelopeMessage
        do { message = try SignedEnvelopeMessage(decoding: Array(envelope)) } catch { throw .wire(error) }
        guard message.payloadType == payloadType else { throw .wrongPayloadType(message.payloadType) }
        do { publicKey = try PublicKey(protobuf: message.publicKey) } catch { throw .key(error) }
        if let signer, signer != publicKey.peerID {
            throw .wrongSigner(expected: signer, actual: publicKey.peerID)
        }
        let signed = Self.signedBytes(domain, payloadType, message.payload)
        guard publicKey.isValidSignature(message.signature, over: signed, remembering: memory) else {
            throw .badSignature
        }
        self.payloadType = payloadType
        payload = message.payload
        signature = message.signature
    }

    /// The envelope as it goes over the wire.
    public func encoded() -> [UInt8] {
        SignedEnvelopeMessage(
            publicKey: publicKey.protobuf, payloadType: payloadType, payload: payload, signature: signature
        ).encoded()
    }

    /// Each part behind its length, so that no two different triples give the same bytes (RFC 0002).
    static func signedBytes(_ domain: String, _ payloadType: [UInt8], _ payload: [UInt8]) -> [UInt8] {
        LengthDelimited.encode(domain.utf8) + LengthDelimited.encode(payloadType) + LengthDelimited.encode(payload)
    }
}
