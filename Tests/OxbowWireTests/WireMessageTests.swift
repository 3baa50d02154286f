import OxbowWire
import Testing

/// What holds for every message type.
@Suite struct WireMessageTests {
    static let key: [UInt8] = [0x08, 0x01, 0x12, 0x02, 0xaa, 0xbb]
    static let messages: [any WireMessage] = [
        PublicKeyMessage(type: 1, data: [0xaa, 0xbb]),
        PrivateKeyMessage(type: 3, data: []),
        NoiseHandshakePayload(
            identityKey: key, identitySignature: [1, 2, 3],
            extensions: NoiseExtensions(
                webtransportCertificateHashes: [[9], []], streamMuxers: ["/yamux/1.0.0", "/mplex/6.7.0"])),
        SignedEnvelopeMessage(publicKey: key, payloadType: [3, 1], payload: [5, 6, 7], signature: [8]),
        PeerRecordMessage(peerID: [0x00, 0x01, 0x05], sequence: .max, addresses: [[4, 127, 0, 0, 1], []]),
        IdentifyMessageTests.full,
        StreamMigrationMessage.migrate(id: .max, from: 1),
        AutoNATv1Message.dial(peer: [1, 2], addresses: [[4, 127, 0, 0, 1], []]),
        AutoNATv1Message.response(status: 300, address: [4, 127, 0, 0, 1]),
        AutoNATv2Message.dialRequest(addresses: [[4, 127, 0, 0, 1], []], nonce: .max),
        AutoNATv2Message.dialResponse(AutoNATv2Response(status: 200, index: .max, dialStatus: 101)),
        AutoNATv2Message.dialDataRequest(index: 3, count: .max),
        AutoNATv2Message.dialData([1, 2, 3]),
        AutoNATDialBack(nonce: 0x0102_0304_0506_0708),
        AutoNATDialBackResponse(status: 7),
    ]

    @Test(arguments: messages.indices) func messagesSurvive(index: Int) throws {
        try survives(Self.messages[index])
    }

    private func survives<Message: WireMessage>(_ message: Message) throws {
        #expect(try Message(decoding: message.encoded()) == message)
        var input = message.encodedDelimited()[...] + [0xff]
        #expect(try Message.decodeDelimited(from: &input) == message)
        #expect(input == [0xff])
    }

    /// Decoding is total: any prefix and any flipped bit gives a value or an error, and what it gives encodes.
    @Test(arguments: messages.indices) func damageGivesAValueOrAnError(index: Int) {
        damage(Self.messages[index])
    }

    private func damage<Message: WireMessage>(_ message: Message) {
        let bytes = message.encoded()
        for length in 0..<bytes.count { check(Message.self, Array(bytes[..<length])) }
        for index in bytes.indices {
            for bit in 0..<8 {
                var altered = bytes
                altered[index] ^= 1 << UInt8(bit)
                check(Message.self, altered)
            }
            check(Message.self, Array(bytes[..<index] + bytes[(index + 1)...]))
        }
    }

    private func check<Message: WireMessage>(_ type: Message.Type, _ bytes: [UInt8]) {
        guard let message = try? Message(decoding: bytes) else { return }
        #expect((try? Message(decoding: message.encoded())) == message)
    }

    /// Many strings of three bytes, as every message: no parser trips over any of them.
    @Test(arguments: messages.indices) func shortInputsAreHandled(index: Int) {
        short(Self.messages[index])
    }

    private func short<Message: WireMessage>(_ message: Message) {
        for first: UInt8 in 0...0x7f {
            for second in stride(from: UInt8(0), through: 0xff, by: 5) {
                for third: UInt8 in [0, 1, 0x7f, 0x80, 0xff] { check(Message.self, [first, second, third]) }
            }
        }
    }

    @Test(arguments: messages.indices) func theBoundIsCheckedFirst(index: Int) {
        bound(Self.messages[index])
    }

    private func bound<Message: WireMessage>(_ message: Message) {
        // Field 15 as bytes fills the message: it is unknown to all.
        let bytes = message.encoded()
        let room = Message.maximumSize - bytes.count - 3
        let full = bytes + [0x7a] + LengthDelimited.encode([UInt8](repeating: 0, count: room))
        #expect(full.count == Message.maximumSize)
        #expect((try? Message(decoding: full)) == message)
        let error = WireError.tooLarge(
            message: Message.name, size: UInt64(Message.maximumSize + 1), limit: Message.maximumSize)
        #expect(throws: error) { try Message(decoding: full + [0]) }
        #expect(throws: error) { try Message(decoding: [UInt8](repeating: 0xff, count: Message.maximumSize + 1)) }
    }

    /// Unknown fields cost a malloc each: a message that is full of them is read and freed.
    @Test func manyUnknownFieldsAreSkipped() throws {
        let unknown = [[UInt8]](repeating: [0x78, 0x00], count: 4_000).flatMap { $0 }
        #expect(try IdentifyMessage(decoding: unknown) == IdentifyMessage())
    }

    @Test func groupsAreRefusedHoweverDeep() {
        let groups = [UInt8](repeating: 0x7b, count: 8_000)
        #expect(throws: WireError.malformed(message: "Identify")) { try IdentifyMessage(decoding: groups) }
    }

