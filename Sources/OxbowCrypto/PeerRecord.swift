public import OxbowCore
import OxbowWire

/// The addresses that a peer vouches for (libp2p specs, RFC 0003).
public struct PeerRecord: Hashable, Sendable {
    /// What a record's signature is for.
    public static let domain = "libp2p-peer-record"
    /// The multicodec libp2p-peer-record.
    public static let payloadType: [UInt8] = [0x03, 0x01]

    /// Whose addresses they are.
    public let peerID: PeerID
    /// A later record of the same peer has a higher number. It isn't a time, even if it looks like one.
    public let sequence: UInt64
    /// Binary multiaddrs, as they came: not all need to be of a kind that is known here.
    public let addresses: [[UInt8]]

    public init(peerID: PeerID, sequence: UInt64, addresses: [[UInt8]]) {
        self.peerID = peerID
        self.sequence = sequence
        self.addresses = addresses
    }

    /// Opens a signed record, and makes certain that it speaks for the peer that signed it (RUSTSEC-2022-0009).
    ///
    /// - Parameters:
    ///   - envelope: a signed envelope as it came.
    ///   - peer: whose record it must be; nil when it may be anybody's.
    ///   - memory: knows the signatures that have held; nil verifies each time.
    public init(
        verifying envelope: some Collection<UInt8>, from peer: PeerID?,
        remembering memory: (any SignatureMemory)? = nil
    ) throws(EnvelopeError) {
        let envelope = try SignedEnvelope(
            opening: envelope, payloadType: Self.payloadType, domain: Self.domain, from: peer, remembering: memory)
        let message: PeerRecordMessage
        do { message = try PeerRecordMessage(decoding: envelope.payload) } catch { throw .wire(error) }
        do { peerID = try PeerID(multihash: message.peerID) } catch { throw .peerID(error) }
        let signer = envelope.publicKey.peerID
        guard peerID == signer else { throw .recordOfAnother(peer: peerID, signer: signer) }
        sequence = message.sequence
        addresses = message.addresses
    }

    /// The record, signed. Only the peer's own key will do; another is a programmer's mistake.
    public func sealed(with key: PrivateKey) throws(CryptoError) -> SignedEnvelope {
        precondition(key.publicKey.peerID == peerID, "a peer record is signed by its own peer")
        return try SignedEnvelope(
            sealing: encoded, payloadType: Self.payloadType, domain: Self.domain, with: key)
    }

    var encoded: [UInt8] {
        PeerRecordMessage(peerID: peerID.multihash, sequence: sequence, addresses: addresses).encoded()
    }
}
