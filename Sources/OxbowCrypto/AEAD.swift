import COpenSSL

/// A ChaCha20-Poly1305 key (RFC 8439) with Noise's nonces: four zero bytes, then the counter in little endian.
///
/// It owns one cipher context; from record to record only the nonce changes, so the key schedule is set up once.
/// The caller counts the nonces and must never seal twice with the same one.
public struct ChaCha20Poly1305Key: ~Copyable, Sendable {
    /// The length of a key in bytes.
    public static let keyLength = 32
    /// How much longer a ciphertext is than its plaintext, in bytes.
    public static let tagLength = AEADContext.tagLength

    nonisolated(unsafe) static let cipher = EVP_CIPHER_fetch(nil, "ChaCha20-Poly1305", nil)
    private var context: AEADContext

    /// - Parameter key: ``keyLength`` bytes.
    /// - Throws: ``CryptoError/badKeyLength(expected:actual:)``, or libcrypto's own failure.
    public init(key: [UInt8]) throws(CryptoError) {
        context = try AEADContext(Self.cipher, key: key)
    }

    /// Encrypts and authenticates.
    ///
    /// - Parameters:
    ///   - nonce: the counter; never the same twice for one key.
    ///   - aad: what is authenticated with it but not encrypted.
    ///   - plaintext: it may start where `output` starts (in place), or else must not overlap it.
    ///   - output: gets the ciphertext and the tag: `plaintext.count + tagLength` bytes are written.
    public mutating func seal(
        nonce: UInt64, aad: UnsafeRawBufferPointer = .empty, plaintext: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(CryptoError) {
        try context.seal(Nonce(littleEndian: nonce), aad, plaintext, output)
    }

    /// Verifies and decrypts.
    ///
    /// - Parameters:
    ///   - nonce: the counter that the sender used.
    ///   - aad: what the sender authenticated with it.
    ///   - ciphertextAndTag: it may start where `output` starts (in place), or else must not overlap it.
    ///   - output: gets the plaintext, `ciphertextAndTag.count - tagLength` bytes.
    /// - Returns: the length of the plaintext.
    /// - Throws: ``CryptoError/authenticationFailed``; `output` then holds zeros, never an unverified plaintext.
    public mutating func open(
        nonce: UInt64, aad: UnsafeRawBufferPointer = .empty, ciphertextAndTag: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(CryptoError) -> Int {
        try context.open(Nonce(littleEndian: nonce), aad, ciphertextAndTag, output)
    }

    /// ``seal(nonce:aad:plaintext:into:)`` for what isn't worth saving a copy.
    public mutating func seal(
        nonce: UInt64, aad: [UInt8] = [], plaintext: some Collection<UInt8>
    ) throws(CryptoError) -> [UInt8] {
        try context.seal(Nonce(littleEndian: nonce), aad, plaintext)
    }

    /// ``open(nonce:aad:ciphertextAndTag:into:)`` for what isn't worth saving a copy.
    public mutating func open(
        nonce: UInt64, aad: [UInt8] = [], ciphertextAndTag: some Collection<UInt8>
    ) throws(CryptoError) -> [UInt8] {
        try context.open(Nonce(littleEndian: nonce), aad, ciphertextAndTag)
    }
}

/// An AES-256-GCM key with Noise's nonces: four zero bytes, then the counter in big endian. In everything else it is
/// like ``ChaCha20Poly1305Key``.
public struct AES256GCMKey: ~Copyable, Sendable {
    /// The length of a key in bytes.
    public static let keyLength = 32
    /// How much longer a ciphertext is than its plaintext, in bytes.
    public static let tagLength = AEADContext.tagLength

    nonisolated(unsafe) static let cipher = EVP_CIPHER_fetch(nil, "AES-256-GCM", nil)
    private var context: AEADContext

    /// - Parameter key: ``keyLength`` bytes.
    /// - Throws: ``CryptoError/badKeyLength(expected:actual:)``, or libcrypto's own failure.
    public init(key: [UInt8]) throws(CryptoError) {
        context = try AEADContext(Self.cipher, key: key)
    }

    /// As ``ChaCha20Poly1305Key/seal(nonce:aad:plaintext:into:)``.
    public mutating func seal(
        nonce: UInt64, aad: UnsafeRawBufferPointer = .empty, plaintext: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(CryptoError) {
        try context.seal(Nonce(littleEndian: nonce.byteSwapped), aad, plaintext, output)
    }

    /// As ``ChaCha20Poly1305Key/open(nonce:aad:ciphertextAndTag:into:)``.
    public mutating func open(
        nonce: UInt64, aad: UnsafeRawBufferPointer = .empty, ciphertextAndTag: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(CryptoError) -> Int {
        try context.open(Nonce(littleEndian: nonce.byteSwapped), aad, ciphertextAndTag, output)
    }
}

extension UnsafeRawBufferPointer {
    /// No bytes: no additional data.
    public static var empty: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }
}

/// Twelve bytes without padding.
struct Nonce {
    var words: (UInt32, UInt32, UInt32)

    /// A fixed part of `prefix` in its first four bytes, `counter` in little endian behind it.
    init(prefix: UInt32 = 0, littleEndian counter: UInt64) {
        words = (
            prefix.littleEndian, UInt32(truncatingIfNeeded: counter).littleEndian,
            UInt32(truncatingIfNeeded: counter >> 32).littleEndian
        )
    }
}
