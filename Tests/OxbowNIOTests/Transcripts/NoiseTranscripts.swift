import OxbowCore
import OxbowCrypto
import OxbowTesting
import OxbowUpgrade
import OxbowWire

@testable import OxbowSecurity

/// libp2p's Noise: the handshake, and a record each way behind it.
enum NoiseTranscripts {
    static let all: [Scenario] = [
        scenario(
            "noise-ed25519", .ed25519, .ed25519, [],
            ["Noise XX (/noise), both identities Ed25519", "", "No multiplexer is offered in the handshake."]),
        scenario(
            "noise-secp256k1", .secp256k1, .ed25519, [],
            ["Noise XX (/noise): A's identity is secp256k1, B's Ed25519", "", recorded]),
        scenario(
            "noise-ecdsa", .ecdsa, .ed25519, [],
            ["Noise XX (/noise): A's identity is ECDSA on P-256, B's Ed25519", "", recorded]),
        scenario(
            "noise-rsa", .ed25519, .rsa, [],
            ["Noise XX (/noise): A's identity is Ed25519, B's RSA with 2,048 bits"]),
        scenario(
            "noise-early-muxer", .ed25519, .ed25519, ["/yamux/1.0.0", "/mplex/6.7.0"],
            [
                "Noise XX (/noise) with the multiplexer agreed on in the handshake", "",
                "A offers Yamux and mplex, B only Yamux: the extensions of the payloads say so, and no negotiation of the",
                "multiplexer follows.",
            ]),
    ]

    private static let recorded =
        "The signature can't be computed twice: it has a random part. So it is one of the inputs."

    private static func scenario(
        _ name: String, _ typeOfA: KeyType, _ typeOfB: KeyType, _ muxers: [ProtocolID], _ about: [String]
    ) -> Scenario {
        Scenario(
            name: name, about: about + ["", "The records behind the handshake carry text."], format: .noise,
            labels: [
                "first message: length, A's ephemeral key",
                "second message: length, B's ephemeral key, then encrypted: B's static key, its payload",
                "third message: length, then encrypted: A's static key, its payload",
                "record: length, then encrypted: \"ping\"", "record: length, then encrypted: \"pong\"",
            ],
            inputs: { previous in
                try [(Side.a, typeOfA), (.b, typeOfB)].flatMap { side, type in
                    let identity = try KeyInputs.identity(side, type, previous)
                    return try [identity] + keys(side) + signature(side, identity, previous)
                }
            },
            script: [.does(.a, "starts"), .does(.a, "sends \"ping\""), .does(.b, "sends \"pong\"")],
            make: { side, inputs in
                try party(side, inputs, muxers: side == .a ? muxers : Array(muxers.prefix(1)))
            })
    }

    // MARK: Inputs

    /// Fixed keys: bytes that count up.
    private static func keys(_ side: Side) -> [Transcript.Input] {
        let first: UInt8 = side == .a ? 0x40 : 0x80
        return [
            .init(
                name: "\(side.rawValue).static", text: "\(side.rawValue)'s static X25519 key, private half",
                bytes: Array(first..<first + 32)),
            .init(
                name: "\(side.rawValue).ephemeral", text: "\(side.rawValue)'s ephemeral X25519 key, private half",
                bytes: Array(first + 32..<first + 64)),
        ]
    }

    private static func signature(
        _ side: Side, _ identity: Transcript.Input, _ previous: Scenario.Inputs
    ) throws -> [Transcript.Input] {
        let key = try PrivateKey(protobuf: identity.bytes)
        guard key.type == .ecdsa || key.type == .secp256k1 else { return [] }
        let name = "\(side.rawValue).signature"
        let publicKey = try X25519PrivateKey(raw: keys(side)[0].bytes).publicKey
        let signed = NoiseCredentials.signaturePrefix + publicKey
        let kept = previous[name].flatMap { key.publicKey.isValidSignature($0, over: signed) ? $0 : nil }
        return [
            .init(
                name: name, text: "\(side.rawValue)'s signature over its static key, made once",
                bytes: try kept ?? key.sign(signed))
        ]
    }

    // MARK: A side

