/// Why a cryptographic operation didn't work.
public enum CryptoError: Error, Hashable, Sendable {
    /// The tag doesn't fit: the ciphertext, its additional data, the nonce or the key isn't the sender's.
    case authenticationFailed
    /// The peer's X25519 key is of low order, so that the shared secret is no secret (RFC 7748 section 6.1).
    case zeroSharedSecret
    /// A key or a secret isn't as long as its algorithm wants it, in bytes.
    case badKeyLength(expected: Int, actual: Int)
    /// libcrypto refused; its error queue has been emptied into `reason`.
    case library(operation: String, reason: String)
}

extension CryptoError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .authenticationFailed: "the message was altered or isn't from the peer: its authentication tag is wrong"
        case .zeroSharedSecret: "the peer's X25519 key is of low order, so no secret can be shared with it"
        case .badKeyLength(let expected, let actual): "a key of \(actual) bytes where \(expected) are needed"
        case .library(let operation, let reason): "libcrypto could not \(operation): \(reason)"
        }
    }
}
