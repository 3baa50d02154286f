import OxbowCore
import OxbowWire
import Testing

@testable import OxbowCrypto

@Suite struct SignedEnvelopeTests {
    static let domain = "oxbow-test"
    static let type: [UInt8] = [0x2f, 0x6f]

    static func envelope(_ vector: KeyVector) throws -> (envelope: SignedEnvelope, signer: PeerID) {
        let key = try PrivateKey(protobuf: vector.privateKey)
        let envelope = try SignedEnvelope(sealing: text("payload"), payloadType: type, domain: domain, with: key)
        return (envelope, key.publicKey.peerID)
    }

    static func open(
        _ bytes: [UInt8], type: [UInt8] = type, domain: String = domain, from signer: PeerID? = nil
    ) throws(EnvelopeError) -> SignedEnvelope {
        try SignedEnvelope(opening: bytes, payloadType: type, domain: domain, from: signer)
    }

    @Test func eachSignedPartStandsBehindItsLength() {
        #expect(
            SignedEnvelope.signedBytes("ab", [3], [UInt8](repeating: 9, count: 200))
                == [2, 0x61, 0x62, 1, 3, 0xc8, 0x01] + [UInt8](repeating: 9, count: 200))
    }

    @Test(arguments: KeyVector.all) func whatIsSealedOpens(vector: KeyVector) throws {
        let (envelope, signer) = try Self.envelope(vector)
        #expect(try Self.open(envelope.encoded()) == envelope)
        #expect(try Self.open(envelope.encoded(), from: signer).payload == text("payload"))
    }

    @Test(arguments: KeyVector.all) func everyFlippedOrMissingByteIsRefused(vector: KeyVector) throws {
        OpenSSL.emptyErrorQueue()
        let bytes = try Self.envelope(vector).envelope.encoded()
        for altered in bytes.flipped + bytes.truncated {
            #expect(throws: EnvelopeError.self) { try Self.open(altered) }
        }
        #expect(OpenSSL.isErrorQueueEmpty)
    }

    /// The same, field by field, so that the signature alone has to tell.
    @Test(arguments: KeyVector.all) func everyFieldIsSigned(vector: KeyVector) throws {
        let (envelope, _) = try Self.envelope(vector)
        let message = try SignedEnvelopeMessage(decoding: envelope.encoded())
        for payload in message.payload.flipped + message.payload.truncated + [message.payload + [0]] {
            var altered = message
            altered.payload = payload
            #expect(throws: EnvelopeError.badSignature) { try Self.open(altered.encoded()) }
        }
        for signature in message.signature.flipped + message.signature.truncated {
            var altered = message
            altered.signature = signature
            #expect(throws: EnvelopeError.badSignature) { try Self.open(altered.encoded()) }
        }
        for type in message.payloadType.flipped {
            var altered = message
            altered.payloadType = type
            #expect(throws: EnvelopeError.wrongPayloadType(type)) { try Self.open(altered.encoded()) }
            #expect(throws: EnvelopeError.badSignature) { try Self.open(altered.encoded(), type: type) }
            #expect(throws: EnvelopeError.wrongPayloadType(Self.type)) { try Self.open(message.encoded(), type: type) }
        }
        for domain in text(Self.domain).flipped {
            let domain = try #require(String(validating: domain, as: UTF8.self))
            #expect(throws: EnvelopeError.badSignature) { try Self.open(message.encoded(), domain: domain) }
        }
        for key in message.publicKey.flipped {
            var altered = message
            altered.publicKey = key
            #expect(throws: EnvelopeError.self) { try Self.open(altered.encoded()) }
        }
    }

    @Test func aBorderMovedBetweenThePartsIsRefused() throws {
        let (envelope, _) = try Self.envelope(.ed25519)
        var message = try SignedEnvelopeMessage(decoding: envelope.encoded())
        message.payload = [Self.type[1]] + message.payload
        message.payloadType = [Self.type[0]]
        #expect(throws: EnvelopeError.badSignature) { try Self.open(message.encoded(), type: [Self.type[0]]) }
    }

    @Test func anotherSignerIsRefused() throws {
        let (envelope, signer) = try Self.envelope(.ed25519)
        let other = try Self.envelope(.ecdsa)
        #expect(throws: EnvelopeError.wrongSigner(expected: other.signer, actual: signer)) {
            try Self.open(envelope.encoded(), from: other.signer)
        }
        var message = try SignedEnvelopeMessage(decoding: envelope.encoded())
        message.publicKey = other.envelope.publicKey.protobuf
        #expect(throws: EnvelopeError.badSignature) { try Self.open(message.encoded(), from: other.signer) }
    }
}

