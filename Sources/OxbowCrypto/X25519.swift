import COpenSSL

/// A key pair for X25519 Diffie-Hellman (RFC 7748).
public struct X25519PrivateKey: Sendable {
    /// The length of either half, and of a shared secret, in bytes.
    public static let length = 32

    private let key: EVPKey
    /// The public half, 32 bytes.
    public let publicKey: [UInt8]

    private init(_ key: EVPKey) throws(CryptoError) {
        self.key = key
        publicKey = try key.rawPublicKey()
    }

    /// A new random key pair.
    public static func generate() throws(CryptoError) -> X25519PrivateKey {
        try X25519PrivateKey(EVPKey.generate("X25519"))
    }

    /// The key pair of a private half of 32 bytes.
    public init(raw: [UInt8]) throws(CryptoError) {
        guard raw.count == Self.length else {
            throw .badKeyLength(expected: Self.length, actual: raw.count)
        }
        guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nil, raw, raw.count) else {
            throw OpenSSL.failure("take an X25519 key")
        }
        try self.init(EVPKey(key))
    }

    /// The private half, 32 bytes.
    public func raw() throws(CryptoError) -> [UInt8] {
        try key.rawPrivateKey()
    }

    /// The secret that is shared with the owner of `publicKey`, 32 bytes.
    ///
    /// - Throws: ``CryptoError/badKeyLength(expected:actual:)`` unless it has 32 bytes,
    ///   ``CryptoError/zeroSharedSecret`` when it is of low order.
    public func sharedSecret(with publicKey: some Collection<UInt8>) throws(CryptoError) -> [UInt8] {
        guard publicKey.count == Self.length else {
            throw .badKeyLength(expected: Self.length, actual: publicKey.count)
        }
        let peer = withBytes(of: publicKey) {
            EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nil, $0.baseAddress, $0.count)
        }
        defer { EVP_PKEY_free(peer) }
        let context = EVP_PKEY_CTX_new_from_pkey(nil, key.pointer, nil)
        defer { EVP_PKEY_CTX_free(context) }
        guard let peer, let context, EVP_PKEY_derive_init(context) == 1, EVP_PKEY_derive_set_peer(context, peer) == 1
        else { throw OpenSSL.failure("prepare an X25519 exchange") }

        var length = Self.length
        var secret = [UInt8](repeating: 0, count: length)
        // With both keys accepted a zero result is the only failure that is left; libcrypto looks for it as well.
        guard EVP_PKEY_derive(context, &secret, &length) == 1, length == secret.count,
            secret.reduce(0, |) != 0
        else {
            _ = OpenSSL.failure("derive a shared secret")
            throw .zeroSharedSecret
        }
        return secret
    }
}

extension X25519PrivateKey: CustomStringConvertible {
    /// Never shows the private half.
    public var description: String { "X25519PrivateKey(redacted)" }
}
