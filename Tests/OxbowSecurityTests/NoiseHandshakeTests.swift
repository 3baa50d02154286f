import OxbowCore
import OxbowCrypto
import OxbowWire
import Testing

@testable import OxbowSecurity

/// What holds for Noise alone. The other end is played by hand, to say what an honest one never would.
@Suite("A Noise handshake")
struct NoiseHandshakeTests {
    static let yamux: ProtocolID = "/yamux/1.0.0"
    static let mplex: ProtocolID = "/mplex/6.7.0"

    static func framed(_ message: [UInt8]) -> [UInt8] {
        [UInt8(message.count >> 8), UInt8(message.count & 0xff)] + message
    }

    static func payload(
        _ identity: Identity = .bob, muxers: [String] = []
    ) -> NoiseHandshakePayload {
        NoiseHandshakePayload(
            identityKey: identity.key.publicKey.protobuf, identitySignature: identity.credentials.signature,
            extensions: NoiseExtensions(streamMuxers: muxers))
    }

    /// Lets the machine under test read `payload` from a hand-made other end, and gives what became of it.
    static func outcome(
        _ role: SecurityRole, muxers: [ProtocolID] = [], payload: [UInt8], early: [UInt8]? = nil
    ) throws -> (peer: AuthenticatedPeer?, error: SecurityError?) {
        let end = End(try Channel.noise.handshake(role, .alice, muxers: muxers))
        let other: SecurityRole = role == .initiator ? .responder : .initiator
        var noise = NoiseXX(
            role: other, staticKey: Identity.bob.credentials.staticKey, ephemeralKey: try X25519PrivateKey.generate())
        switch role {
        case .initiator:
            _ = try noise.read(end.start().dropFirst(2))
            _ = end.receive(framed(try noise.write(payload: payload)))
        case .responder:
            let first = try early.map { try noise.write(payload: $0) } ?? noise.writeFirst()
            let second = end.receive(framed(first))
            _ = try noise.read(second.dropFirst(2))
            _ = end.receive(framed(try noise.write(payload: payload)))
        }
        return (end.peer, end.error)
    }

    @Test("accepts a payload made by hand", arguments: SecurityRole.each)
    func byHand(role: SecurityRole) throws {
        let outcome = try Self.outcome(role, payload: Self.payload().encoded())
        #expect(outcome.peer?.peer == Identity.bob.peer)
    }

    @Test("ignores a payload in the first message")
    func earlyPayload() throws {
        let outcome = try Self.outcome(.responder, payload: Self.payload().encoded(), early: pattern(100))
        #expect(outcome.peer?.peer == Identity.bob.peer)
    }

    /// CVE-2019-15545, CVE-2022-24759.
    @Test("refuses an identity that didn't sign the static key", arguments: SecurityRole.each)
    func signature(role: SecurityRole) throws {
        var payload = Self.payload()
        payload.identityKey = Identity.alice.key.publicKey.protobuf
        #expect(try Self.outcome(role, payload: payload.encoded()).error == .badSignature)
        payload = Self.payload()
        payload.identitySignature = nil
        #expect(try Self.outcome(role, payload: payload.encoded()).error == .badSignature)
        let signature = Identity.bob.credentials.signature
        for index in signature.indices {
            payload.identitySignature = signature
            payload.identitySignature?[index] ^= 1
            #expect(try Self.outcome(role, payload: payload.encoded()).error == .badSignature)
        }
        // The prefix keeps a signature of something else from counting here.
        let bare = try Identity.bob.key.sign(Identity.bob.credentials.staticKey.publicKey)
        payload.identitySignature = bare
        #expect(try Self.outcome(role, payload: payload.encoded()).error == .badSignature)
    }

    @Test("refuses an identity key that can't be read", arguments: SecurityRole.each)
    func identityKey(role: SecurityRole) throws {
        for key in [nil, [], [1, 2, 3], Identity.bob.key.publicKey.protobuf + [0]] as [[UInt8]?] {
            var payload = Self.payload()
            payload.identityKey = key
            let error = try #require(try Self.outcome(role, payload: payload.encoded()).error)
            guard case .badIdentityKey = error else {
                Issue.record("\(error)")
                continue
            }
        }
    }

    @Test("refuses a payload that isn't one", arguments: SecurityRole.each)
    func payload(role: SecurityRole) throws {
        let error = try #require(try Self.outcome(role, payload: [0xff, 0xff, 0xff]).error)
        guard case .malformed = error else {
            Issue.record("\(error)")
            return
        }
    }

    @Test("fails when both sides named multiplexers and share none", arguments: SecurityRole.each)
    func noCommonMuxer(role: SecurityRole) throws {
        let payload = Self.payload(muxers: ["/other/1", Self.mplex.rawValue])
        #expect(try Self.outcome(role, muxers: [Self.yamux], payload: payload.encoded()).error == .noCommonMuxer)
        let agreed = try Self.outcome(role, muxers: [Self.yamux, Self.mplex], payload: payload.encoded())
        #expect(agreed.peer?.muxer == Self.mplex)
        #expect(try Self.outcome(role, payload: payload.encoded()).peer?.muxer == nil)
    }

    @Test("takes the initiator's order, whichever side we are")
    func preference() throws {
        let theirs = Self.payload(muxers: [Self.mplex.rawValue, Self.yamux.rawValue]).encoded()
        let ours = [Self.yamux, Self.mplex]
        #expect(try Self.outcome(.initiator, muxers: ours, payload: theirs).peer?.muxer == Self.yamux)
        #expect(try Self.outcome(.responder, muxers: ours, payload: theirs).peer?.muxer == Self.mplex)
    }

    @Test("has room for an RSA key of 8,192 bits and a full list of multiplexers")
    func largest() throws {
        let muxers = (0..<32).map { "/multiplexer/with/a/long/name/\($0)" }
        let largest = NoiseHandshakePayload(
            identityKey: [UInt8](repeating: 1, count: 1_074), identitySignature: [UInt8](repeating: 2, count: 1_024),
            extensions: NoiseExtensions(streamMuxers: muxers))
        #expect(try NoiseHandshakePayload(decoding: largest.encoded()) == largest)
        #expect(largest.encoded().count + 96 <= NoiseHandshake.maximumMessage)
        // And one byte more than the bound is refused by its length alone.
        let end = End(try Channel.noise.handshake(.responder, .alice))
        let tooLong = NoiseHandshake.maximumMessage + 1
        _ = end.receive([UInt8(tooLong >> 8), UInt8(tooLong & 0xff)])
        #expect(end.error == .recordTooLong(length: tooLong, limit: NoiseHandshake.maximumMessage))
    }

    @Test("ends in transports that understand each other")
    func transports() throws {
        let wire = try Channel.noise.wire(.alice, .bob)
        wire.run()
        var alice = wire.initiator.takeNoise()
        var bob = wire.responder.takeNoise()
        for count in [0, 1, 65_408] {
            #expect(try bob.opened(alice.sealed(pattern(count))) == pattern(count))
            #expect(try alice.opened(bob.sealed(pattern(count))) == pattern(count))
        }
    }

    @Test("makes keys of its own when it is given none")
    func freshKeys() throws {
        let configuration = SecurityConfiguration(identity: Identity.alice.key)
        let wire = Wire(
            .noise(try NoiseHandshake(role: .initiator, configuration: configuration)),
            .noise(try NoiseHandshake(role: .responder, configuration: configuration)))
        wire.run()
        #expect(wire.initiator.peer?.peer == Identity.alice.peer)
        #expect(wire.responder.peer?.peer == Identity.alice.peer)
    }
}