    @Test func slicesAreReadFromWhereTheyStart() throws {
        let padded = [0xff, 0xff] + Self.key + [0xff]
        #expect(try PublicKeyMessage(decoding: padded[2..<8]) == PublicKeyMessage(type: 1, data: [0xaa, 0xbb]))
    }
}

@Suite struct KeyMessageTests {
    @Test func layout() throws {
        #expect(PublicKeyMessage(type: 1, data: [0xaa, 0xbb]).encoded() == WireMessageTests.key)
        #expect(PrivateKeyMessage(type: 0, data: [7]).encoded() == [0x08, 0x00, 0x12, 0x01, 0x07])
    }

    @Test func unknownTypesAreLeftToTheCaller() throws {
        #expect(try PublicKeyMessage(decoding: [0x08, 0x63, 0x12, 0x00]).type == 99)
        let negative: [UInt8] = [0x08] + [UInt8](repeating: 0xff, count: 9) + [0x01, 0x12, 0x00]
        #expect(try PublicKeyMessage(decoding: negative).type == .max)
    }

    @Test func bothFieldsAreRequired() {
        for bytes: [UInt8] in [[], [0x08, 0x01], [0x12, 0x01, 0x00]] {
            #expect(throws: WireError.malformed(message: "PublicKey")) { try PublicKeyMessage(decoding: bytes) }
            #expect(throws: WireError.malformed(message: "PrivateKey")) { try PrivateKeyMessage(decoding: bytes) }
        }
    }
}

@Suite struct NoisePayloadTests {
    @Test func layout() {
        let payload = NoiseHandshakePayload(
            identityKey: [1], identitySignature: [2, 3],
            extensions: NoiseExtensions(webtransportCertificateHashes: [[4]], streamMuxers: ["y"]))
        #expect(
            payload.encoded() == [
                0x0a, 1, 1, 0x12, 2, 2, 3, 0x22, 6, 0x0a, 1, 4, 0x12, 1, UInt8(ascii: "y"),
            ])
    }

    @Test func everythingIsOptional() throws {
        #expect(try NoiseHandshakePayload(decoding: []) == NoiseHandshakePayload())
        let empty = NoiseHandshakePayload(identityKey: [], identitySignature: [], extensions: NoiseExtensions())
        #expect(try NoiseHandshakePayload(decoding: empty.encoded()) == empty, "empty isn't absent")
    }

    @Test func extensionsAreCapped() throws {
        let limit = NoiseHandshakePayload.maximumExtensionEntries
        var payload = NoiseHandshakePayload(
            extensions: NoiseExtensions(streamMuxers: [String](repeating: "m", count: limit)))
        #expect(try NoiseHandshakePayload(decoding: payload.encoded()) == payload)
        payload.extensions?.streamMuxers.append("m")
        #expect(throws: WireError.tooMany(field: "the Noise multiplexers", count: limit + 1, limit: limit)) {
            try NoiseHandshakePayload(decoding: payload.encoded())
        }
        payload.extensions = NoiseExtensions(
            webtransportCertificateHashes: [[UInt8]](repeating: [], count: limit + 1))
        #expect(throws: WireError.tooMany(field: "the Noise certificate hashes", count: limit + 1, limit: limit)) {
            try NoiseHandshakePayload(decoding: payload.encoded())
        }
    }

    @Test func multiplexersAreText() {
        #expect(throws: WireError.notUTF8(field: "Noise multiplexer")) {
            try NoiseHandshakePayload(decoding: [0x22, 3, 0x12, 1, 0xff])
        }
    }
}

@Suite struct EnvelopeMessageTests {
    @Test func layout() {
        let envelope = SignedEnvelopeMessage(publicKey: [1], payloadType: [2], payload: [3], signature: [4])
        #expect(envelope.encoded() == [0x0a, 1, 1, 0x12, 1, 2, 0x1a, 1, 3, 0x2a, 1, 4])
        let bare = SignedEnvelopeMessage(publicKey: [1], payloadType: [], payload: [], signature: [4])
        #expect(bare.encoded() == [0x0a, 1, 1, 0x2a, 1, 4])
    }

    @Test func keyAndSignatureAreRequired() {
        for bytes: [UInt8] in [[], [0x0a, 1, 1], [0x2a, 1, 4]] {
            #expect(throws: WireError.malformed(message: "SignedEnvelope")) {
                try SignedEnvelopeMessage(decoding: bytes)
            }
        }
    }

    @Test func peerRecordLayout() throws {
        let record = PeerRecordMessage(peerID: [0, 1, 5], sequence: 300, addresses: [[4], [6, 7]])
        #expect(
            record.encoded() == [0x0a, 3, 0, 1, 5, 0x10, 0xac, 0x02, 0x1a, 3, 0x0a, 1, 4, 0x1a, 4, 0x0a, 2, 6, 7])
        #expect(PeerRecordMessage(peerID: [], sequence: 0, addresses: []).encoded() == [0x0a, 0])
        #expect(try PeerRecordMessage(decoding: []).peerID == [])
    }

    @Test func peerRecordsAreCapped() throws {
        var record = PeerRecordMessage(peerID: [0, 0], sequence: 1, addresses: [[UInt8]](repeating: [1], count: 500))
        #expect(try PeerRecordMessage(decoding: record.encoded()) == record)
        record.addresses.append([1])
        #expect(throws: WireError.tooMany(field: "the peer record's addresses", count: 501, limit: 500)) {
            try PeerRecordMessage(decoding: record.encoded())
        }
    }
}
