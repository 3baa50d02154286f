import OxbowCore
import OxbowCrypto
import OxbowSecurity

extension FuzzTarget {
    static let tls = [
        FuzzTarget(
            "tls-certificate", "certificates, edited or from scratch, and the extension alone", maximumLength: 1_024,
            seeds: { [[0], [0, 0, 20, 1], [1] + TLSScene.certificate, [2] + TLSScene.extensionContent] },
            tlsCertificate),
        FuzzTarget(
            "tls-handshake", "what either role of the handshake is sent", maximumLength: 1_500,
            seeds: { [[0] + TLSScene.clientHello, [1] + TLSScene.serverFlight, [1, 21, 3, 3, 0, 2, 2, 40]] },
            tlsHandshake),
        FuzzTarget(
            "tls-altered", "a handshake of two real parties, of which one flight is altered", maximumLength: 64,
            seeds: { [[0], [0, 0, 60, 1], [1, 0, 90, 1], [2, 0, 200, 1]] }, tlsAltered),
    ]

    /// What is accepted proves the key that the certificate was made for.
    private static func tlsCertificate(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let kind = input.int(below: 3)
        if kind == 2 {
            let bytes = input.rest()
            guard let rewritten = TLSCertificateProbe.rewritten(extension: bytes) else { return .refused }
            try requireEqual(rewritten, bytes, "the extension has one form")
            return .accepted
        }
        let der = kind == 0 ? Mutations.mutated(TLSScene.certificate, by: &input) : input.rest()
        guard let key = try? TLSCertificateProbe.identity(inCertificate: der, at: TLSScene.now) else { return .refused }
        try requireEqual(key, FuzzKeys.first.publicKey, "a certificate proves the key that has signed it")
        for time in [Int64.min, 0, 1 << 40, Int64.max] {
            let early = try? TLSCertificateProbe.identity(inCertificate: der, at: time)
            try require(early == nil, "a certificate isn't valid at \(time)")
        }
        return .accepted
    }

    private static func tlsHandshake(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let role: SecurityRole = input.bool() ? .initiator : .responder
        let bytes = input.rest()
        let handshake = HandshakeBox(TLSScene.handshake(role))
        var transcript = Transcript()
        var rest = bytes[...]
        while transcript.end == nil, handshake.step(&rest, &transcript) {}
        transcript.sent += handshake.takeOutput()
        try require(bytes[...].hasSuffix(rest), "what is left is the end of the input")
        try require(handshake.peer == nil, "nobody proves an identity without its key")
        try require(transcript.sent.count <= 8_192, "\(transcript.sent.count) bytes are sent for one flight")
        return transcript.sent.count > 600 ? .accepted : .refused
    }

    /// Whatever is done to a flight: who finishes knows who the other is.
    private static func tlsAltered(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let altered = input.int(below: 3)
        let ends = [HandshakeBox(TLSScene.handshake(.initiator)), HandshakeBox(TLSScene.handshake(.responder))]
        var flight = ends[0].start()
        var hasChanged = false
        var received: [ArraySlice<UInt8>] = [[], []]
        for index in 0..<4 where !flight.isEmpty {
            var sent = flight
            if index == altered {
                sent = Mutations.mutated(flight, by: &input)
                hasChanged = sent != flight
            }
            let side = index % 2 == 0 ? 1 : 0
            received[side] += sent
            var transcript = Transcript()
            while transcript.end == nil, ends[side].step(&received[side], &transcript) {}
            flight = transcript.sent + ends[side].takeOutput()
        }
        let wanted = [FuzzKeys.second.peerID, FuzzKeys.first.peerID]
        for side in 0...1 {
            if let peer = ends[side].peer { try requireEqual(peer, wanted[side], "who finishes knows the other") }
            if !hasChanged { try requireEqual(ends[side].peer, wanted[side], "an untouched handshake finishes") }
        }
        return ends[0].peer != nil && ends[1].peer != nil ? .accepted : .refused
    }
}

/// TLS between fixed identities. libssl draws random numbers of its own, so that bytes differ from run to run: what is
/// demanded holds for all of them.
enum TLSScene {
    static let now: Int64 = 1_800_000_000

    static let certificate: [UInt8] = {
        do { return try TLSCertificateProbe.certificate(of: FuzzKeys.first) } catch {
            preconditionFailure("a fixed identity signs a certificate: \(error)")
        }
    }()
    static let extensionContent: [UInt8] = [0x30, 9, 4, 3, 1, 2, 3, 4, 2, 8, 9]

    static let clientHello = HandshakeBox(handshake(.initiator)).start()
    static let serverFlight: [UInt8] = {
        var transcript = Transcript()
        var input = clientHello[...]
        _ = HandshakeBox(handshake(.responder)).step(&input, &transcript)
        return transcript.sent
    }()

    private static let contexts = [FuzzKeys.first, FuzzKeys.second].map { identity in
        do { return try TLSContext(identity: identity) } catch { preconditionFailure("a context: \(error)") }
    }

    static func handshake(_ role: SecurityRole) -> SecureHandshake {
        let index = role == .initiator ? 0 : 1
        let configuration = SecurityConfiguration(
            identity: [FuzzKeys.first, FuzzKeys.second][index], muxers: ["/yamux/1.0.0"])
        do {
            return .tls(
                try TLSHandshake(role: role, context: contexts[index], configuration: configuration, unixTime: now))
        } catch { preconditionFailure("a handshake begins: \(error)") }
    }
}
