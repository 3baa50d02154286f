import COpenSSL
import COpenSSLShim
import OxbowWire

/// A peer's own key pair (libp2p specs, peer-ids).
public struct PrivateKey: Sendable {
    /// The public half.
    public let publicKey: PublicKey
    /// As the key message carries it: seed and public key for Ed25519, the scalar for secp256k1, an ECPrivateKey in
    /// DER for ECDSA, an RSAPrivateKey in DER for RSA.
    private let data: [UInt8]
    let key: EVPKey

    /// Of which kind the pair is; the kind decides how its signatures look.
    public var type: KeyType { publicKey.type }

    /// The key message. It is secret.
    public var protobuf: [UInt8] {
        PrivateKeyMessage(type: type.rawValue, data: data).encoded()
    }

    /// Reads a key message, and makes certain that both halves belong together.
    public init(protobuf: some Collection<UInt8>) throws(KeyError) {
        let message: PrivateKeyMessage
        do { message = try PrivateKeyMessage(decoding: Array(protobuf)) } catch { throw .wire(error) }
        guard let type = KeyType(rawValue: message.type) else { throw .unknownType(message.type) }
        try self.init(type: type, data: message.data)
    }

    private init(type: KeyType, data: [UInt8]) throws(KeyError) {
        switch type {
        case .ed25519: try self.init(ed25519: data)
        case .secp256k1: try self.init(secp256k1: data)
        case .ecdsa: try self.init(ecdsa: data)
        case .rsa: try self.init(rsa: data)
        }
    }

    /// 64 bytes: seed and public key. The old form of 96 has the public key twice.
    private init(ed25519 data: [UInt8]) throws(KeyError) {
        guard data.count == 64 || data.count == 96 else { throw .malformed(.ed25519) }
        let pointer = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, data, 32)
        guard let pointer else { throw .crypto(OpenSSL.failure("take an Ed25519 key")) }
        key = EVPKey(pointer)
        let raw = try KeyError.wrapping { [key] () throws(CryptoError) in try key.rawPublicKey() }
        let copies = [data[32..<64], data[64...]].filter { !$0.isEmpty }
        guard copies.allSatisfy({ $0.elementsEqual(raw) }) else { throw .mismatchedHalves(.ed25519) }
        publicKey = try PublicKey(type: .ed25519, data: raw)
        self.data = Array(data[..<64])
    }

    private init(secp256k1 data: [UInt8]) throws(KeyError) {
        guard data.count == 32, let pointer = oxbow_ec_key_pair(NamedCurve.secp256k1.name, data, data.count) else {
            _ = OpenSSL.failure("take a secp256k1 key")
            throw .malformed(.secp256k1)
        }
        key = EVPKey(pointer)
        publicKey = try PublicKey(type: .secp256k1, data: key.point(of: .secp256k1, compressed: true))
        self.data = data
    }

    private init(ecdsa data: [UInt8]) throws(KeyError) {
        let stored = try Self.decode(data, EVP_PKEY_EC, "EC", .ecdsa)
        guard let curve = stored.ecdsaCurve else { throw .malformed(.ecdsa) }
        let scalar = try stored.scalar(of: curve)
        // libcrypto takes the stored point at its word, so the pair is made anew from the scalar.
        guard let pointer = oxbow_ec_key_pair(curve.name, scalar, scalar.count) else {
            _ = OpenSSL.failure("take an ECDSA key")
            throw .malformed(.ecdsa)
        }
        key = EVPKey(pointer)
        let point = try key.point(of: curve, compressed: false)
        guard try stored.point(of: curve, compressed: false) == point else { throw .mismatchedHalves(.ecdsa) }
        publicKey = try PublicKey(type: .ecdsa, data: curve.header + point)
        self.data = try key.encode("write an ECDSA key", i2d_PrivateKey)
    }

    private init(rsa data: [UInt8]) throws(KeyError) {
        key = try Self.decode(data, EVP_PKEY_RSA, "RSA", .rsa)
        // The size is judged here, on the public half, before the first private operation.
        publicKey = try PublicKey(type: .rsa, data: key.encode("write an RSA key", i2d_PUBKEY))
        self.data = try key.encode("write an RSA key", i2d_PrivateKey)
        let probe: [UInt8] = [1, 2, 3]
        guard let signature = try? sign(probe), publicKey.isValidSignature(signature, over: probe) else {
            throw .mismatchedHalves(.rsa)
        }
    }

    /// Decodes what is all of `data`.
    private static func decode(
        _ data: [UInt8], _ type: Int32, _ name: String, _ keyType: KeyType
    ) throws(KeyError) -> EVPKey {
        let (pointer, used) = data.withUnsafeBufferPointer { data in
            var position = data.baseAddress
            let pointer = d2i_PrivateKey(type, nil, &position, data.count)
            return (pointer, data.baseAddress.flatMap { start in position.map { $0 - start } } ?? 0)
        }
        let key = pointer.map(EVPKey.init)
        // Decoders that were tried in vain leave their errors even when another one succeeds.
        ERR_clear_error()
        guard let key, used == data.count, EVP_PKEY_is_a(key.pointer, name) == 1 else { throw .malformed(keyType) }
        return key
    }
}

