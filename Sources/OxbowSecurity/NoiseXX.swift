internal import OxbowCrypto

/// Noise_XX_25519_ChaChaPoly_SHA256 with an empty prologue: the handshake of the Noise specification, revision 34,
/// without what libp2p adds. Payloads are opaque; ``NoiseHandshake`` fills and reads them.
///
/// Messages alternate, the initiator's first. A message that can't be read leaves the state of no further use.
struct NoiseXX: ~Copyable, Sendable {
    private enum Token {
        case e, s, ee, es, se
    }

    /// The pattern XX (section 7.5).
    private static let pattern: [[Token]] = [[.e], [.e, .ee, .s, .es], [.s, .se]]
    /// Exactly as long as a hash, so it stands in for one without being hashed (section 5.2).
    private static let protocolName = [UInt8]("Noise_XX_25519_ChaChaPoly_SHA256".utf8)
    static let keyLength = 32
    static let tagLength = 16

    private let role: SecurityRole
    private let staticKey: X25519PrivateKey
    private let ephemeralKey: X25519PrivateKey
    private var remoteEphemeral: [UInt8] = []
    /// The other side's static public key, once it was read.
    private(set) var remoteStatic: [UInt8] = []
    private var symmetric: NoiseSymmetricState
    private var messageIndex = 0

    init(role: SecurityRole, staticKey: X25519PrivateKey, ephemeralKey: X25519PrivateKey) {
        self.role = role
        self.staticKey = staticKey
        self.ephemeralKey = ephemeralKey
        symmetric = NoiseSymmetricState(protocolName: Self.protocolName)
        let prologue: [UInt8] = []
        symmetric.mixHash(prologue[...])
    }

    /// The initiator's first message, its ephemeral key. It has no secrecy, so libp2p puts no payload into it.
    mutating func writeFirst() -> [UInt8] {
        precondition(isOurTurn && messageIndex == 0, "the first message is the initiator's")
        symmetric.mixHash(ephemeralKey.publicKey[...])
        symmetric.mixHash([])
        messageIndex = 1
        return ephemeralKey.publicKey
    }

    /// The next message of the handshake, which is ours.
    mutating func write(payload: [UInt8]) throws(SecurityError) -> [UInt8] {
        precondition(isOurTurn, "the other side's message is due")
        var message: [UInt8] = []
        for token in Self.pattern[messageIndex] {
            switch token {
            case .e:
                let key = ephemeralKey.publicKey
                symmetric.mixHash(key[...])
                message += key
            case .s: message += try symmetric.encryptAndHash(staticKey.publicKey)
            default: try mixKey(token)
            }
        }
        message += try symmetric.encryptAndHash(payload)
        messageIndex += 1
        return message
    }

    /// Reads the next message of the handshake, which is the other side's, and gives its payload.
    mutating func read(_ message: ArraySlice<UInt8>) throws(SecurityError) -> [UInt8] {
        precondition(!isOurTurn && messageIndex < Self.pattern.count, "our own message is due, or none")
        var rest = message
        for token in Self.pattern[messageIndex] {
            switch token {
            case .e:
                let key = try Self.take(Self.keyLength, from: &rest)
                symmetric.mixHash(key)
                remoteEphemeral = [UInt8](key)
            case .s:
                let tag = symmetric.hasKey ? Self.tagLength : 0
                remoteStatic = try symmetric.decryptAndHash(Self.take(Self.keyLength + tag, from: &rest))
            default: try mixKey(token)
            }
        }
        let payload = try symmetric.decryptAndHash(rest)
        messageIndex += 1
        return payload
    }

    /// The keys for what we send and what we receive. Only after the last message.
    func split() throws(SecurityError) -> NoiseTransport {
        precondition(messageIndex == Self.pattern.count, "the handshake has not finished")
        return try symmetric.split(role: role)
    }

    private var isOurTurn: Bool {
        messageIndex < Self.pattern.count && (messageIndex % 2 == 0) == (role == .initiator)
    }

    /// In a token of two letters the first names the initiator's key, the second the responder's.
    private mutating func mixKey(_ token: Token) throws(SecurityError) {
        let secret: [UInt8] =
            switch (token, role) {
            case (.es, .initiator), (.se, .responder): try Self.agree(ephemeralKey, remoteStatic)
            case (.se, .initiator), (.es, .responder): try Self.agree(staticKey, remoteEphemeral)
            default: try Self.agree(ephemeralKey, remoteEphemeral)
            }
        try symmetric.mixKey(secret)
    }

    private static func agree(_ ours: X25519PrivateKey, _ theirs: [UInt8]) throws(SecurityError) -> [UInt8] {
        do {
            return try ours.sharedSecret(with: theirs)
        } catch {
            throw SecurityError(error)
        }
    }

    private static func take(
        _ count: Int, from input: inout ArraySlice<UInt8>
    ) throws(SecurityError) -> ArraySlice<UInt8> {
        guard count <= input.count else { throw .malformed("a handshake message ends in the middle of a key") }
        defer { input = input.dropFirst(count) }
        return input.prefix(count)
    }
}
