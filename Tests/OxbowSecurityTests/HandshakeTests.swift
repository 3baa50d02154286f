import OxbowCore
import OxbowCrypto
import OxbowSeeds
import Testing

@testable import OxbowSecurity

/// What holds for Noise and for TLS alike.
@Suite("A handshake")
struct HandshakeTests {
    static let yamux: ProtocolID = "/yamux/1.0.0"
    static let mplex: ProtocolID = "/mplex/6.7.0"
    static let both = Channel.allCases

    @Test("tells each end who the other is, with keys of every kind", arguments: both, KeyType.allCases)
    func keys(channel: Channel, type: KeyType) throws {
        let carol = try #require(Identity.ofEachType[type])
        for (first, second) in [(Identity.alice, carol), (carol, Identity.alice)] {
            let wire = try channel.wire(first, second)
            wire.run()
            #expect(
                wire.initiator.peer
                    == AuthenticatedPeer(
                        peer: second.peer, publicKey: second.key.publicKey, muxer: nil))
            #expect(
                wire.responder.peer
                    == AuthenticatedPeer(
                        peer: first.peer, publicKey: first.key.publicKey, muxer: nil))
            let leftovers = [wire.initiator.inbound.count, wire.responder.inbound.count]
            #expect(leftovers == [0, 0])
        }
    }

    @Test("doesn't mind how its bytes are split", arguments: both, 0..<20)
    func splits(channel: Channel, seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let wire = try channel.wire(.alice, .bob)
        // Seed 0: byte by byte.
        wire.chunk = { seed == 0 ? 1 : Int.random(in: 1...200, using: &generator) }
        wire.run()
        #expect(wire.initiator.peer?.peer == Identity.bob.peer)
        #expect(wire.responder.peer?.peer == Identity.alice.peer)
    }

    @Test("takes nothing of what follows its last message", arguments: both, [1, 2, 5, 300])
    func leftover(channel: Channel, count: Int) throws {
        let wire = try channel.wire(.alice, .bob)
        let more = pattern(count)
        var toResponder = wire.initiator.start()
        while !toResponder.isEmpty {
            let toInitiator = wire.responder.receive(toResponder)
            toResponder = wire.initiator.receive(toInitiator)
            if wire.initiator.peer != nil, !toResponder.isEmpty { toResponder += more }
        }
        #expect(wire.responder.peer?.peer == Identity.alice.peer)
        #expect(Array(wire.responder.inbound) == more)
    }

    struct MuxerCase: Sendable, CustomTestStringConvertible {
        var initiator: [ProtocolID]
        var responder: [ProtocolID]
        var agreed: ProtocolID?
        var testDescription: String { "\(initiator) meets \(responder)" }
    }

    @Test(
        "agrees on the initiator's first multiplexer that the responder has too", arguments: both,
        [
            MuxerCase(initiator: [yamux], responder: [yamux], agreed: yamux),
            MuxerCase(initiator: [yamux, mplex], responder: [mplex, yamux], agreed: yamux),
            MuxerCase(initiator: [mplex, yamux], responder: [yamux, mplex], agreed: mplex),
            MuxerCase(initiator: [mplex, yamux], responder: [yamux], agreed: yamux),
            MuxerCase(initiator: [], responder: [yamux], agreed: nil),
            MuxerCase(initiator: [yamux], responder: [], agreed: nil),
            MuxerCase(initiator: [], responder: [], agreed: nil),
        ])
    func muxers(channel: Channel, muxers: MuxerCase) throws {
        let wire = Wire(
            try channel.handshake(.initiator, .alice, muxers: muxers.initiator),
            try channel.handshake(.responder, .bob, muxers: muxers.responder))
        wire.run()
        let initiators = try #require(wire.initiator.peer)
        let responders = try #require(wire.responder.peer)
        #expect(initiators.muxer == muxers.agreed)
        #expect(responders.muxer == muxers.agreed)
    }

    @Test("accepts the peer that was expected, and no other", arguments: both)
    func expectedPeer(channel: Channel) throws {
        var wire = Wire(
            try channel.handshake(.initiator, .alice, expecting: Identity.bob.peer),
            try channel.handshake(.responder, .bob, expecting: Identity.alice.peer))
        wire.run()
        #expect(wire.initiator.peer != nil && wire.responder.peer != nil)

        let carol = try #require(Identity.ofEachType[.secp256k1])
        wire = Wire(
            try channel.handshake(.initiator, .alice, expecting: carol.peer), try channel.handshake(.responder, .bob))
        wire.run()
        #expect(wire.initiator.error == .peerIDMismatch(expected: carol.peer, actual: Identity.bob.peer))
        #expect(wire.responder.peer == nil)

        wire = Wire(
            try channel.handshake(.initiator, .alice), try channel.handshake(.responder, .bob, expecting: carol.peer))
        wire.run()
        #expect(wire.responder.error == .peerIDMismatch(expected: carol.peer, actual: Identity.alice.peer))
    }

    @Test("survives no changed byte of the initiator", arguments: both)
    func flippedInitiator(channel: Channel) throws {
        try flipEachByte(channel, of: .initiator)
    }

    @Test("survives no changed byte of the responder", arguments: both)
    func flippedResponder(channel: Channel) throws {
        try flipEachByte(channel, of: .responder)
    }

    /// The receiver of a changed byte either fails or waits for bytes that never come. TLS authenticates every byte but
    /// one, the minor version in the header of the first record: that may do no harm, and then changes nothing.
    private func flipEachByte(_ channel: Channel, of role: SecurityRole) throws {
        func wire() throws -> Wire {
            Wire(
                try channel.handshake(.initiator, .alice, muxers: [Self.yamux]),
                try channel.handshake(.responder, .bob, muxers: [Self.yamux]))
        }
        let unchanged = try wire()
        unchanged.run()
        let count = role == .initiator ? unchanged.sent.initiator.count : unchanged.sent.responder.count
        try #require(count > 200)
        var harmless: [Int] = []
        for offset in 0..<count {
            let wire = try wire()
            wire.flip = (role, offset, offset % 2 == 0 ? 0x01 : 0x80)
            wire.run()
            // The length of an ECDSA signature varies: this flight may be shorter than the first was.
            guard offset < (role == .initiator ? wire.sent.initiator : wire.sent.responder).count else { break }
            let receiver = role == .initiator ? wire.responder.peer : wire.initiator.peer
            guard let receiver else { continue }
            harmless.append(offset)
            #expect(receiver == (role == .initiator ? unchanged.responder.peer : unchanged.initiator.peer))
        }
        #expect(harmless == (channel == .noise ? [] : [2]))
    }

    @Test("waits for the rest of a truncated message", arguments: both)
    func truncated(channel: Channel) throws {
        let wire = try channel.wire(.alice, .bob)
        let first = wire.initiator.start()
        #expect(wire.responder.receive(first.dropLast()).isEmpty)
        #expect(!wire.responder.isOver)
        #expect(wire.responder.inbound.count == first.count - 1)
        #expect(!wire.responder.receive(first.suffix(1)).isEmpty)
    }

    @Test("answers garbage with an error", arguments: both, SecurityRole.each)
    func garbage(channel: Channel, role: SecurityRole) throws {
        var generator = SplitMix64(seed: 7)
        for _ in 0..<200 {
            let end = End(try channel.handshake(role, .alice))
            _ = end.start()
            for _ in 0..<100 where !end.isOver {
                let count = Int.random(in: 1...1000, using: &generator)
                _ = end.receive((0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
            }
            #expect(end.peer == nil)
            #expect(end.error != nil)
        }
    }

    @Test("refuses a length beyond its bound before the bytes arrive", arguments: SecurityRole.each)
    func oversize(role: SecurityRole) throws {
        let noise = End(try Channel.noise.handshake(role, .alice))
        _ = noise.start()
        _ = noise.receive([0xff, 0xff])
        #expect(noise.error == .recordTooLong(length: 65_535, limit: NoiseHandshake.maximumMessage))
        let tls = End(try Channel.tls.handshake(role, .alice))
        _ = tls.start()
        _ = tls.receive([22, 3, 3, 0xff, 0xff])
        #expect(tls.error == .recordTooLong(length: 65_535, limit: TLSHandshake.maximumRecord))
    }

    @Test("is of no use after an error", arguments: both)
    func afterError(channel: Channel) throws {
        var handshake = try channel.handshake(.responder, .alice)
        var input = ArraySlice<UInt8>(repeating: 0xff, count: 10)
        #expect(throws: SecurityError.self) { _ = try handshake.receive(&input) }
        input = []
        #expect(throws: SecurityError.closed) { _ = try handshake.receive(&input) }
    }

    @Test("leaves further input alone once it has finished", arguments: both)
    func afterFinish(channel: Channel) throws {
        let wire = try channel.wire(.alice, .bob)
        wire.run()
        wire.initiator.inbound = [1, 2, 3]
        #expect(try wire.initiator.step() == .needMore)
        #expect(wire.initiator.inbound == [1, 2, 3])
    }
}

extension SecurityRole {
    static let each: [SecurityRole] = [.initiator, .responder]
}
