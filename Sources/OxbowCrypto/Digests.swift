import COpenSSL

// Hashes fail only when memory is out, which no Swift program survives: so they trap instead of throwing.

/// SHA-256 (FIPS 180-4).
public enum SHA256 {
    /// The digest's length in bytes.
    public static let length = 32

    fileprivate nonisolated(unsafe) static let algorithm = EVP_MD_fetch(nil, "SHA2-256", nil)

    /// The digest of `bytes`.
    public static func hash(_ bytes: some Collection<UInt8>) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: length) { digest, count in
            let done = withBytes(of: bytes) {
                EVP_Digest($0.baseAddress, $0.count, digest.baseAddress, nil, algorithm, nil)
            }
            precondition(done == 1, "libcrypto can't compute SHA-256")
            count = length
        }
    }
}

/// SHA-256 of what comes in pieces.
public struct SHA256Stream: ~Copyable, Sendable {
    // Owned by this value alone: it can't be copied, and each of its methods needs exclusive access.
    private nonisolated(unsafe) let context: OpaquePointer

    /// The digest of nothing, to begin with.
    public init() {
        let context = EVP_MD_CTX_new()
        precondition(EVP_DigestInit_ex2(context, SHA256.algorithm, nil) == 1, "libcrypto can't compute SHA-256")
        guard let context else { preconditionFailure("out of memory") }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Takes the next bytes.
    public mutating func update(_ bytes: some Collection<UInt8>) {
        let done = withBytes(of: bytes) { EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
        precondition(done == 1, "libcrypto can't compute SHA-256")
    }

    /// The digest of everything that was taken. The value goes on from there.
    public func digest() -> [UInt8] {
        let copy = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(copy) }
        return [UInt8](unsafeUninitializedCapacity: SHA256.length) { digest, count in
            let done =
                EVP_MD_CTX_copy_ex(copy, context) == 1 && EVP_DigestFinal_ex(copy, digest.baseAddress, nil) == 1
            precondition(done, "libcrypto can't compute SHA-256")
            count = SHA256.length
        }
    }
}

/// HMAC with SHA-256 (RFC 2104).
public enum HMACSHA256 {
    /// The code of `message` under `key`, 32 bytes.
    public static func code(for message: some Collection<UInt8>, key: some Collection<UInt8>) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: SHA256.length) { code, count in
            let result = withBytes(of: key) { key in
                withBytes(of: message) { message in
                    EVP_Q_mac(
                        nil, "HMAC", nil, "SHA2-256", nil, key.baseAddress, key.count, message.baseAddress,
                        message.count, code.baseAddress, code.count, &count)
                }
            }
            precondition(result != nil && count == SHA256.length, "libcrypto can't compute HMAC")
        }
    }
}

/// HKDF with SHA-256 (RFC 5869), and the two shapes of it that Noise uses.
public enum HKDFSHA256 {
    /// Key material of `length` bytes, at most 255 · 32.
    public static func derive(
        from secret: some Collection<UInt8>, salt: some Collection<UInt8>, info: some Collection<UInt8>, length: Int
    ) -> [UInt8] {
        precondition((0...255 * SHA256.length).contains(length), "HKDF gives at most 8,160 bytes")
        // RFC 5869 section 2.2: no salt means as many zeros as a hash has bytes.
        let salt = salt.isEmpty ? [UInt8](repeating: 0, count: SHA256.length) : Array(salt)
        let key = HMACSHA256.code(for: secret, key: salt)
        var output: [UInt8] = []
        var block: [UInt8] = []
        var index: UInt8 = 0
        while output.count < length {
            index += 1
            block = HMACSHA256.code(for: block + info + [index], key: key)
            output += block
        }
        return Array(output.prefix(length))
    }

    /// Noise's HKDF with two outputs (Noise specification, section 4.3): a new chaining key and a key.
    public static func hkdf2(chainingKey: [UInt8], input: some Collection<UInt8>) -> ([UInt8], [UInt8]) {
        let output = derive(from: input, salt: chainingKey, info: [], length: 64)
        return (Array(output[..<32]), Array(output[32...]))
    }

    /// Noise's HKDF with three outputs (Noise specification, section 4.3).
    public static func hkdf3(chainingKey: [UInt8], input: some Collection<UInt8>) -> ([UInt8], [UInt8], [UInt8]) {
        let output = derive(from: input, salt: chainingKey, info: [], length: 96)
        return (Array(output[..<32]), Array(output[32..<64]), Array(output[64...]))
    }
}

/// Random numbers for keys, from libcrypto's generator.
public enum SecureRandom {
    /// `count` random bytes.
    public static func bytes(_ count: Int) throws(CryptoError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard let size = Int32(exactly: count), RAND_bytes(&bytes, size) == 1 else {
            throw OpenSSL.failure("get random bytes")
        }
        return bytes
    }

    /// A number of which all 64 bits are random.
    public static func uint64() throws(CryptoError) -> UInt64 {
        try bytes(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
