import OxbowCore
import OxbowCrypto
import Testing

@testable import OxbowSecurity

/// What holds for TLS alone.
@Suite("A TLS handshake")
struct TLSHandshakeTests {
    static let yamux: ProtocolID = "/yamux/1.0.0"

    /// A peer that presents the certificates that are given, and checks nothing of the other side's that we don't.
    static func peer(
        _ role: SecurityRole, certificate: [UInt8]?, second: [UInt8]? = nil, key: borrowing TLSCertificateKey,
        offer: [UInt8]? = nil
    ) throws -> End {
        let context = try TLSContext()
        if let certificate { try context.use(TLSCertificate(der: certificate), key) }
        if let second { context.alsoSend(try TLSCertificate(der: second)) }
        let check = TLSPeerCheck(muxers: [], expectedPeer: nil, unixTime: Identity.now)
        let connection = try TLSConnection(role: role, context: context, check: check, offer: offer)
        return End(.tls(TLSHandshake(connection: connection)))
    }

    static func wire(_ role: SecurityRole, of other: End, muxers: [ProtocolID] = []) throws -> Wire {
        let ours = End(try Channel.tls.handshake(role, .bob, muxers: muxers))
        return role == .initiator ? Wire(ours, other) : Wire(other, ours)
    }

    @Test("refuses a certificate that breaks a rule", arguments: SecurityRole.each, ForgedCertificate.allCases)
    func forged(role: SecurityRole, forgery: ForgedCertificate) throws {
        let key = try TLSCertificateKey()
        let certificate = try forgery.der(of: .alice, key)
        let other = try Self.peer(role.other, certificate: certificate, key: key)
        let wire = try Self.wire(role, of: other)
        wire.run()
        let ours = role == .initiator ? wire.initiator : wire.responder
        #expect(ours.error == forgery.error.map { .certificate($0) })
        #expect((ours.peer != nil) == (forgery.error == nil))
        // The other side is told: a server before it has finished, a client after.
        guard forgery.error != nil else { return }
        if role == .initiator {
            guard case .tlsAlert = other.error else {
                Issue.record("\(String(describing: other.error))")
                return
            }
        } else {
            var transport = other.takeTLS()
            try other.inbound.withUnsafeBytes { try transport.receive($0) }
            #expect(throws: SecurityError.self) { _ = try transport.readAll() }
        }
    }

    @Test("refuses two certificates", arguments: SecurityRole.each)
    func twoCertificates(role: SecurityRole) throws {
        let key = try TLSCertificateKey()
        let certificate = try ForgedCertificate.honest.der(of: .alice, key)
        let other = try Self.peer(
            role.other, certificate: certificate, second: ForgedCertificate.honest.der(of: .alice), key: key)
        let wire = try Self.wire(role, of: other)
        wire.run()
        let ours = role == .initiator ? wire.initiator : wire.responder
        #expect(ours.error == .certificate(.moreThanOne(2)))
    }

    @Test("refuses a client without a certificate, and serves it nothing")
    func noClientCertificate() throws {
        let other = try Self.peer(.initiator, certificate: nil, key: TLSCertificateKey())
        let wire = try Self.wire(.responder, of: other)
        wire.run()
        #expect(wire.responder.error == .certificate(.missing))
        #expect(wire.responder.peer == nil)
        var transport = other.takeTLS()
        try other.inbound.withUnsafeBytes { try transport.receive($0) }
        let certificateRequired = TLSAlert(code: 116)
        #expect(throws: SecurityError.tlsAlert(certificateRequired)) { _ = try transport.readAll() }
    }

    @Test("fails with a server that has no certificate")
    func noServerCertificate() throws {
        let wire = try Self.wire(.initiator, of: Self.peer(.responder, certificate: nil, key: TLSCertificateKey()))
        wire.run()
        #expect(wire.initiator.peer == nil && wire.initiator.error != nil)
        #expect(wire.responder.peer == nil && wire.responder.error != nil)
    }

    @Test("is TLS 1.3 or nothing")
    func oldVersion() throws {
        // A ClientHello of TLS 1.2: version, random, no session, one cipher suite, no compression, no extensions.
        let body: [UInt8] = [3, 3] + pattern(32) + [0, 0, 2, 0xc0, 0x2f, 1, 0]
        let message: [UInt8] = [1, 0, 0, UInt8(body.count)] + body
        let server = End(try Channel.tls.handshake(.responder, .bob))
        let answer = server.receive([22, 3, 1, 0, UInt8(message.count)] + message)
        #expect(server.error == .tls("unsupported protocol"))
        let protocolVersion: UInt8 = 70
        #expect(answer.count == 7 && answer[0] == 21 && answer.suffix(2) == [2, protocolVersion])
    }

