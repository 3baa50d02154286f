public import OxbowCore
public import OxbowCrypto

/// Addresses that a peer vouches for with its signature (libp2p/specs RFC 0003).
public struct CertifiedAddresses: Sendable, Hashable {
    /// Without repetitions, and without those that lead to another peer.
    public let addresses: [Multiaddr]
    /// A record with a higher number replaces one with a lower. It is the peer's, and isn't a time.
    public let sequence: UInt64
    /// The signed envelope as it came, to be handed on to others.
    public let envelope: [UInt8]
    /// How many addresses were dropped: undecodable, or another peer's.
    public let dropped: Int

    /// Verifies an envelope: signed by `peer`, for this purpose, and speaking of `peer` (RUSTSEC-2022-0009).
    ///
    /// - Parameter memory: knows the signatures that have held; nil verifies each time.
    public init(
        envelope: [UInt8], of peer: PeerID, remembering memory: (any SignatureMemory)? = nil
    ) throws(EnvelopeError) {
        let record = try PeerRecord(verifying: envelope, from: peer, remembering: memory)
        (addresses, dropped) = IdentifyInfo.addresses(record.addresses, of: peer)
        sequence = record.sequence
        self.envelope = envelope
    }
}
