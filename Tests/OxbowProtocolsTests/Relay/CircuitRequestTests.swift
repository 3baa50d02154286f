import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowWire
import Testing

/// Requests and answers on hop and stop streams, with what comes behind them.
@Suite struct CircuitRequestTests {
    static let peer = PeerID(publicKeyMessage: [0x08, 0x01, 0x12, 0x20] + [UInt8](repeating: 7, count: 32)) { $0 }

    /// Feeds bytes one by one until a message is whole.
    ///
    /// - Returns: what was read, and what is left.
    private func read<Value>(
        _ bytes: [UInt8], _ receive: (inout ArraySlice<UInt8>) throws(CircuitError) -> Value?
    ) throws -> (Value, [UInt8]) {
        for count in 0...bytes.count {
            var input = bytes[..<count]
            if let value = try receive(&input) { return (value, Array(input) + bytes[count...]) }
            #expect(input.count == count, "nothing is taken of a part")
        }
        throw CircuitError.endedEarly
    }

    @Test("What stands behind an answer stays: it is the circuit's")
    func keepsRest() throws {
        let accepted = HopListener.accept(limit: nil)
        let (answer, rest) = try read(accepted + [1, 2, 3], HopClient(.connect(Self.peer)).receive)
        #expect(answer == .connected(limit: nil) && rest == [1, 2, 3])
        var input = (StopListener.answer(.ok) + [7])[...]
        #expect(try StopClient(from: Self.peer, limit: nil).receive(&input) == .ok && Array(input) == [7])
        input = (StopClient(from: Self.peer, limit: nil).start() + [8])[...]
        #expect(try StopListener().receive(&input)?.peer == Self.peer && Array(input) == [8])
    }

    @Test("Either side reads what the other one writes")
    func agrees() throws {
        for request in [HopClient.Request.reserve, .connect(Self.peer)] {
            #expect(try read(HopClient(request).start(), HopListener().receive).0 == request)
        }
        let limit = CircuitLimitMessage(seconds: 120, bytes: 1)
        let offer = try read(StopClient(from: Self.peer, limit: limit).start(), StopListener().receive).0
        #expect(offer.peer == Self.peer && offer.limit == limit)
        let grant = CircuitReservationMessage(expiration: 5, addresses: [], voucher: nil)
        let answer = try read(HopListener.accept(grant, limit: limit), HopClient(.reserve).receive).0
        #expect(answer == .reserved(grant, limit: limit))
    }

    @Test("A refusal is one, whatever its number", arguments: [0, 99, 101, 200, 204, 401, UInt32.max])
    func refuses(_ code: UInt32) throws {
        let status = CircuitStatus(code: code)
        for request in [HopClient.Request.reserve, .connect(Self.peer)] {
            #expect(try read(HopListener.refuse(status), HopClient(request).receive).0 == .refused(status))
        }
    }

    @Test("Messages in the wrong place, consent without a reservation, ids that are none: errors with a status")
    func rejects() throws {
        #expect(throws: CircuitError.noReservationGiven) {
            try read(HopListener.accept(limit: nil), HopClient(.reserve).receive)
        }
        let unexpected = CircuitError.wire(.unexpectedType(message: "HopMessage"))
        #expect(unexpected.status == .unexpectedMessage)
        #expect(throws: unexpected) { try read(HopClient(.reserve).start(), HopClient(.reserve).receive) }
        #expect(throws: unexpected) { try read(HopListener.refuse(.ok), HopListener().receive) }
        let connect = HopMessage.connect(peer: [1, 2, 3]).encodedDelimited()
        #expect(throws: CircuitError.self) { try read(connect, HopListener().receive) }
        #expect(throws: CircuitError.wire(.unexpectedType(message: "StopMessage"))) {
            try read(StopListener.answer(.ok), StopListener().receive)
        }
    }

    @Test("A remote time is clamped (CVE-2026-33040, CVE-2026-34219)", arguments: [Int64.min, 0, 1_800_000_000, .max])
    func clampsTimes(_ now: Int64) {
        for expiration in [0, 1, 1_800_000_000, UInt64(Int64.max), .max - 1, .max] {
            let lifetime = CircuitRelay.lifetime(until: expiration, unixTime: now)
            #expect(lifetime >= .zero && lifetime <= CircuitRelay.maximumLifetime)
        }
        #expect(CircuitRelay.lifetime(until: 1_060, unixTime: 1_000) == .seconds(60))
        #expect(CircuitRelay.lifetime(until: .max, unixTime: 1_000) == CircuitRelay.maximumLifetime)
    }
}

/// Vouchers: everything about one is checked.
@Suite struct ReservationVoucherTests {
    private let relay: PrivateKey
    private let peer: PeerID

    init() throws {
        relay = try PrivateKey.generate(.ed25519)
        peer = try PrivateKey.generate(.ed25519).publicKey.peerID
    }

    private func verify(
        _ envelope: [UInt8], from signer: PeerID? = nil, for holder: PeerID? = nil, at now: Int64 = 1_000
    ) throws(VoucherError) -> ReservationVoucher {
        try ReservationVoucher(
            verifying: envelope, from: signer ?? relay.publicKey.peerID, for: holder ?? peer, unixTime: now)
    }

    private func sealed(_ expiration: UInt64 = 2_000) throws -> [UInt8] {
        try ReservationVoucher(relay: relay.publicKey.peerID, peer: peer, expiration: expiration)
            .sealed(with: relay).encoded()
    }

    @Test("A sealed voucher verifies, and says what it said")
    func roundTrip() throws {
        let voucher = try verify(try sealed())
        #expect(voucher.relay == relay.publicKey.peerID && voucher.peer == peer && voucher.expiration == 2_000)
    }

    @Test("With any byte flipped it doesn't")
    func flips() throws {
        let whole = try sealed()
        for index in whole.indices {
            var bytes = whole
            bytes[index] ^= 0x01
            #expect(throws: VoucherError.self, "byte \(index)") { try verify(bytes) }
        }
    }

    @Test("Another relay's, another peer's, one that is over, and another kind of envelope are refused")
    func rejects() throws {
        let other = try PrivateKey.generate(.ed25519)
        let envelope = try sealed()
        #expect(throws: VoucherError.self) { try verify(envelope, from: other.publicKey.peerID) }
        #expect(throws: VoucherError.wrongPeer) { try verify(envelope, for: other.publicKey.peerID) }
        #expect(throws: VoucherError.expired) { try verify(envelope, at: 2_000) }
        #expect(throws: VoucherError.expired) { try verify(envelope, at: .max) }
        _ = try verify(try sealed(.max), at: .max - 1)
        let message = ReservationVoucherMessage(
            relay: other.publicKey.peerID.multihash, peer: peer.multihash, expiration: 2_000)
        let crossed = try SignedEnvelope(
            sealing: message.encoded(), payloadType: ReservationVoucher.payloadType, domain: ReservationVoucher.domain,
            with: relay)
        #expect(throws: VoucherError.wrongRelay) { try verify(crossed.encoded()) }
        let record = PeerRecord(peerID: relay.publicKey.peerID, sequence: 1, addresses: [])
        #expect(throws: VoucherError.self) { try verify(try record.sealed(with: relay).encoded()) }
    }
}
