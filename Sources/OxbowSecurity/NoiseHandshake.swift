internal import OxbowCore
public import OxbowCrypto
internal import OxbowWire

/// A static Noise key that an identity key vouches for.
///
/// One per host may serve every connection (libp2p/specs, noise, "Static Key Authentication"): a listener then signs
/// nothing for strangers, which with an RSA identity costs a millisecond a time.
public struct NoiseCredentials: Sendable {
    /// What the identity key signs: this, then the static public key.
    static let signaturePrefix = [UInt8]("noise-libp2p-static-key:".utf8)

    let staticKey: X25519PrivateKey
    let identityKey: [UInt8]
    let signature: [UInt8]

    /// Throws ``SecurityError/local(_:)`` when `identity` can't sign.
    public init(identity: PrivateKey, staticKey: X25519PrivateKey? = nil) throws(SecurityError) {
        let staticKey = try staticKey.orFresh()
        self.staticKey = staticKey
        identityKey = identity.publicKey.protobuf
        do {
            signature = try identity.sign(Self.signaturePrefix + staticKey.publicKey)
        } catch {
            throw .local("the identity key can't sign: \(error)")
        }
    }

    /// For tests, with a signature that was made before: some kinds of keys never give the same one twice.
    init(staticKey: X25519PrivateKey, identityKey: [UInt8], signature: [UInt8]) {
        (self.staticKey, self.identityKey, self.signature) = (staticKey, identityKey, signature)
    }
}

/// The handshake of libp2p's Noise, protocol `/noise` (libp2p/specs, noise): Noise XX, with the identity keys and the
/// multiplexers in the payloads of the second and the third message.
public struct NoiseHandshake: ~Copyable, Sendable {
    /// The longest message that is read, in bytes: two keys, the payload, and the tags of the latter two.
    static let maximumMessage =
        2 * NoiseXX.keyLength + 2 * NoiseXX.tagLength + NoiseHandshakePayload.maximumSize

    private enum State: Sendable {
        /// The initiator's, until its first message is made.
        case idle
        case awaitingFirst, awaitingSecond, awaitingThird
        case finished
        case failed
    }

    private let role: SecurityRole
    private let configuration: SecurityConfiguration
    private let credentials: NoiseCredentials
    private var noise: NoiseXX
    private var state: State
    private var transport: NoiseTransport?

    /// - Parameters:
    ///   - credentials: of the identity in `configuration`; nil makes fresh ones for this connection.
    ///   - ephemeralKey: must never be used twice; nil makes one. Tests with known keys give one.
    public init(
        role: SecurityRole, configuration: SecurityConfiguration, credentials: NoiseCredentials? = nil,
        ephemeralKey: X25519PrivateKey? = nil
    ) throws(SecurityError) {
        let credentials = try credentials.orFresh(for: configuration.identity)
        let ephemeralKey = try ephemeralKey.orFresh()
        self.role = role
        self.configuration = configuration
        self.credentials = credentials
        noise = NoiseXX(role: role, staticKey: credentials.staticKey, ephemeralKey: ephemeralKey)
        state = role == .initiator ? .idle : .awaitingFirst
    }

    /// What to send first: the initiator's first message, nothing for the responder. Called once.
    public mutating func start() -> [UInt8] {
        guard role == .initiator else { return [] }
        precondition(state == .idle, "the handshake was started before")
        state = .awaitingSecond
        // The first message has no secrecy: the specification forbids to send anything in it.
        return Self.frame(noise.writeFirst())
    }

    /// Takes a whole message from the front of `input`, or nothing.
    public mutating func receive(_ input: inout ArraySlice<UInt8>) throws(SecurityError) -> HandshakeStep {
        switch state {
        case .idle: preconditionFailure("the handshake was not started")
        case .finished: return .needMore
        case .failed: throw .closed
        case .awaitingFirst, .awaitingSecond, .awaitingThird: break
        }
        do {
            guard let message = try Self.takeMessage(from: &input) else { return .needMore }
            return try step(message)
        } catch {
            state = .failed
            throw error
        }
    }

