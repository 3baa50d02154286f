public import OxbowWire

/// The kinds of key that a peer can have (libp2p specs, peer-ids). The raw value is the one on the wire.
public enum KeyType: UInt32, Hashable, Sendable, CaseIterable {
    case rsa = 0
    case ed25519 = 1
    case secp256k1 = 2
    case ecdsa = 3

    /// The sizes of RSA keys, in bits, that are accepted. A longer one is a means to burn our time (CVE-2023-39533).
    public static let rsaBits = 2_048...8_192
}

extension KeyType: CustomStringConvertible {
    public var description: String {
        switch self {
        case .rsa: "RSA"
        case .ed25519: "Ed25519"
        case .secp256k1: "secp256k1"
        case .ecdsa: "ECDSA"
        }
    }
}

/// Why bytes aren't a key.
public enum KeyError: Error, Hashable, Sendable {
    /// Not a key message at all.
    case wire(WireError)
    /// A key message that isn't written in the one way that gives a peer one id (libp2p specs, peer-ids).
    case notCanonical
    /// A type that isn't known here.
    case unknownType(UInt32)
    /// The data isn't what the type demands: a wrong length or structure, or a point that isn't on the curve.
    case malformed(KeyType)
    /// An RSA key of a size outside ``KeyType/rsaBits``. It was refused before any arithmetic.
    case rsaSize(bits: Int)
    /// An RSA key with a public exponent that is even, 1, or longer than 31 bits: slow or unsafe to use.
    case rsaExponent
    /// A private key whose public half, which is stored with it, is another key's.
    case mismatchedHalves(KeyType)
    /// libcrypto failed.
    case crypto(CryptoError)
}

extension KeyError {
    static func wrapping<Value>(_ body: () throws(CryptoError) -> Value) throws(KeyError) -> Value {
        do { return try body() } catch { throw .crypto(error) }
    }
}

extension KeyError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .wire(let error): "not a key: \(error)"
        case .notCanonical: "the key message isn't in the canonical form (type, then data, nothing else)"
        case .unknownType(let type): "the key's type \(type) isn't known here"
        case .malformed(let type): "the data isn't a valid \(type) key"
        case .rsaSize(let bits):
            "the RSA key has \(bits) bits; \(KeyType.rsaBits.lowerBound) to \(KeyType.rsaBits.upperBound) are accepted"
        case .rsaExponent: "the RSA key's public exponent isn't an odd number from 3 to 2^31 - 1"
        case .mismatchedHalves(let type): "the stored \(type) key is damaged: its public half isn't its private half's"
        case .crypto(let error): "the key can't be used: \(error)"
        }
    }
}