extension PrivateKey {
    /// A new random key pair.
    ///
    /// - Parameters:
    ///   - type: ECDSA keys are on P-256.
    ///   - rsaBits: the size of an RSA key, within ``KeyType/rsaBits``. The large ones take seconds.
    public static func generate(_ type: KeyType, rsaBits: Int = 2_048) throws(KeyError) -> PrivateKey {
        precondition(KeyType.rsaBits.contains(rsaBits), "an RSA key has 2,048 to 8,192 bits")
        let data: [UInt8]
        switch type {
        case .ed25519:
            data = try KeyError.wrapping { () throws(CryptoError) in
                let key = try EVPKey.generate("ED25519")
                return try key.rawPrivateKey() + key.rawPublicKey()
            }
        case .secp256k1:
            data = try generate(on: .secp256k1).scalar(of: .secp256k1)
        case .ecdsa:
            data = try generate(on: NamedCurve.ecdsa[0]).encode("write a new key", i2d_PrivateKey)
        case .rsa:
            let key = try KeyError.wrapping { () throws(CryptoError) in
                try EVPKey.generate("RSA") { EVP_PKEY_CTX_set_rsa_keygen_bits($0, Int32(rsaBits)) == 1 }
            }
            data = try key.encode("write a new key", i2d_PrivateKey)
        }
        return try PrivateKey(type: type, data: data)
    }

    private static func generate(on curve: NamedCurve) throws(KeyError) -> EVPKey {
        try KeyError.wrapping { () throws(CryptoError) in
            try EVPKey.generate("EC") { EVP_PKEY_CTX_set_group_name($0, curve.name) == 1 }
        }
    }

    /// This key's signature over `message`, in the form of ``PublicKey/isValidSignature(_:over:)``.
    ///
    /// A secp256k1 signature has the lower of the two values of s (BIP 62): some peers refuse the higher one.
    public func sign(_ message: some Collection<UInt8>) throws(CryptoError) -> [UInt8] {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        var length = Int(EVP_PKEY_get_size(key.pointer))
        var signature = [UInt8](repeating: 0, count: length)
        let done = withBytes(of: message) { message in
            EVP_DigestSignInit_ex(context, nil, type.digest, nil, nil, key.pointer, nil) == 1
                && EVP_DigestSign(context, &signature, &length, message.baseAddress, message.count) == 1
        }
        guard done else { throw OpenSSL.failure("sign") }
        if type == .secp256k1 {
            length = oxbow_ecdsa_low_s(key.pointer, &signature, length)
            guard length > 0 else { throw OpenSSL.failure("normalise a signature") }
        }
        return Array(signature.prefix(length))
    }
}

extension PrivateKey: CustomStringConvertible {
    /// Never shows the private half.
    public var description: String { "PrivateKey(\(publicKey), redacted)" }
}

extension EVPKey {
    /// The curve of an EC key, when ECDSA keys may be on it.
    fileprivate var ecdsaCurve: NamedCurve? {
        var name = [CChar](repeating: 0, count: 80)
        guard EVP_PKEY_get_group_name(pointer, &name, name.count, nil) == 1 else {
            ERR_clear_error()
            return nil
        }
        return NamedCurve.ecdsa.first { curve in
            curve.name.utf8.elementsEqual(name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
        }
    }

    fileprivate func encode(
        _ operation: String,
        _ encode: (OpaquePointer?, UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32
    ) throws(KeyError) -> [UInt8] {
        try KeyError.wrapping { () throws(CryptoError) in try OpenSSL.der(operation) { encode(pointer, $0) } }
    }
}