@Suite struct PeerRecordTests {
    let addresses = [hex("047f000001060fa1"), hex("047f000001910202cc03")]

    func record(_ vector: KeyVector) throws -> (record: PeerRecord, key: PrivateKey) {
        let key = try PrivateKey(protobuf: vector.privateKey)
        return (PeerRecord(peerID: key.publicKey.peerID, sequence: .max, addresses: addresses), key)
    }

    @Test(arguments: KeyVector.all) func signedRecordsSurvive(vector: KeyVector) throws {
        let (record, key) = try record(vector)
        let envelope = try record.sealed(with: key).encoded()
        #expect(try PeerRecord(verifying: envelope, from: record.peerID) == record)
        #expect(try PeerRecord(verifying: envelope, from: nil) == record)
    }

    @Test(arguments: KeyVector.all) func everyFlippedOrMissingByteIsRefused(vector: KeyVector) throws {
        let (record, key) = try record(vector)
        let envelope = try record.sealed(with: key).encoded()
        for altered in envelope.flipped + envelope.truncated {
            #expect(throws: EnvelopeError.self) { try PeerRecord(verifying: altered, from: nil) }
        }
    }

    /// RUSTSEC-2022-0009: a valid signature, by somebody else than the record speaks for.
    @Test func aCrossSignedRecordIsRefused() throws {
        let victim = try record(.ecdsa).record
        let attacker = try PrivateKey(protobuf: KeyVector.ed25519.privateKey)
        let envelope = try SignedEnvelope(
            sealing: victim.encoded, payloadType: PeerRecord.payloadType, domain: PeerRecord.domain, with: attacker
        ).encoded()
        let signer = attacker.publicKey.peerID
        let error = EnvelopeError.recordOfAnother(peer: victim.peerID, signer: signer)
        #expect(throws: error) { try PeerRecord(verifying: envelope, from: nil) }
        #expect(throws: error) { try PeerRecord(verifying: envelope, from: signer) }
        #expect(throws: EnvelopeError.wrongSigner(expected: victim.peerID, actual: signer)) {
            try PeerRecord(verifying: envelope, from: victim.peerID)
        }
    }

    @Test func anotherDomainOrTypeIsRefused() throws {
        let (record, key) = try record(.ed25519)
        let domain = try SignedEnvelope(
            sealing: record.encoded, payloadType: PeerRecord.payloadType, domain: "libp2p-relay-rsvp", with: key)
        #expect(throws: EnvelopeError.badSignature) { try PeerRecord(verifying: domain.encoded(), from: nil) }
        let type = try SignedEnvelope(
            sealing: record.encoded, payloadType: [0x03, 0x02], domain: PeerRecord.domain, with: key)
        #expect(throws: EnvelopeError.wrongPayloadType([0x03, 0x02])) {
            try PeerRecord(verifying: type.encoded(), from: nil)
        }
    }

    @Test func aRecordWithoutAPeerIsRefused() throws {
        let key = try PrivateKey(protobuf: KeyVector.ed25519.privateKey)
        for payload in [[], PeerRecordMessage(peerID: [1, 2, 3], sequence: 0, addresses: []).encoded()] {
            let envelope = try SignedEnvelope(
                sealing: payload, payloadType: PeerRecord.payloadType, domain: PeerRecord.domain, with: key)
            #expect(throws: EnvelopeError.self) { try PeerRecord(verifying: envelope.encoded(), from: nil) }
        }
    }
}
