public import OxbowCore
public import OxbowCrypto
import OxbowWire

/// Why a reservation's voucher isn't to be believed.
public enum VoucherError: Error, Hashable, Sendable, CustomStringConvertible {
    case envelope(EnvelopeError)
    /// It was given by another relay.
    case wrongRelay
    /// It was given to another peer.
    case wrongPeer
    /// It is over already, as this host's clock has it.
    case expired

    public var description: String {
        switch self {
        case .envelope(let error): "the voucher can't be verified: \(error)"
        case .wrongRelay: "the voucher is another relay's"
        case .wrongPeer: "the voucher is for another peer"
        case .expired: "the voucher is over already; one of both clocks may be wrong"
        }
    }
}

/// A relay's signed word that it serves a peer (libp2p specs, circuit-v2, "Reservation Vouchers").
public struct ReservationVoucher: Hashable, Sendable {
    /// What a voucher's signature is for.
    public static let domain = "libp2p-relay-rsvp"
    /// The multicodec libp2p-relay-rsvp.
    public static let payloadType: [UInt8] = [0x03, 0x02]

    /// Who serves.
    public let relay: PeerID
    /// Who is served.
    public let peer: PeerID
    /// When it ends, in seconds since 1970.
    public let expiration: UInt64

    public init(relay: PeerID, peer: PeerID, expiration: UInt64) {
        self.relay = relay
        self.peer = peer
        self.expiration = expiration
    }

    /// Opens a voucher, and makes certain that it says what it should.
    ///
    /// - Parameters:
    ///   - envelope: the signed envelope as it came.
    ///   - relay: who must have signed it, and be named in it.
    ///   - peer: for whom it must be.
    ///   - unixTime: now, in seconds since 1970.
    public init(
        verifying envelope: some Collection<UInt8>, from relay: PeerID, for peer: PeerID, unixTime: Int64
    ) throws(VoucherError) {
        let message: ReservationVoucherMessage
        do throws(EnvelopeError) {
            let opened = try SignedEnvelope(
                opening: envelope, payloadType: Self.payloadType, domain: Self.domain, from: relay)
            do throws(WireError) { message = try ReservationVoucherMessage(decoding: opened.payload[...]) } catch {
                throw .wire(error)
            }
        } catch { throw .envelope(error) }
        guard message.relay == relay.multihash else { throw .wrongRelay }
        guard message.peer == peer.multihash else { throw .wrongPeer }
        guard message.expiration > UInt64(clamping: unixTime) else { throw .expired }
        self.init(relay: relay, peer: peer, expiration: message.expiration)
    }

    /// The voucher, signed. Only the relay's own key will do; another is a programmer's mistake.
    public func sealed(with key: PrivateKey) throws(CryptoError) -> SignedEnvelope {
        precondition(key.publicKey.peerID == relay, "a voucher is signed by its relay")
        let message = ReservationVoucherMessage(
            relay: relay.multihash, peer: peer.multihash, expiration: expiration)
        return try SignedEnvelope(
            sealing: message.encoded(), payloadType: Self.payloadType, domain: Self.domain, with: key)
    }
}
