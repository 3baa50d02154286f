import COpenSSL

/// A library context of libcrypto's own whose random numbers are given bytes, one after the other: the same handshake in
/// every run. Production code has none, and can't make one: only ``TLSContext``'s internal initialiser takes it.
///
/// Random numbers are drawn per thread: whoever uses the context stays on the thread that made it.
final class DeterministicLibrary {
    let pointer: OpaquePointer

    init() throws {
        guard let pointer = OSSL_LIB_CTX_new() else { throw TranscriptError("libcrypto gave no context") }
        self.pointer = pointer
        // libcrypto's own test generator: it hands out what it was given, and fails when that is used up.
        guard RAND_set_DRBG_type(pointer, "TEST-RAND", nil, nil, nil) == 1 else {
            throw TranscriptError("libcrypto's random numbers can't be given")
        }
        // A context of libssl's draws keys for tickets, which are never made.
        try give(publicBytes: [UInt8](repeating: 0, count: 256), secretBytes: [UInt8](repeating: 0, count: 256))
    }

    /// From here on random numbers are these, whatever is left of others.
    ///
    /// - Parameters:
    ///   - publicBytes: for what goes over the wire: the hello's random numbers.
    ///   - secretBytes: for what stays secret: the ephemeral key, then what the certificate's signature needs.
    func give(publicBytes: [UInt8], secretBytes: [UInt8]) throws {
        guard Self.fill(RAND_get0_public(pointer), publicBytes), Self.fill(RAND_get0_private(pointer), secretBytes)
        else {
            throw TranscriptError("libcrypto's random numbers can't be given")
        }
    }

    deinit {
        OSSL_LIB_CTX_free(pointer)
    }

    private static func fill(_ generator: OpaquePointer?, _ bytes: [UInt8]) -> Bool {
        guard let generator else { return false }
        var bytes = bytes
        return bytes.withUnsafeMutableBytes { buffer in
            "test_entropy".withCString { name in
                var parameters = [
                    OSSL_PARAM_construct_octet_string(name, buffer.baseAddress, buffer.count),
                    OSSL_PARAM_construct_end(),
                ]
                return EVP_RAND_CTX_set_params(generator, &parameters) == 1
            }
        }
    }

    /// Of which version series libcrypto is; others put other things into a hello.
    static var series: String { "OpenSSL \(OPENSSL_version_major()).\(OPENSSL_version_minor())" }
}
