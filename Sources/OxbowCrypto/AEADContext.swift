import COpenSSL

/// A cipher context of libcrypto that has its key, for either direction.
struct AEADContext: ~Copyable, @unchecked Sendable {
    static let tagLength = 16

    private let context: OpaquePointer

    init(_ cipher: OpaquePointer?, key: [UInt8]) throws(CryptoError) {
        guard key.count == 32 else { throw .badKeyLength(expected: 32, actual: key.count) }
        guard let context = EVP_CIPHER_CTX_new() else { throw OpenSSL.failure("make a cipher context") }
        guard EVP_CipherInit_ex2(context, cipher, key, nil, 1, nil) == 1 else {
            EVP_CIPHER_CTX_free(context)
            throw OpenSSL.failure("set a cipher's key")
        }
        self.context = context
    }

    deinit {
        EVP_CIPHER_CTX_free(context)
    }

    mutating func seal(
        _ nonce: Nonce, _ aad: UnsafeRawBufferPointer, _ plaintext: UnsafeRawBufferPointer,
        _ output: UnsafeMutableRawBufferPointer
    ) throws(CryptoError) {
        precondition(output.count >= plaintext.count + Self.tagLength, "no room for the ciphertext and its tag")
        guard let ciphertext = output.baseAddress else { return }
        Self.checkOverlap(plaintext, output, plaintext.count + Self.tagLength)
        let tag = ciphertext + plaintext.count
        var length: Int32 = 0
        guard start(nonce, encrypt: 1), update(nil, aad), update(ciphertext, plaintext),
            EVP_CipherFinal_ex(context, tag, &length) == 1,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagLength), tag) == 1
        else { throw OpenSSL.failure("encrypt") }
    }

    mutating func open(
        _ nonce: Nonce, _ aad: UnsafeRawBufferPointer, _ input: UnsafeRawBufferPointer,
        _ output: UnsafeMutableRawBufferPointer
    ) throws(CryptoError) -> Int {
        let count = input.count - Self.tagLength
        guard count >= 0 else { throw .authenticationFailed }
        precondition(output.count >= count, "no room for the plaintext")
        Self.checkOverlap(input, output, count)
        // libcrypto copies the tag, which it wants as mutable memory.
        let tag = UnsafeMutableRawPointer(mutating: input.baseAddress).map { $0 + count }
        // With nothing to decrypt the output may be nowhere, which would mean additional data to libcrypto.
        let ciphertext = UnsafeRawBufferPointer(rebasing: input.prefix(count))
        guard start(nonce, encrypt: 0),
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagLength), tag) == 1,
            update(nil, aad), update(output.baseAddress, ciphertext)
        else {
            Self.wipe(output, count)
            throw OpenSSL.failure("decrypt")
        }
        var length: Int32 = 0
        var nothing: UInt8 = 0
        guard EVP_CipherFinal_ex(context, &nothing, &length) == 1 else {
            Self.wipe(output, count)
            ERR_clear_error()
            throw .authenticationFailed
        }
        return count
    }

    private func start(_ nonce: Nonce, encrypt: Int32) -> Bool {
        withUnsafeBytes(of: nonce.words) {
            EVP_CipherInit_ex2(context, nil, nil, $0.baseAddress, encrypt, nil) == 1
        }
    }

    private func update(_ output: UnsafeMutableRawPointer?, _ input: UnsafeRawBufferPointer) -> Bool {
        guard !input.isEmpty else { return true }
        guard let size = Int32(exactly: input.count) else { return false }
        var length: Int32 = 0
        return EVP_CipherUpdate(context, output, &length, input.baseAddress, size) == 1 && length == size
    }

    /// `size` is how many bytes of the output are going to be written.
    private static func checkOverlap(
        _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer, _ size: Int
    ) {
        guard let source = input.baseAddress, let target = output.baseAddress.map(UnsafeRawPointer.init) else { return }
        precondition(
            source == target || source + input.count <= target || target + size <= source,
            "the buffers must start together or not overlap")
    }

    private static func wipe(_ output: UnsafeMutableRawBufferPointer, _ count: Int) {
        guard let start = output.baseAddress else { return }
        OPENSSL_cleanse(start, count)
    }
}

extension AEADContext {
    mutating func seal(
        _ nonce: Nonce, _ aad: [UInt8], _ plaintext: some Collection<UInt8>
    ) throws(CryptoError) -> [UInt8] {
        var output = Array(plaintext)
        output.append(contentsOf: repeatElement(0, count: Self.tagLength))
        let count = output.count - Self.tagLength
        try Self.withBuffers(&output, aad) { (buffer, aad) throws(CryptoError) in
            try seal(nonce, aad, UnsafeRawBufferPointer(rebasing: buffer.prefix(count)), buffer)
        }
        return output
    }

    mutating func open(
        _ nonce: Nonce, _ aad: [UInt8], _ ciphertextAndTag: some Collection<UInt8>
    ) throws(CryptoError) -> [UInt8] {
        var output = Array(ciphertextAndTag)
        let count = try Self.withBuffers(&output, aad) { (buffer, aad) throws(CryptoError) in
            try open(nonce, aad, UnsafeRawBufferPointer(buffer), buffer)
        }
        output.removeSubrange(count...)
        return output
    }

    private static func withBuffers<Value>(
        _ output: inout [UInt8], _ aad: [UInt8],
        _ body: (UnsafeMutableRawBufferPointer, UnsafeRawBufferPointer) throws(CryptoError) -> Value
    ) throws(CryptoError) -> Value {
        let result = output.withUnsafeMutableBytes { buffer in
            aad.withUnsafeBytes { aad in
                Result { () throws(CryptoError) in try body(buffer, aad) }
            }
        }
        return try result.get()
    }
}
