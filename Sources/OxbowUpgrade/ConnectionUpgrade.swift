public import OxbowCore
public import OxbowCrypto
public import OxbowProtocols
public import OxbowSecurity

/// Where an upgrade stands.
public enum UpgradePhase: Hashable, Sendable, CustomStringConvertible {
    case securityNegotiation
    case noiseHandshake
    case tlsHandshake
    case muxerNegotiation

    public var description: String {
        switch self {
        case .securityNegotiation: "the negotiation of the security protocol"
        case .noiseHandshake: "the Noise handshake"
        case .tlsHandshake: "the TLS handshake"
        case .muxerNegotiation: "the negotiation of the multiplexer"
        }
    }
}

/// Why an upgrade failed. Its scope is the connection.
public enum UpgradeError: Error, Hashable, Sendable, CustomStringConvertible {
    case negotiation(UpgradePhase, MultistreamError)
    case security(UpgradePhase, SecurityError)
    /// The peer sent more than a handshake can need.
    case tooMuchInput(limit: Int)

    public var description: String {
        switch self {
        case .negotiation(let phase, let error): "\(phase) failed: \(error)"
        case .security(let phase, let error): "\(phase) failed: \(error)"
        case .tooMuchInput(let limit): "the peer sent more than \(limit) bytes without ending the handshake"
        }
    }
}

/// What a host brings to each of its upgrades. Made once: certificates and signatures are costly.
public struct UpgradeConfiguration: Sendable {
    /// Noise XX over Curve25519, ChaCha20-Poly1305 and SHA-256 (libp2p/specs, noise).
    public static let noise: ProtocolID = "/noise"
    /// TLS 1.3 with a certificate that its peer's key has signed (libp2p/specs, tls).
    public static let tls: ProtocolID = "/tls/1.0.0"
    /// The one multiplexer (libp2p/specs, yamux).
    public static let yamux: ProtocolID = "/yamux/1.0.0"

    /// The key that proves who this host is.
    public let identity: PrivateKey
    /// In the order of preference of a dialer; a listener takes what it is asked for.
    public let securityProtocols: [ProtocolID]
    /// In the order of preference.
    public let muxers: [ProtocolID]
    /// Signatures that have held, for all connections of the host; nil verifies each anew.
    public var verified: (any SignatureMemory)?
    let noiseCredentials: NoiseCredentials?
    let tlsContext: TLSContext?

    /// - Parameter securityProtocols: of ``noise`` and ``tls``, at least one.
    public init(
        identity: PrivateKey, securityProtocols: [ProtocolID] = [UpgradeConfiguration.noise, UpgradeConfiguration.tls]
    ) throws(SecurityError) {
        precondition(
            !securityProtocols.isEmpty && securityProtocols.allSatisfy { [Self.noise, Self.tls].contains($0) },
            "the security protocols are /noise and /tls/1.0.0")
        self.identity = identity
        self.securityProtocols = securityProtocols
        muxers = [Self.yamux]
        noiseCredentials =
            securityProtocols.contains(Self.noise) ? try NoiseCredentials(identity: identity) : nil
        tlsContext = securityProtocols.contains(Self.tls) ? try TLSContext(identity: identity) : nil
    }
}

/// From a raw byte pipe to a secured and multiplexed connection: multistream-select for the security protocol, its
/// handshake, and multistream-select for the multiplexer where the handshake did not settle it already
/// (libp2p/specs, connections, "Upgrading Connections").
///
/// The layers are nested here, in one machine that reads one buffer, so that no byte can get lost between two.
public struct ConnectionUpgrade: ~Copyable {
    /// What came of the input so far.
    public enum Step: Sendable {
        case needMore(send: [UInt8])
        /// Send these bytes; the connection stands. ``takeTransport()`` has the channel.
        case finished(send: [UInt8], AuthenticatedPeer, security: ProtocolID)
    }

    /// The most input, in bytes, that may wait for its message to become whole: a Noise record.
    public static let maximumWaiting = 65_537

    enum Stage: ~Copyable {
        case choosingAsDialer(MultistreamDialer)
        case choosingAsListener(MultistreamListener)
        case handshake(SecureHandshake)
        case muxer(MuxerNegotiation)
        case finished(SecureTransport, leftover: [UInt8])
        case failed
    }

    let role: SecurityRole
    let configuration: UpgradeConfiguration
    let security: SecurityConfiguration
    let unixTime: Int64
    var stage: Stage
    var chosen: ProtocolID
    /// Whether the handshake settled the multiplexer, so that no negotiation of it was needed.
    public internal(set) var isMuxerEarly = false

    /// - Parameters:
    ///   - expectedPeer: whom the dialer means to reach: anyone else is refused.
    ///   - unixTime: seconds since 1970, by which certificates are judged.
    public init(
        role: SecurityRole, configuration: UpgradeConfiguration, expectedPeer: PeerID? = nil, unixTime: Int64
    ) {
        self.role = role
        self.configuration = configuration
        self.unixTime = unixTime
        security = SecurityConfiguration(
            identity: configuration.identity, muxers: configuration.muxers, expectedPeer: expectedPeer,
            verified: configuration.verified)
        chosen = configuration.securityProtocols[0]
        switch role {
        case .initiator:
            stage = .choosingAsDialer(
                MultistreamDialer(protocols: configuration.securityProtocols, mode: .sequential))
        case .responder:
            stage = .choosingAsListener(MultistreamListener(eager: true))
        }
    }

    /// Where the upgrade stands, for the error of one that doesn't go on.
    public var phase: UpgradePhase {
        switch stage {
        case .handshake: handshakePhase
        case .muxer: .muxerNegotiation
        case .finished: .muxerNegotiation
        default: .securityNegotiation
        }
    }

    /// What to send first.
    public mutating func start() -> [UInt8] {
        switch exchange(&stage, with: .failed) {
        case .choosingAsDialer(var dialer):
            let flight = dialer.start()
            stage = .choosingAsDialer(dialer)
            return flight
        case .choosingAsListener(var listener):
            let flight = listener.start()
            stage = .choosingAsListener(listener)
            return flight
        case let other:
            stage = other
            return []
        }
    }

    /// Reads whole messages from the front of `input` until it needs more or the connection stands.
    ///
    /// - Throws: when the connection can't be upgraded. ``farewell()`` then says what the peer should still be told.
    public mutating func receive(_ input: inout ArraySlice<UInt8>) throws(UpgradeError) -> Step {
        var send: [UInt8] = []
        while true {
            guard let result = try advance(&input, &send) else { continue }
            guard case .needMore = result else { return result }
            guard input.count <= Self.maximumWaiting else { throw .tooMuchInput(limit: Self.maximumWaiting) }
            return .needMore(send: send)
        }
    }

    /// The bytes that tell the peer why its handshake failed: a TLS alert, or nothing.
    public mutating func farewell() -> [UInt8] {
        switch exchange(&stage, with: .failed) {
        case .handshake(var handshake):
            let alert = handshake.takeOutput()
            stage = .handshake(handshake)
            return alert
        case let other:
            stage = other
            return []
        }
    }

    /// Plaintext of the peer's that arrived behind the upgrade. Only after ``Step/finished(send:_:security:)``.
    public var leftover: [UInt8] {
        switch stage {
        case .finished(_, let leftover): leftover
        default: preconditionFailure("the upgrade has not finished")
        }
    }

    /// The channel. Only after ``Step/finished(send:_:security:)``, and after ``leftover``.
    public consuming func takeTransport() -> SecureTransport {
        switch consume stage {
        case .finished(let transport, _): return transport
        default: preconditionFailure("the upgrade has not finished")
        }
    }
}