    @Test("picks the client's first protocol that the server has too, and refuses strangers")
    func applicationProtocols() throws {
        func outcome(_ offer: [String]) throws -> End {
            let key = try TLSCertificateKey()
            let client = try Self.peer(
                .initiator, certificate: ForgedCertificate.honest.der(of: .alice, key), key: key,
                offer: offer.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) })
            let wire = try Self.wire(.responder, of: client, muxers: [Self.yamux])
            wire.run()
            if wire.responder.error != nil { #expect(client.error == .tlsAlert(TLSAlert(code: 120))) }
            return wire.responder
        }
        #expect(try outcome(["h2", "/yamux/1.0.0", "libp2p"]).peer?.muxer == Self.yamux)
        let plain = try outcome(["libp2p", "/yamux/1.0.0"])
        #expect(plain.peer != nil && plain.peer?.muxer == nil)
        // Older implementations offer nothing.
        let silent = try outcome([])
        #expect(silent.peer != nil && silent.peer?.muxer == nil)
        #expect(try outcome(["h2", "/mplex/6.7.0"]).error == .noCommonMuxer)
    }

    @Test("refuses a multiplexer that it didn't offer")
    func unofferedMuxer() throws {
        let check = TLSPeerCheck(muxers: [Self.yamux], expectedPeer: nil, unixTime: 0)
        func agreed(_ name: String) throws -> ProtocolID? {
            try Array(name.utf8).withUnsafeBufferPointer { try check.muxer(agreed: $0) }
        }
        #expect(try agreed("/yamux/1.0.0") == Self.yamux)
        #expect(try agreed("libp2p") == nil)
        #expect(try agreed("") == nil)
        #expect(throws: SecurityError.malformed("it chose a multiplexer that we didn't offer")) {
            _ = try agreed("/mplex/6.7.0")
        }
    }

    @Test("survives any list of application protocols")
    func malformedOffer() {
        let check = TLSPeerCheck(muxers: [Self.yamux], expectedPeer: nil, unixTime: 0)
        for offer in [[], [0], [255], [1], [6, 1, 2], [0, 0, 0, 7] + Array("libp2p".utf8)] as [[UInt8]] {
            offer.withUnsafeBufferPointer { #expect(check.selectProtocol(from: $0) == nil) }
        }
    }

    @Test("doesn't offer a name that is too long for the list")
    func longName() throws {
        let long = try #require(ProtocolID("/" + String(repeating: "x", count: 300)))
        let wire = Wire(
            try Channel.tls.handshake(.initiator, .alice, muxers: [long, Self.yamux]),
            try Channel.tls.handshake(.responder, .bob, muxers: [long, Self.yamux]))
        wire.run()
        #expect(wire.initiator.peer?.muxer == Self.yamux)
        #expect(wire.responder.peer?.muxer == Self.yamux)
    }

    @Test("is judged by the time that is given")
    func clock() throws {
        let configuration = SecurityConfiguration(identity: Identity.alice.key)
        let handshake = try TLSHandshake(
            role: .initiator, context: Identity.alice.context, configuration: configuration, unixTime: 0)
        let wire = Wire(.tls(handshake), try Channel.tls.handshake(.responder, .bob))
        wire.run()
        #expect(wire.initiator.error == .certificate(.notYetValid))
    }

    @Test("reads no more than its bound")
    func bound() throws {
        let server = End(try Channel.tls.handshake(.responder, .bob))
        // A ClientHello of 100,000 bytes, which libssl alone would wait for.
        let message: [UInt8] = [1, 0x01, 0x86, 0xa0] + [UInt8](repeating: 0, count: 100_000)
        let record = 16_384
        for start in stride(from: 0, to: message.count, by: record) where !server.isOver {
            let fragment = message[start...].prefix(record)
            _ = server.receive([22, 3, 1, UInt8(fragment.count >> 8), UInt8(fragment.count & 0xff)] + fragment)
        }
        let limit = TLSHandshake.maximumBytes
        #expect(server.error == .recordTooLong(length: 4 * (record + TLSHandshake.headerLength), limit: limit))
    }

    @Test("fails on records of no use before it could begin")
    func useless() throws {
        let server = End(try Channel.tls.handshake(.responder, .bob))
        for _ in 0..<40 where !server.isOver { _ = server.receive([20, 3, 3, 0, 1, 1]) }
        #expect(server.error != nil)
    }
}

extension SecurityRole {
    var other: SecurityRole { self == .initiator ? .responder : .initiator }
}

extension TLSTransport {
    /// Everything that can be read, and how it ended.
    mutating func readAll(_ room: Int = 20_000) throws -> (bytes: [UInt8], isClosed: Bool) {
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: room)
        while true {
            switch try buffer.withUnsafeMutableBytes({ try read(into: $0) }) {
            case .bytes(let count): result += buffer.prefix(count)
            case .wouldBlock: return (result, false)
            case .closed: return (result, true)
            }
        }
    }

    mutating func takeAll() -> [UInt8] {
        var output = [UInt8](repeating: 0, count: pendingOutput)
        let count = output.withUnsafeMutableBytes { takeOutput(into: $0) }
        return Array(output.prefix(count))
    }

    /// The records of `plaintext`.
    mutating func written(_ plaintext: [UInt8]) throws -> [UInt8] {
        try plaintext.withUnsafeBytes { try write($0) }
        return takeAll()
    }

    mutating func receiveAll(_ bytes: some Collection<UInt8>) throws {
        try Array(bytes).withUnsafeBytes { try receive($0) }
    }
}
