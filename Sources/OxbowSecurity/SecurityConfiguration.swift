public import OxbowCore
public import OxbowCrypto

/// What we bring to a secure channel.
public struct SecurityConfiguration: Sendable {
    /// Who we are: this key signs the channel's own key.
    public var identity: PrivateKey
    /// The multiplexers that we offer during the handshake, the preferred one first. Empty: none is agreed early.
    public var muxers: [ProtocolID]
    /// Who must answer, or nil when anyone may.
    public var expectedPeer: PeerID?
    /// Signatures over static keys of Noise that have held before; nil verifies each anew.
    public var verified: (any SignatureMemory)?

    public init(
        identity: PrivateKey, muxers: [ProtocolID] = [], expectedPeer: PeerID? = nil,
        verified: (any SignatureMemory)? = nil
    ) {
        self.identity = identity
        self.muxers = muxers
        self.expectedPeer = expectedPeer
        self.verified = verified
    }
}

/// Who is at the other end, as proved by the handshake.
public struct AuthenticatedPeer: Hashable, Sendable {
    /// Derived from ``publicKey``.
    public var peer: PeerID
    public var publicKey: PublicKey
    /// The multiplexer that was agreed during the handshake, or nil: negotiate one with multistream-select.
    public var muxer: ProtocolID?

    public init(peer: PeerID, publicKey: PublicKey, muxer: ProtocolID?) {
        self.peer = peer
        self.publicKey = publicKey
        self.muxer = muxer
    }
}

/// What a handshake wants next. Call `receive` again until it says ``needMore``.
public enum HandshakeStep: Hashable, Sendable {
    /// Nothing more can be done with what was received: append more to it and call again.
    case needMore
    /// Send these bytes and call again.
    case send([UInt8])
    /// Send these bytes, which may be none, and take the transport. What is left of the input is the transport's.
    case finished(send: [UInt8], AuthenticatedPeer)
}
