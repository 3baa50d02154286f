internal import OxbowCrypto

/// The CipherState of the Noise specification (section 5.1): a key, and the number of the next message.
struct NoiseCipher: ~Copyable, Sendable {
    /// Reserved by the specification for rekeying, which libp2p doesn't use.
    private static let reservedNonce = UInt64.max

    private var key: ChaCha20Poly1305Key
    private var nonce: UInt64

    /// `firstNonce` is zero but in tests.
    init(key: [UInt8], firstNonce: UInt64 = 0) throws(SecurityError) {
        do {
            self.key = try ChaCha20Poly1305Key(key: key)
        } catch {
            throw SecurityError(error)
        }
        nonce = firstNonce
    }

    /// Writes the ciphertext and its tag to `output`, which has 16 bytes more than `plaintext`. The two are apart, or
    /// start at the same byte.
    mutating func seal(
        _ plaintext: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(SecurityError) {
        guard nonce < Self.reservedNonce else { throw .noncesExhausted }
        do {
            try key.seal(nonce: nonce, plaintext: plaintext, into: output)
        } catch {
            throw SecurityError(error)
        }
        nonce += 1
    }

    /// Decrypts `record`, ciphertext and tag, to the front of `output` and gives the count of plaintext. The two are
    /// apart, or start at the same byte.
    ///
    /// The number advances only when the tag has verified: whoever injects a record can't make the next one unreadable
    /// (RUSTSEC-2024-0011).
    mutating func open(
        _ record: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(SecurityError) -> Int {
        guard nonce < Self.reservedNonce else { throw .noncesExhausted }
        let count: Int
        do {
            count = try key.open(nonce: nonce, ciphertextAndTag: record, into: output)
        } catch {
            throw SecurityError(error)
        }
        nonce += 1
        return count
    }

    /// As ``seal(_:into:)``, for a part of a handshake message.
    mutating func seal(_ plaintext: [UInt8], associatedData: [UInt8]) throws(SecurityError) -> [UInt8] {
        guard nonce < Self.reservedNonce else { throw .noncesExhausted }
        let ciphertext: [UInt8]
        do {
            ciphertext = try key.seal(nonce: nonce, aad: associatedData, plaintext: plaintext)
        } catch {
            throw SecurityError(error)
        }
        nonce += 1
        return ciphertext
    }

    /// As ``open(_:into:)``, for a part of a handshake message.
    mutating func open(_ ciphertext: ArraySlice<UInt8>, associatedData: [UInt8]) throws(SecurityError) -> [UInt8] {
        guard nonce < Self.reservedNonce else { throw .noncesExhausted }
        let plaintext: [UInt8]
        do {
            plaintext = try key.open(nonce: nonce, aad: associatedData, ciphertextAndTag: ciphertext)
        } catch {
            throw SecurityError(error)
        }
        nonce += 1
        return plaintext
    }
}

extension SecurityError {
    /// What a failure of the cryptography below means for the channel.
    init(_ error: CryptoError) {
        switch error {
        case .authenticationFailed: self = .decryptionFailed
        case .zeroSharedSecret: self = .weakKey
        default: self = .local("\(error)")
        }
    }
}
