import OxbowCore
import OxbowCrypto

@testable import OxbowSecurity

/// One end of a handshake in a test, whichever the protocol, with the bytes that it has received and not yet taken.
///
/// A class because `#expect` can't look into what isn't copyable.
final class End {
    /// Nil once its transport was taken.
    private var handshake: SecureHandshake?
    var inbound: ArraySlice<UInt8> = []
    var peer: AuthenticatedPeer?
    var error: SecurityError?

    init(_ handshake: consuming SecureHandshake) {
        self.handshake = consume handshake
    }

    var isOver: Bool { peer != nil || error != nil }

    /// Appends what arrived and gives what is to be sent.
    func receive(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        inbound += bytes
        var output: [UInt8] = []
        while !isOver {
            do {
                switch try step() {
                case .needMore: return output
                case .send(let bytes): output += bytes
                case .finished(let bytes, let peer):
                    output += bytes
                    self.peer = peer
                }
            } catch {
                self.error = error
                output += handshake?.takeOutput() ?? []
            }
        }
        return output
    }

    /// One call of the machine, with what was received before.
    func step() throws(SecurityError) -> HandshakeStep {
        try handshake?.receive(&inbound) ?? .needMore
    }

    func start() -> [UInt8] {
        handshake?.start() ?? []
    }

    func takeNoise() -> NoiseTransport {
        guard case .noise(let transport) = handshake.take()?.takeTransport() else { preconditionFailure("not Noise") }
        return transport
    }

    func takeTLS() -> TLSTransport {
        guard case .tls(let transport) = handshake.take()?.takeTransport() else { preconditionFailure("not TLS") }
        return transport
    }
}

/// Two ends and the wire between them.
final class Wire {
    let initiator: End
    let responder: End
    /// Changes a byte of what the initiator or the responder sends, counted over the whole direction.
    var flip: (role: SecurityRole, offset: Int, mask: UInt8)?
    /// How many bytes arrive at once.
    var chunk: () -> Int = { .max }
    /// What each end has sent so far.
    private(set) var sent: (initiator: [UInt8], responder: [UInt8]) = ([], [])

    init(_ initiator: End, _ responder: End) {
        self.initiator = initiator
        self.responder = responder
    }

    convenience init(_ initiator: consuming SecureHandshake, _ responder: consuming SecureHandshake) {
        self.init(End(initiator), End(responder))
    }

    /// Carries bytes until nobody has more to send.
    func run() {
        var toResponder = changed(initiator.start(), from: .initiator)
        var toInitiator = changed(responder.start(), from: .responder)
        while !toResponder.isEmpty || !toInitiator.isEmpty {
            let forResponder = toResponder.prefix(chunk())
            toResponder = toResponder.dropFirst(forResponder.count)
            toInitiator += changed(responder.receive(forResponder), from: .responder)
            let forInitiator = toInitiator.prefix(chunk())
            toInitiator = toInitiator.dropFirst(forInitiator.count)
            toResponder += changed(initiator.receive(forInitiator), from: .initiator)
        }
    }

    private func changed(_ bytes: [UInt8], from role: SecurityRole) -> ArraySlice<UInt8> {
        let start = role == .initiator ? sent.initiator.count : sent.responder.count
        var bytes = bytes
        if let flip, flip.role == role, bytes.indices.contains(flip.offset - start) {
            bytes[flip.offset - start] ^= flip.mask
        }
        switch role {
        case .initiator: sent.initiator += bytes
        case .responder: sent.responder += bytes
        }
        return bytes[...]
    }
}

/// Makes handshakes of one protocol: what the tests of both have in common is written once.
enum Channel: CaseIterable, Sendable {
    case noise, tls

    func handshake(
        _ role: SecurityRole, _ identity: Identity, muxers: [ProtocolID] = [], expecting peer: PeerID? = nil
    ) throws -> SecureHandshake {
        let configuration = SecurityConfiguration(identity: identity.key, muxers: muxers, expectedPeer: peer)
        return switch self {
        case .noise:
            .noise(try NoiseHandshake(role: role, configuration: configuration, credentials: identity.credentials))
        case .tls:
            .tls(
                try TLSHandshake(
                    role: role, context: identity.context, configuration: configuration, unixTime: Identity.now))
        }
    }

    func wire(_ initiator: Identity, _ responder: Identity) throws -> Wire {
        Wire(try handshake(.initiator, initiator), try handshake(.responder, responder))
    }
}

/// A host's key with what is made once from it.
struct Identity: Sendable {
    /// 21 November 2026.
    static let now: Int64 = 1_795_219_200

    let key: PrivateKey
    let credentials: NoiseCredentials
    let context: TLSContext

    init(_ type: KeyType) {
        // A test without keys can't go on.
        key = try! PrivateKey.generate(type)
        credentials = try! NoiseCredentials(identity: key)
        context = try! TLSContext(identity: key)
    }

    var peer: PeerID { key.publicKey.peerID }

    static let alice = Identity(.ed25519)
    static let bob = Identity(.ed25519)
    static let ofEachType: [KeyType: Identity] = Dictionary(
        uniqueKeysWithValues: KeyType.allCases.map { ($0, Identity($0)) })
}
