import OxbowCore
import OxbowCrypto
import OxbowProtocols

/// A voucher, signed once: signing costs more than all else that is done with it.
struct ReservationVoucherSample: Sendable {
    let voucher: ReservationVoucher
    let sealed: [UInt8]

    init(relay: PrivateKey, peer: PeerID, expiration: UInt64) {
        voucher = ReservationVoucher(relay: relay.peerID, peer: peer, expiration: expiration)
        sealed = (try? voucher.sealed(with: relay).encoded()) ?? []
    }

    func open(_ bytes: [UInt8], unixTime: Int64) -> ReservationVoucher? {
        try? ReservationVoucher(verifying: bytes, from: voucher.relay, for: voucher.peer, unixTime: unixTime)
    }
}
