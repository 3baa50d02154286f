import COpenSSL

enum OpenSSL {
    /// The error for a call that has just failed. Empties this thread's error queue: what stays in it would be taken
    /// for the failure of a later, innocent call (libssl looks there).
    static func failure(_ operation: String) -> CryptoError {
        let code = ERR_peek_last_error()
        let reason = ERR_reason_error_string(code).map { String(cString: $0) } ?? "no reason given"
        ERR_clear_error()
        return .library(operation: operation, reason: reason)
    }

    /// Runs one of the `i2d` functions.
    static func der(
        _ operation: String, _ encode: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32
    ) throws(CryptoError) -> [UInt8] {
        let size = encode(nil)
        guard size > 0 else { throw failure(operation) }
        return [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
            var end = buffer.baseAddress
            count = Int(encode(&end))
        }
    }

    static var isErrorQueueEmpty: Bool { ERR_peek_error() == 0 }

    /// Takes out what others have left on this thread: libssl does, for what needs more input.
    static func emptyErrorQueue() {
        ERR_clear_error()
    }
}

/// An owned EVP_PKEY. It isn't changed once it is made, and libcrypto may read one from several threads.
final class EVPKey: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        EVP_PKEY_free(pointer)
    }

    static func generate(
        _ algorithm: String, configure: (OpaquePointer) -> Bool = { _ in true }
    ) throws(CryptoError) -> EVPKey {
        let context = EVP_PKEY_CTX_new_from_name(nil, algorithm, nil)
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard let context, EVP_PKEY_keygen_init(context) == 1, configure(context),
            EVP_PKEY_generate(context, &key) == 1, let key
        else { throw OpenSSL.failure("generate a key (\(algorithm))") }
        return EVPKey(key)
    }

    /// The public half of an Ed25519 or X25519 key.
    func rawPublicKey() throws(CryptoError) -> [UInt8] {
        try raw(EVP_PKEY_get_raw_public_key)
    }

    /// The private half of an Ed25519 or X25519 key.
    func rawPrivateKey() throws(CryptoError) -> [UInt8] {
        try raw(EVP_PKEY_get_raw_private_key)
    }

    private func raw(
        _ read: (OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<Int>?) -> Int32
    ) throws(CryptoError) -> [UInt8] {
        var length = 32
        var bytes = [UInt8](repeating: 0, count: length)
        guard read(pointer, &bytes, &length) == 1, length == bytes.count else {
            throw OpenSSL.failure("read the raw form of a key")
        }
        return bytes
    }
}

/// Runs `body` on the bytes where they are, or on a copy when they aren't in one piece.
func withBytes<Result>(
    of bytes: some Collection<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Result
) -> Result {
    bytes.withContiguousStorageIfAvailable(body) ?? Array(bytes).withUnsafeBufferPointer(body)
}