    /// The connection's transport. Only after ``HandshakeStep/finished(send:_:)``.
    public consuming func takeTransport() -> NoiseTransport {
        guard let transport = transport.take() else { preconditionFailure("the handshake has not finished") }
        return transport
    }

    private mutating func step(_ message: ArraySlice<UInt8>) throws(SecurityError) -> HandshakeStep {
        switch state {
        case .awaitingFirst:
            // Some send a payload already here. It proves nothing yet, so it is ignored.
            _ = try noise.read(message)
            let answer = try noise.write(payload: payload())
            state = .awaitingThird
            return .send(Self.frame(answer))
        case .awaitingSecond:
            let peer = try authenticate(noise.read(message))
            let answer = try noise.write(payload: payload())
            try finish()
            return .finished(send: Self.frame(answer), peer)
        default:
            let peer = try authenticate(noise.read(message))
            try finish()
            return .finished(send: [], peer)
        }
    }

    private mutating func finish() throws(SecurityError) {
        transport = try noise.split()
        state = .finished
    }

    private func payload() -> [UInt8] {
        let muxers = configuration.muxers.map(\.rawValue)
        return NoiseHandshakePayload(
            identityKey: credentials.identityKey, identitySignature: credentials.signature,
            extensions: muxers.isEmpty ? nil : NoiseExtensions(streamMuxers: muxers)
        ).encoded()
    }

    /// Checks who sent `bytes` before anything else in them counts.
    private func authenticate(_ bytes: [UInt8]) throws(SecurityError) -> AuthenticatedPeer {
        let payload: NoiseHandshakePayload
        do {
            payload = try NoiseHandshakePayload(decoding: bytes)
        } catch {
            throw .malformed("the payload of its Noise message: \(error)")
        }
        let publicKey: PublicKey
        do {
            publicKey = try PublicKey(protobuf: payload.identityKey ?? [])
        } catch {
            throw .badIdentityKey(error)
        }
        let signed = NoiseCredentials.signaturePrefix + noise.remoteStatic
        guard
            publicKey.isValidSignature(
                payload.identitySignature ?? [], over: signed, remembering: configuration.verified)
        else { throw .badSignature }
        let peer = publicKey.peerID
        if let expected = configuration.expectedPeer, expected != peer {
            throw .peerIDMismatch(expected: expected, actual: peer)
        }
        let theirs = payload.extensions?.streamMuxers ?? []
        let muxer = try agreedMuxer(role: role, ours: configuration.muxers, theirs: theirs)
        return AuthenticatedPeer(peer: peer, publicKey: publicKey, muxer: muxer)
    }

    private static func frame(_ message: [UInt8]) -> [UInt8] {
        precondition(message.count <= maximumMessage, "our own message is longer than what others read")
        return [UInt8(message.count >> 8), UInt8(message.count & 0xff)] + message
    }

    private static func takeMessage(from input: inout ArraySlice<UInt8>) throws(SecurityError) -> ArraySlice<UInt8>? {
        let header = [UInt8](input.prefix(2))
        guard header.count == 2 else { return nil }
        let length = Int(header[0]) << 8 | Int(header[1])
        guard length <= maximumMessage else { throw .recordTooLong(length: length, limit: maximumMessage) }
        guard input.count >= 2 + length else { return nil }
        defer { input = input.dropFirst(2 + length) }
        return input.dropFirst(2).prefix(length)
    }
}

extension X25519PrivateKey? {
    fileprivate func orFresh() throws(SecurityError) -> X25519PrivateKey {
        if let self { return self }
        do {
            return try X25519PrivateKey.generate()
        } catch {
            throw SecurityError(error)
        }
    }
}

extension NoiseCredentials? {
    fileprivate func orFresh(for identity: PrivateKey) throws(SecurityError) -> NoiseCredentials {
        if let self { return self }
        return try NoiseCredentials(identity: identity)
    }
}
