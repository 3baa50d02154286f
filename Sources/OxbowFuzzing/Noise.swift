import OxbowCore
import OxbowCrypto
import OxbowSecurity

extension FuzzTarget {
    static let noise = [
        FuzzTarget(
            "noise-handshake", "what either role of the handshake is sent", maximumLength: 700,
            seeds: { [[0] + NoiseScene.first, [1] + NoiseScene.second, [0, 0, 0], [1, 0xff, 0xff]] }, noiseHandshake),
        FuzzTarget(
            "noise-altered", "a handshake of two real parties, of which one message is altered", maximumLength: 64,
            seeds: { (0..<3).map { [UInt8($0), 0, 5, 1] } + [[2, 3, 2, 2, 9, 9]] }, noiseAltered),
        FuzzTarget(
            "noise-records", "records that are sealed, delivered, altered, repeated, dropped and put out of order",
            maximumLength: 256,
            seeds: { [[0, 1, 2, 0, 0, 1, 1], [0, 9, 2, 0, 8, 3, 0, 4, 0, 1, 2], [7, 0, 1, 0, 2, 1, 5, 0, 1, 1]] },
            noiseRecords),
    ]

    private static func noiseHandshake(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let role: SecurityRole = input.bool() ? .initiator : .responder
        // Our own messages are a few hundred bytes; the other side gets no more for one of its own.
        let transcript = try feedInPieces(input.rest(), outputLimit: { _ in 600 }) {
            let handshake = HandshakeBox(NoiseScene.handshake(role))
            return { input, transcript in handshake.step(&input, &transcript) }
        }
        // Without the other's keys nobody gets to the end: what finishes was recorded from a handshake with fixed ones.
        return transcript.end != nil && !transcript.hasFailed ? .accepted : .refused
    }

    /// Whoever reads an altered message, or one behind it, fails or waits: nobody takes another handshake for this one.
    private static func noiseAltered(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let altered = input.int(below: 3)
        let initiator = HandshakeBox(NoiseScene.handshake(.initiator))
        let responder = HandshakeBox(NoiseScene.handshake(.responder))
        var message = initiator.start()
        var hasChanged = false
        for index in 0..<3 {
            var sent = message
            if index == altered {
                // The length goes with the content: a message that isn't whole would only be waited for.
                var body = Mutations.mutated(Array(sent.dropFirst(2)), by: &input)
                body = Array(body.prefix(5_000))
                sent = [UInt8(body.count >> 8), UInt8(body.count & 0xff)] + body
                hasChanged = sent != message
            }
            let reader = index == 1 ? initiator : responder
            var transcript = Transcript()
            var rest = sent[...]
            while transcript.end == nil, reader.step(&rest, &transcript) {}
            message = transcript.sent
            if message.isEmpty { break }
        }
        let places = (initiator: !hasChanged || altered == 2, responder: !hasChanged)
        try requireEqual(initiator.peer, places.initiator ? FuzzKeys.second.peerID : nil, "the initiator's peer")
        try requireEqual(responder.peer, places.responder ? FuzzKeys.first.peerID : nil, "the responder's peer")
        return hasChanged ? .refused : .accepted
    }
}

/// A handshake behind a reference, so that closures can go on with it.
final class HandshakeBox {
    private var handshake: SecureHandshake
    private var hasStarted = false
    private(set) var peer: PeerID?

    init(_ handshake: consuming SecureHandshake) {
        self.handshake = handshake
    }

    func start() -> [UInt8] {
        hasStarted = true
        return handshake.start()
    }

    func takeOutput() -> [UInt8] {
        handshake.takeOutput()
    }

    /// One call of the machine. Returns whether it may have more to do with the same input.
    func step(_ input: inout ArraySlice<UInt8>, _ transcript: inout Transcript) -> Bool {
        if !hasStarted { transcript.sent += start() }
        do throws(SecurityError) {
            switch try handshake.receive(&input) {
            case .needMore: return false
            case .send(let bytes):
                transcript.sent += bytes
                return true
            case .finished(let bytes, let peer):
                transcript.sent += bytes
                self.peer = peer.peer
                transcript.finish(peer)
            }
        } catch { transcript.fail(error) }
        return false
    }
}

/// Handshakes between fixed parties with fixed keys, so that the same input does the same.
enum NoiseScene {
    /// What the initiator sends first, and what the responder answers.
    static let first = HandshakeBox(handshake(.initiator)).start()
    static let second: [UInt8] = {
        var transcript = Transcript()
        var input = first[...]
        _ = HandshakeBox(handshake(.responder)).step(&input, &transcript)
        return transcript.sent
    }()

    private static let credentials = [FuzzKeys.first, FuzzKeys.second].enumerated().map { index, identity in
        do { return try NoiseCredentials(identity: identity, staticKey: key(UInt8(0x40 + index))) } catch {
            preconditionFailure("a fixed identity signs: \(error)")
        }
    }

    static func handshake(_ role: SecurityRole) -> SecureHandshake {
        let index = role == .initiator ? 0 : 1
        let configuration = SecurityConfiguration(
            identity: [FuzzKeys.first, FuzzKeys.second][index], muxers: ["/yamux/1.0.0"])
        do {
            return .noise(
                try NoiseHandshake(
                    role: role, configuration: configuration, credentials: credentials[index],
                    ephemeralKey: key(UInt8(0x50 + index))))
        } catch { preconditionFailure("a handshake with fixed keys begins: \(error)") }
    }

    private static func key(_ byte: UInt8) -> X25519PrivateKey {
        do { return try X25519PrivateKey(raw: [UInt8](repeating: byte, count: 32)) } catch {
            preconditionFailure("any 32 bytes are a key: \(error)")
        }
    }
}
