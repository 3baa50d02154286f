public import OxbowCore
public import OxbowCrypto

/// Why a secure channel could not be made, or could not go on. Its scope is the connection: whoever drives the
/// machine sends what ``TLSHandshake/takeOutput()`` or ``TLSTransport/takeOutput(into:)`` still has and closes it.
public enum SecurityError: Error, Hashable, Sendable {
    /// Bytes that don't follow the protocol.
    case malformed(String)
    /// A length that promises more than we read: `length` and `limit` in bytes.
    case recordTooLong(length: Int, limit: Int)
    /// A tag that doesn't verify: bytes were changed on their way, or are out of order.
    case decryptionFailed
    /// A Diffie-Hellman value of low order, which would make the shared secret known to everyone.
    case weakKey
    /// The identity key that the other side presents can't be read, or is of a kind or size that we refuse.
    case badIdentityKey(KeyError)
    /// The identity key didn't sign the channel's own key: the other side doesn't own that identity.
    case badSignature
    /// Someone else answered than was dialled.
    case peerIDMismatch(expected: PeerID, actual: PeerID)
    /// Both sides named their multiplexers and share none (inlined-muxer-negotiation: the handshake must fail).
    case noCommonMuxer
    /// The certificate breaks a rule of the libp2p TLS specification.
    case certificate(CertificateError)
    /// The other side ended the connection with this TLS alert (RFC 8446, section 6).
    case tlsAlert(TLSAlert)
    /// libssl ended the connection; the text is its own.
    case tls(String)
    /// 2^64 - 1 records were sent or received under one key: the channel must end (Noise specification, section 11.7).
    case noncesExhausted
    /// Our own side failed: the identity couldn't sign, or libcrypto refused. Nothing the other side did.
    case local(String)
    /// The channel failed or was closed before.
    case closed
}

extension SecurityError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .malformed(let what):
            "the other side broke the protocol: \(what)"
        case .recordTooLong(let length, let limit):
            "the other side announced \(length) bytes where at most \(limit) are allowed"
        case .decryptionFailed:
            "a record failed authentication: it was damaged or forged on its way"
        case .weakKey:
            "the other side sent a key of low order"
        case .badIdentityKey(let why):
            "the other side's identity key can't be used: \(why)"
        case .badSignature:
            "the other side couldn't prove that it owns its identity key"
        case .peerIDMismatch(let expected, let actual):
            "dialled \(expected), but \(actual) answered: the address belongs to someone else, look it up again"
        case .noCommonMuxer:
            "the other side supports none of our multiplexers: enable one that both have"
        case .certificate(let error):
            "the other side's certificate was refused: \(error)"
        case .tlsAlert(let alert):
            "the other side ended the TLS connection: \(alert)"
        case .tls(let reason):
            "TLS failed: \(reason)"
        case .noncesExhausted:
            "the channel has carried all the records that its keys allow: connect again"
        case .local(let what):
            "our own side failed: \(what)"
        case .closed:
            "the secure channel is closed"
        }
    }
}

/// A rule of the libp2p TLS specification ("Peer Authentication") that a certificate breaks.
public enum CertificateError: Error, Hashable, Sendable {
    /// None was presented.
    case missing
    /// More than one was presented.
    case moreThanOne(Int)
    /// Its bytes can't be read as a certificate.
    case unreadable
    /// Its validity starts later.
    case notYetValid
    /// Its validity has ended.
    case expired
    /// It has one of the deprecated fields `subjectUniqueId` and `issuerUniqueId`.
    case uniqueIdentifier
    /// A critical extension that we don't know, by its object identifier.
    case unknownCriticalExtension(String)
    /// Its key usage, which is marked critical, doesn't allow signatures.
    case keyUsage
    /// No libp2p extension.
    case missingExtension
    /// More than one libp2p extension.
    case repeatedExtension
    /// The libp2p extension isn't a `SignedKey`.
    case malformedExtension
    /// Its own key is of a kind or size that we refuse.
    case unsupportedKey
    /// It isn't signed with its own key.
    case badSelfSignature
    /// The identity key in the libp2p extension can't be read, or is of a kind or size that we refuse.
    case badIdentityKey(KeyError)
    /// The identity key didn't sign the certificate's key.
    case badSignature
}

extension CertificateError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .missing: "there is none"
        case .moreThanOne(let count): "there are \(count), exactly one is allowed"
        case .unreadable: "it can't be read"
        case .notYetValid: "it isn't valid yet: compare the clocks of both sides"
        case .expired: "it has expired: compare the clocks of both sides"
        case .uniqueIdentifier: "it has a unique identifier, which is forbidden"
        case .unknownCriticalExtension(let identifier): "its critical extension \(identifier) is unknown"
        case .keyUsage: "its key usage doesn't allow signatures"
        case .missingExtension: "it has no libp2p extension"
        case .repeatedExtension: "it has more than one libp2p extension"
        case .malformedExtension: "its libp2p extension can't be read"
        case .unsupportedKey: "its key is of a kind or size that isn't supported"
        case .badSelfSignature: "it isn't signed with its own key"
        case .badIdentityKey(let why): "the identity key in it can't be used: \(why)"
        case .badSignature: "the identity key in it didn't sign it"
        }
    }
}

/// A TLS alert that the other side sent (RFC 8446, section 6.2).
public struct TLSAlert: Hashable, Sendable, CustomStringConvertible {
    /// The description's number in IANA's registry of TLS alerts.
    public let code: UInt8

    public init(code: UInt8) {
        self.code = code
    }

    public var description: String {
        "alert \(code) (\(Self.names[code] ?? "unknown"))"
    }

    private static let names: [UInt8: String] = [
        10: "unexpected message", 20: "bad record", 22: "record overflow", 40: "handshake failure",
        42: "bad certificate", 43: "unsupported certificate", 44: "certificate revoked", 45: "certificate expired",
        46: "certificate unknown", 47: "illegal parameter", 48: "unknown authority", 49: "access denied",
        50: "undecodable message", 51: "bad signature", 70: "protocol version", 71: "insufficient security",
        80: "internal error", 90: "cancelled by the user", 109: "missing extension", 110: "unsupported extension",
        116: "certificate required", 120: "no application protocol",
    ]
}