    private static func party(_ side: Side, _ inputs: Scenario.Inputs, muxers: [ProtocolID]) throws -> any Party {
        let identity = try PrivateKey(protobuf: inputs.required("\(side.rawValue).identity"))
        let staticKey = try X25519PrivateKey(raw: inputs.required("\(side.rawValue).static"))
        let ephemeralKey = try X25519PrivateKey(raw: inputs.required("\(side.rawValue).ephemeral"))
        let credentials =
            if let signature = inputs["\(side.rawValue).signature"] {
                NoiseCredentials(
                    staticKey: staticKey, identityKey: identity.publicKey.protobuf, signature: signature)
            } else {
                try NoiseCredentials(identity: identity, staticKey: staticKey)
            }
        let handshake = try NoiseHandshake(
            role: side == .a ? .initiator : .responder,
            configuration: SecurityConfiguration(identity: identity, muxers: muxers), credentials: credentials,
            ephemeralKey: ephemeralKey)
        return SecureParty(.noise(handshake)).party
    }
}

/// A side of a secure channel: its handshake, and text in records behind it.
final class SecureParty {
    private var handshake: SecureHandshake?
    private var transport: SecureTransport?
    private var peer: AuthenticatedPeer?
    private var heard: [UInt8] = []

    /// What the handshake needs to exist as long as it does.
    private let foundation: AnyObject?

    init(_ handshake: consuming SecureHandshake, on foundation: AnyObject? = nil) {
        self.handshake = consume handshake
        self.foundation = foundation
    }

    deinit {
        // Before what they stand on.
        handshake = nil
        transport = nil
    }

    var party: MachineParty {
        MachineParty(
            actions: [
                "starts": { self.handshake?.start() ?? [] },
                "sends \"ping\"": { try self.send("ping") }, "sends \"pong\"": { try self.send("pong") },
            ], step: step, ending: ending)
    }

    private func send(_ text: String) throws -> [UInt8] {
        guard let bytes = try transport?.seal(Array(text.utf8)) else { throw TranscriptError("no handshake yet") }
        return bytes
    }

    private func step(_ input: inout ArraySlice<UInt8>) throws -> [UInt8]? {
        if transport != nil {
            let waiting = input.count
            heard += try transport?.open(&input) ?? []
            return input.count < waiting ? [] : nil
        }
        switch try handshake?.receive(&input) ?? .needMore {
        case .needMore: return nil
        case .send(let bytes): return bytes
        case .finished(let bytes, let peer):
            self.peer = peer
            transport = handshake.take()?.takeTransport()
            return bytes
        }
    }

    private func ending() throws -> String {
        guard let peer else { throw TranscriptError("the handshake has not finished") }
        let muxer = peer.muxer.map { "multiplexer \($0.rawValue)" } ?? "no multiplexer"
        return "knows \(peer.peer), \(muxer), hears \"\(String(decoding: heard, as: UTF8.self))\""
    }
}

/// Identity keys as inputs.
enum KeyInputs {
    /// The private key of a side as libp2p's key message: one of the fixed ones for Ed25519, else made once.
    static func identity(
        _ side: Side, _ type: KeyType, _ previous: Scenario.Inputs
    ) throws -> Transcript.Input {
        let name = "\(side.rawValue).identity"
        let kept = previous[name].flatMap { try? PrivateKey(protobuf: $0) }.flatMap { $0.type == type ? $0 : nil }
        let key = try type == .ed25519 ? fixed(side) : kept ?? PrivateKey.generate(type)
        return .init(
            name: name, text: "\(side.rawValue)'s identity: a private key message (peer-ids) of type \(type)",
            bytes: key.protobuf)
    }

    /// A has the lowest peer id of the fixed keys, B the next one.
    static func fixed(_ side: Side) -> PrivateKey { FixedKeys.all[side == .a ? 0 : 1] }

    /// Whoever is neither A nor B.
    static let third = Transcript.Input(
        name: "third.identity", text: "the third peer's identity: a private key message (peer-ids) of type Ed25519",
        bytes: FixedKeys.all[2].protobuf)
}

extension Scenario.Inputs {
    func required(_ name: String) throws -> [UInt8] {
        guard let bytes = self[name] else { throw TranscriptError("the transcript has no input \(name)") }
        return bytes
    }
}
