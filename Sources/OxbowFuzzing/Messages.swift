import OxbowCore
import OxbowCrypto
import OxbowWire

extension FuzzTarget {
    static let messages = [
        FuzzTarget(
            "message", "each protobuf message: the first byte says which", maximumLength: 1_024,
            seeds: {
                MessageHarness.all.enumerated().flatMap { index, one in one.samples.map { [UInt8(index)] + $0 } }
            },
            message),
        FuzzTarget(
            "migrate-answer", "the answer to a Migrate, in either dialect", maximumLength: 64,
            seeds: {
                [MigrationDialect.draft, .proofOfConcept].flatMap { dialect in
                    [MigrationAnswer.accept, .deny].map { $0.encodedDelimited(in: dialect) }
                }
            }, migrateAnswer),
        FuzzTarget(
            "framing", "bodies behind their lengths, with a bound", maximumLength: 256,
            seeds: { [[0, 3, 1, 2, 3], [200, 0x80, 0x01], [9, 0, 0, 2, 7]] }, framing),
    ]

    private static func message(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let harness = MessageHarness.all[input.int(below: MessageHarness.all.count)]
        return try harness.check(input.rest())
    }

    private static func migrateAnswer(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let bytes = input.rest()
        var rest = bytes[...]
        let answer: MigrationAnswer?
        do { answer = try MigrationAnswer.decodeDelimited(from: &rest) } catch { return .refused }
        guard let answer else {
            try requireEqual(Array(rest), bytes, "what isn't whole stays where it is")
            return .refused
        }
        try require(bytes[...].hasSuffix(rest) && rest.count < bytes.count, "what follows an answer is left")
        for dialect in [MigrationDialect.draft, .proofOfConcept] {
            try requireEqual(try? MigrationAnswer.decode(answer.encoded(in: dialect)[...]), answer, "answers read back")
        }
        return .accepted
    }

    private static func framing(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let limit = input.int(below: 256)
        let bytes = input.rest()
        var rest = bytes[...]
        var bodies = 0
        while !rest.isEmpty {
            let before = rest
            let body: ArraySlice<UInt8>?
            do { body = try LengthDelimited.decode(from: &rest, limit: limit) } catch {
                try require(rest == before, "what is refused stays where it is")
                break
            }
            guard let body else {
                try require(rest == before, "what isn't whole stays where it is")
                break
            }
            bodies += 1
            try require(body.count <= limit, "a body is within its bound")
            try requireEqual(
                Array(before), LengthDelimited.encode(body) + rest, "a body and what follows make the input")
        }
        return bodies > 0 ? .accepted : .refused
    }
}

extension ArraySlice<UInt8> {
    /// Whether it ends with `other`, as what is left of an input does.
    func hasSuffix(_ other: ArraySlice<UInt8>) -> Bool {
        other.count <= count && suffix(other.count).elementsEqual(other)
    }
}

/// One kind of message, with valid ones.
struct MessageHarness: Sendable {
    let samples: [[UInt8]]
    let check: @Sendable ([UInt8]) throws(FuzzFailure) -> FuzzTarget.Verdict

    init<Message: WireMessage>(_ samples: Message...) {
        self.samples = samples.map { $0.encoded() }
        check = { (bytes) throws(FuzzFailure) in try Self.check(Message.self, bytes) }
    }

    /// What is decoded is encoded to what decodes to the same; a frame around it changes nothing.
    private static func check<Message: WireMessage>(
        _ type: Message.Type, _ bytes: [UInt8]
    ) throws(FuzzFailure) -> FuzzTarget.Verdict {
        let message: Message
        do { message = try Message(decoding: bytes) } catch { return .refused }
        let encoded = message.encoded()
        // An element of a repeated field may come in two bytes. Written out it has its required fields too.
        try require(
            encoded.count <= 4 * bytes.count + 64, "\(bytes.count) bytes of \(Message.name) become \(encoded.count)")
        try requireEqual(try? Message(decoding: encoded), message, "\(Message.name) reads itself")
        try requireEqual(
            try? Message(decoding: encoded).encoded(), encoded, "\(Message.name) is written in one way")

        let behind: [UInt8] = [0xa5, 0x5a]
        let delimited = LengthDelimited.encode(bytes)
        var rest = (delimited + behind)[...]
        let read = try? Message.decodeDelimited(from: &rest)
        try requireEqual(read ?? nil, message, "\(Message.name) is read behind its length")
        try requireEqual(Array(rest), behind, "nothing behind \(Message.name) is read")
        var cut = delimited.dropLast()
        let short = try? Message.decodeDelimited(from: &cut)
        try require(bytes.isEmpty || short == .some(nil), "\(Message.name) isn't read before it is whole")
        return .accepted
    }
}

extension MessageHarness {
    private static let address = FuzzAddresses.all[0].binary
    private static let peer = FuzzKeys.second.peerID.multihash
    private static let limit = CircuitLimitMessage(seconds: 120, bytes: 131_072)

    static let all: [MessageHarness] = [
        MessageHarness(identify, IdentifyMessage()),
        MessageHarness(PublicKeyMessage(type: 1, data: [1, 2, 3])),
        MessageHarness(PrivateKeyMessage(type: 2, data: [1, 2, 3])),
        MessageHarness(SignedEnvelopeMessage(publicKey: [1], payloadType: [3, 1], payload: [2], signature: [3, 4])),
        MessageHarness(PeerRecordMessage(peerID: peer, sequence: 7, addresses: [address, address])),
        MessageHarness(
            NoiseHandshakePayload(
                identityKey: [1], identitySignature: [2, 3],
                extensions: NoiseExtensions(webtransportCertificateHashes: [[4]], streamMuxers: ["/yamux/1.0.0"]))),
        MessageHarness(
            StreamMigrationMessage.label(id: 0), .migrate(id: 2, from: 0), .ackMigrate(deny: nil),
            .ackMigrate(deny: true)),
        MessageHarness(
            HopMessage.reserve, .connect(peer: peer),
            .status(
                .ok,
                reservation: CircuitReservationMessage(expiration: 9, addresses: [address], voucher: [1, 2]),
                limit: limit)),
        MessageHarness(StopMessage.connect(peer: peer, limit: limit), .status(.connectionFailed)),
        MessageHarness(ReservationVoucherMessage(relay: peer, peer: peer, expiration: 1 << 40)),
        MessageHarness(HolePunchMessage.connect(addresses: [address]), .sync),
        MessageHarness(
            AutoNATv1Message.dial(peer: peer, addresses: [address]), .response(status: 100, address: address)),
        MessageHarness(
            AutoNATv2Message.dialRequest(addresses: [address], nonce: .max),
            .dialResponse(AutoNATv2Response(status: 200, index: 0, dialStatus: 200)),
            .dialDataRequest(index: 0, count: 30_000), .dialData([UInt8](repeating: 0, count: 100))),
        MessageHarness(AutoNATDialBack(nonce: 5)),
        MessageHarness(AutoNATDialBackResponse(), AutoNATDialBackResponse(status: 1)),
    ]

    private static var identify: IdentifyMessage {
        var message = IdentifyMessage()
        message.publicKey = FuzzKeys.first.publicKey.protobuf
        message.listenAddresses = [address]
        message.protocols = ["/ipfs/id/1.0.0", "/libp2p/stream-migration"]
        message.observedAddress = address
        message.protocolVersion = "ipfs/0.1.0"
        message.agentVersion = "fuzz"
        message.signedPeerRecord = [1, 2, 3]
        return message
    }
}
