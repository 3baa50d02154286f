import OxbowCore
import OxbowCrypto
import OxbowWire

extension FuzzTarget {
    static let keys = [
        FuzzTarget(
            "public-key", "a public key's message, its data alone (DER, points), and signatures", maximumLength: 2_200,
            seeds: publicKeySeeds, publicKey),
        FuzzTarget(
            "private-key", "a private key's message, as it is stored", maximumLength: 2_600,
            seeds: { FuzzKeys.samples.map(\.protobuf) }, privateKey),
        FuzzTarget(
            "envelope", "signed envelopes, peer records and vouchers: bytes, and edits of genuine ones",
            maximumLength: 1_024, seeds: envelopeSeeds, envelope),
    ]

    // MARK: Keys

    /// The first byte says what follows: a message, or the data of a key of one type.
    private static func publicKey(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let kind = input.int(below: 6)
        let key: PublicKey
        if kind < KeyType.allCases.count {
            let data = input.rest()
            guard let made = try? PublicKey(type: KeyType.allCases[kind], data: data) else { return .refused }
            key = made
        } else {
            let signature = input.part()
            let bytes = input.rest()
            guard let read = try? PublicKey(protobuf: bytes) else { return .refused }
            try requireEqual(read.protobuf, bytes, "a key has one message")
            try require(
                !read.isValidSignature(signature, over: bytes) || signature.count >= 64,
                "a signature is made, not found")
            key = read
        }
        try requireEqual(try? PublicKey(protobuf: key.protobuf), key, "a key reads its own message")
        // 8,192 bits of modulus, four bytes of exponent, and what is around them: a longer one was refused unread.
        try require(key.type != .rsa || key.data.count <= 1_024 + 64, "an RSA key is of a size that is accepted")
        try requireEqual(try? PeerID(multihash: key.peerID.multihash), key.peerID, "a key has an id")
        if let inline = key.peerID.inlinePublicKey {
            try requireEqual(inline, key.protobuf, "an id holds the key that it is of")
        }
        return .accepted
    }

    private static func privateKey(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        guard let key = try? PrivateKey(protobuf: input.rest()) else { return .refused }
        guard let again = try? PrivateKey(protobuf: key.protobuf) else {
            throw FuzzFailure("a private key reads its own message")
        }
        try requireEqual(again.publicKey, key.publicKey, "a private key keeps its public half")
        guard let signature = try? key.sign([1, 2, 3]) else { throw FuzzFailure("a private key signs") }
        try require(key.publicKey.isValidSignature(signature, over: [1, 2, 3]), "the halves belong together")
        try require(!key.publicKey.isValidSignature(signature, over: [1, 2, 4]), "a signature is of one message")
        return .accepted
    }

    private static func publicKeySeeds() -> [[UInt8]] {
        let messages = FuzzKeys.samples.map { [4, 0] + $0.publicKey.protobuf }
        let data = FuzzKeys.samples.map { [UInt8($0.type.rawValue)] + $0.publicKey.data }
        return messages + data + [[0] + FuzzKeys.smallRSA, [0] + FuzzKeys.hugeRSA]
    }

    // MARK: Signed envelopes

    private static let record = PeerRecord(
        peerID: FuzzKeys.first.peerID, sequence: 7, addresses: FuzzAddresses.all.prefix(3).map(\.binary))
    private static let voucher = ReservationVoucherSample(
        relay: FuzzKeys.first, peer: FuzzKeys.second.peerID, expiration: 2_000)

    private static func envelope(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let kind = input.int(below: 4)
        guard let genuine = kind == 1 ? voucher.sealed : try? record.sealed(with: FuzzKeys.first).encoded() else {
            throw FuzzFailure("a record is signed with its own key")
        }
        let bytes = kind == 3 ? input.rest() : Mutations.mutated(genuine, by: &input)
        return kind == 1 ? try openVoucher(bytes) : try openRecord(bytes)
    }

    /// What opens says what was signed: an edit that isn't noticed has changed nothing that counts.
    private static func openRecord(_ bytes: [UInt8]) throws(FuzzFailure) -> Verdict {
        let opened: PeerRecord
        do { opened = try PeerRecord(verifying: bytes, from: nil) } catch { return .refused }
        try requireEqual(opened, record, "a record that opens is one that was signed")
        let ofAnother = try? PeerRecord(verifying: bytes, from: FuzzKeys.second.peerID)
        try require(ofAnother == nil, "a record is its signer's alone")
        let otherwise = try? SignedEnvelope(
            opening: bytes, payloadType: PeerRecord.payloadType, domain: "another domain", from: nil)
        try require(otherwise == nil, "a signature is for one domain")
        return .accepted
    }

    private static func openVoucher(_ bytes: [UInt8]) throws(FuzzFailure) -> Verdict {
        guard let opened = voucher.open(bytes, unixTime: 1_000) else { return .refused }
        try requireEqual(opened, voucher.voucher, "a voucher that opens is one that was signed")
        try require(voucher.open(bytes, unixTime: 2_000) == nil, "a voucher ends")
        try require(voucher.open(bytes, unixTime: .max) == nil, "a voucher ends, whatever the clock says")
        return .accepted
    }

    private static func envelopeSeeds() -> [[UInt8]] {
        let sealed = (try? record.sealed(with: FuzzKeys.first).encoded()) ?? []
        return [[0], [1], [0, 0, 9, 1], [3] + sealed, [0, 2, 200, 3, 1, 2, 3]]
    }
}
