import COpenSSL
import COpenSSLShim
public import OxbowCore
import OxbowWire

/// A peer's public key (libp2p specs, peer-ids): what its id is made from and its signatures are checked with.
public struct PublicKey: Hashable, Sendable {
    public let type: KeyType
    /// The key as its message carries it: 32 bytes for Ed25519, a compressed point of 33 for secp256k1, a
    /// SubjectPublicKeyInfo in DER for ECDSA and RSA.
    public let data: [UInt8]
    let key: EVPKey

    /// Reads a key message. It must be canonical: else one key would have several ids.
    public init(protobuf: some Collection<UInt8>) throws(KeyError) {
        let bytes = Array(protobuf)
        let message: PublicKeyMessage
        do { message = try PublicKeyMessage(decoding: bytes) } catch { throw .wire(error) }
        guard message.encoded() == bytes else { throw .notCanonical }
        guard let type = KeyType(rawValue: message.type) else { throw .unknownType(message.type) }
        try self.init(type: type, data: message.data)
    }

    /// Takes a key from what its message's data would be. A secp256k1 point may be uncompressed as well.
    public init(type: KeyType, data: [UInt8]) throws(KeyError) {
        self.type = type
        switch type {
        case .ed25519:
            guard data.count == 32, !LowOrderPoints.contain(data) else { throw .malformed(type) }
            key = try Self.checked(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, data, data.count), type)
            self.data = data
        case .secp256k1:
            let isPoint = (data.count == 33 && (data[0] == 2 || data[0] == 3)) || (data.count == 65 && data[0] == 4)
            guard isPoint else { throw .malformed(type) }
            key = try Self.checked(oxbow_ec_public_key(NamedCurve.secp256k1.name, data, data.count), type)
            self.data = try key.point(of: .secp256k1, compressed: true)
        case .ecdsa:
            guard let (curve, point) = NamedCurve.point(in: data) else { throw .malformed(type) }
            let key = point.withUnsafeBufferPointer { point in
                point.baseAddress.flatMap { oxbow_ec_public_key(curve.name, $0, point.count) }
            }
            self.key = try Self.checked(key, type)
            self.data = data
        case .rsa:
            let numbers = try RSANumbers(subjectPublicKeyInfo: data)
            let (modulus, exponent) = (Array(numbers.modulus), Array(numbers.exponent))
            key = try Self.checked(oxbow_rsa_public_key(modulus, modulus.count, exponent, exponent.count), type)
            self.data = data
        }
    }

    /// libcrypto refuses a point that isn't on its curve.
    private static func checked(_ key: OpaquePointer?, _ type: KeyType) throws(KeyError) -> EVPKey {
        guard let key else {
            _ = OpenSSL.failure("take a public key")
            throw .malformed(type)
        }
        return EVPKey(key)
    }

    /// The key message, in its canonical form.
    public var protobuf: [UInt8] {
        PublicKeyMessage(type: type.rawValue, data: data).encoded()
    }

    /// The id of the peer that has this key.
    public var peerID: PeerID {
        PeerID(publicKeyMessage: protobuf, sha256: SHA256.hash)
    }

    /// Whether `signature` is this key's over `message`: Ed25519 (RFC 8032), ECDSA in DER over SHA-256, or RSA
    /// PKCS #1 v1.5 over SHA-256.
    public func isValidSignature(_ signature: some Collection<UInt8>, over message: some Collection<UInt8>) -> Bool {
        guard !signature.isEmpty else { return false }
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestVerifyInit_ex(context, nil, type.digest, nil, nil, key.pointer, nil) == 1 else {
            ERR_clear_error()
            return false
        }
        let verdict = withBytes(of: signature) { signature in
            withBytes(of: message) { message in
                EVP_DigestVerify(context, signature.baseAddress, signature.count, message.baseAddress, message.count)
            }
        }
        if verdict != 1 { ERR_clear_error() }
        return verdict == 1
    }

    public static func == (lhs: PublicKey, rhs: PublicKey) -> Bool {
        lhs.type == rhs.type && lhs.data == rhs.data
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(type)
        hasher.combine(data)
    }
}

extension PublicKey: CustomStringConvertible {
    public var description: String { "\(type) key of \(peerID)" }
}

extension KeyType {
    /// The hash of what is signed; Ed25519 has its own.
    var digest: String? { self == .ed25519 ? nil : "SHA2-256" }
}

extension EVPKey {
    /// The point of an EC key on `curve`.
    func point(of curve: NamedCurve, compressed: Bool) throws(KeyError) -> [UInt8] {
        let size = compressed ? 1 + curve.size : curve.pointSize
        var point = [UInt8](repeating: 0, count: size)
        guard oxbow_ec_point(pointer, compressed ? 1 : 0, &point, size) == size else {
            throw .crypto(OpenSSL.failure("read an EC point"))
        }
        return point
    }

    /// The scalar of an EC key pair on `curve`.
    func scalar(of curve: NamedCurve) throws(KeyError) -> [UInt8] {
        var scalar = [UInt8](repeating: 0, count: curve.size)
        guard oxbow_ec_scalar(pointer, &scalar, scalar.count) == 1 else {
            throw .crypto(OpenSSL.failure("read an EC scalar"))
        }
        return scalar
    }
}
