import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowSecurity
import OxbowTesting
import OxbowUpgrade
import Testing

/// Both sides of an upgrade, with the bytes between them in the test's hands.
@Suite struct UpgradeTests {
    /// One side, with its input and what came of it.
    struct Side: ~Copyable {
        var upgrade: ConnectionUpgrade
        var input: ArraySlice<UInt8> = []
        var peer: AuthenticatedPeer?
        var security: ProtocolID?
        var error: UpgradeError?

        init(_ role: SecurityRole, _ key: Int, _ protocols: [ProtocolID], expecting: PeerID? = nil) throws {
            upgrade = ConnectionUpgrade(
                role: role,
                configuration: try UpgradeConfiguration(identity: FixedKeys.all[key], securityProtocols: protocols),
                expectedPeer: expecting, unixTime: 1_800_000_000)
        }

        var isOver: Bool { peer != nil || error != nil }

        /// Feeds bytes, `size` at a time, and gives what they made the side send.
        mutating func feed(_ bytes: [UInt8], by size: Int) -> [UInt8] {
            var output: [UInt8] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                input += rest.prefix(size)
                rest = rest.dropFirst(size)
                if !isOver { output += advance() }
            }
            return output
        }

        private mutating func advance() -> [UInt8] {
            do throws(UpgradeError) {
                switch try upgrade.receive(&input) {
                case .needMore(let send): return send
                case .finished(let send, let peer, let security):
                    (self.peer, self.security) = (peer, security)
                    return send
                }
            } catch {
                self.error = error
                return upgrade.farewell()
            }
        }
    }

    /// Carries bytes between both sides until nobody has anything more to say.
    private func shuttle(_ dialer: inout Side, _ listener: inout Side, by size: Int) {
        var (toListener, toDialer) = (dialer.upgrade.start(), listener.upgrade.start())
        while !toListener.isEmpty || !toDialer.isEmpty {
            let bytes = (toListener, toDialer)
            (toListener, toDialer) = ([], [])
            toDialer += listener.feed(bytes.0, by: size)
            toListener += dialer.feed(bytes.1, by: size)
        }
    }

    private static let noise: ProtocolID = "/noise"
    private static let tls: ProtocolID = "/tls/1.0.0"

    @Test(
        "Both sides end with the same channel, however the bytes are cut", arguments: [noise, tls],
        [1, 2, 3, 7, 64, 100_000])
    func splits(_ security: ProtocolID, _ size: Int) throws {
        let other = FixedKeys.all[1].publicKey.peerID
        var dialer = try Side(.initiator, 0, [security], expecting: other)
        var listener = try Side(.responder, 1, [Self.noise, Self.tls])
        shuttle(&dialer, &listener, by: size)
        #expect(dialer.error == nil && listener.error == nil)
        #expect(dialer.peer?.peer == other && listener.peer?.peer == FixedKeys.all[0].publicKey.peerID)
        #expect(dialer.security == security && listener.security == security)
        #expect(dialer.upgrade.isMuxerEarly && listener.upgrade.isMuxerEarly)
        #expect(dialer.input.isEmpty && listener.input.isEmpty)
        let message = [UInt8]("hello".utf8)
        var near = dialer.upgrade.takeTransport()
        var far = listener.upgrade.takeTransport()
        var record = try near.seal(message)[...]
        #expect(try far.open(&record) == message)
        var answer = try far.seal(message)[...]
        #expect(try near.open(&answer) == message)
    }

    @Test(
        "The dialer's second choice is taken when the listener lacks the first, in any cut", arguments: [1, 5, 100_000])
    func secondChoice(_ size: Int) throws {
        var dialer = try Side(.initiator, 0, [Self.noise, Self.tls])
        var listener = try Side(.responder, 1, [Self.tls])
        shuttle(&dialer, &listener, by: size)
        #expect(dialer.security == Self.tls && listener.security == Self.tls)
    }

    @Test("Nothing in common: the dialer says so")
    func nothingInCommon() throws {
        var dialer = try Side(.initiator, 0, [Self.noise])
        var listener = try Side(.responder, 1, [Self.tls])
        shuttle(&dialer, &listener, by: 100)
        #expect(dialer.error == .negotiation(.securityNegotiation, .refused([Self.noise])))
        #expect(dialer.error?.description.contains("/noise") == true)
    }

    @Test(
        "Somebody else answers: both sides end, the dialer's error names who", arguments: [noise, tls], [1, 100_000])
    func wrongPeer(_ security: ProtocolID, _ size: Int) throws {
        let wanted = FixedKeys.all[2].publicKey.peerID
        var dialer = try Side(.initiator, 0, [security], expecting: wanted)
        var listener = try Side(.responder, 1, [security])
        shuttle(&dialer, &listener, by: size)
        guard case .security(_, let cause)? = dialer.error else {
            Issue.record("\(String(describing: dialer.error))")
            return
        }
        #expect(cause == .peerIDMismatch(expected: wanted, actual: FixedKeys.all[1].publicKey.peerID))
    }

    @Test(
        "What is sent right behind the handshake is not lost at the change of layers", arguments: [noise, tls],
        [1, 11, 100_000])
    func bytesBehind(_ security: ProtocolID, _ size: Int) throws {
        var dialer = try Side(.initiator, 0, [security])
        var listener = try Side(.responder, 1, [security])
        // The dialer ends first or last; whoever ends first sends at once, and its bytes ride behind its last flight.
        var (toListener, toDialer) = (dialer.upgrade.start(), listener.upgrade.start())
        while !dialer.isOver {
            let bytes = (toListener, toDialer)
            (toListener, toDialer) = ([], [])
            toListener += dialer.feed(bytes.1, by: size)
            guard !dialer.isOver else {
                toListener = bytes.0 + toListener
                break
            }
            toDialer += listener.feed(bytes.0, by: size)
        }
        let message = [UInt8]("early bird".utf8)
        let flight = toListener
        var near = dialer.upgrade.takeTransport()
        let early = try near.seal(message)
        toDialer += listener.feed(flight + early, by: size)
        #expect(listener.peer != nil, "\(String(describing: listener.error))")
        var received = listener.upgrade.leftover
        var rest = listener.input
        var far = listener.upgrade.takeTransport()
        while received.count < message.count, !rest.isEmpty {
            let waiting = rest.count
            received += try far.open(&rest)
            guard rest.count < waiting else { break }
        }
        #expect(received == message)
    }

    // MARK: A peer without early muxer negotiation

    /// The far end of a channel, and what the side has sent on it since the handshake.
    private struct FarEnd: ~Copyable {
        var channel: SecureTransport
        var waiting: ArraySlice<UInt8>
    }

    /// Drives a plain Noise handshake with no multiplexer in it against `side`, and gives the channel.
    private func plainNoise(_ side: inout Side, as role: SecurityRole) throws -> FarEnd {
        var handshake = try NoiseHandshake(
            role: role, configuration: SecurityConfiguration(identity: FixedKeys.all[3]))
        var dialer = MultistreamDialer(protocols: [Self.noise], mode: .sequential)
        var listener = MultistreamListener(eager: true)
        var input = side.upgrade.start()[...]
        var output = role == .initiator ? dialer.start() : listener.start()
        var isChosen = false
        while true {
            input += side.feed(output, by: 1_000)
            output = []
            if !isChosen {
                switch role {
                case .initiator:
                    if case .selected = try dialer.receive(&input) { isChosen = true }
                case .responder:
                    switch try listener.receive(&input, isSupported: { $0 == Self.noise }) {
                    case .needMore(let send): output += send
                    case .selected(_, let send):
                        output += send
                        isChosen = true
                    }
                }
                guard isChosen else { continue }
                output += handshake.start()
            }
            steps: while true {
                switch try handshake.receive(&input) {
                case .needMore: break steps
                case .send(let bytes): output += bytes
                case .finished(let bytes, _):
                    input += side.feed(output + bytes, by: 1_000)
                    return FarEnd(channel: .noise(handshake.takeTransport()), waiting: input)
                }
            }
        }
    }

    @Test(
        "A peer whose handshake settles no multiplexer negotiates one, and frames right behind that are kept",
        arguments: [1, 1_000])
    func lateMuxer(_ size: Int) throws {
        var side = try Side(.responder, 1, [Self.noise])
        var peer = try plainNoise(&side, as: .initiator)
        let frames = [UInt8](repeating: 0xAB, count: 40)
        let flight = RawPeer.flight(["/yamux/1.0.0"])
        _ = side.feed(try peer.channel.seal(flight + frames), by: size)
        #expect(side.peer?.muxer == "/yamux/1.0.0" && !side.upgrade.isMuxerEarly)
        #expect(side.upgrade.leftover == frames)
    }

    @Test("The dialer's side of it")
    func lateMuxerAsDialer() throws {
        var side = try Side(.initiator, 0, [Self.noise])
        var peer = try plainNoise(&side, as: .responder)
        var asked: [UInt8] = []
        while !peer.waiting.isEmpty { asked += try peer.channel.open(&peer.waiting) }
        #expect(asked == RawPeer.flight(["/yamux/1.0.0"]))
        let frames = [UInt8](repeating: 0xCD, count: 17)
        _ = side.feed(try peer.channel.seal(RawPeer.flight(["/yamux/1.0.0"]) + frames), by: 1)
        #expect(side.peer?.muxer == "/yamux/1.0.0")
        #expect(side.upgrade.leftover == frames)
    }

    // MARK: Garbage

    @Test("Garbage in each stage is a typed error of that stage, in any cut", arguments: [1, 3, 1_000])
    func garbage(_ size: Int) throws {
        let garbage = [UInt8](repeating: 0x2F, count: 200)
        for role in [SecurityRole.initiator, .responder] {
            var silent = try Side(role, 0, [Self.noise])
            _ = silent.upgrade.start()
            _ = silent.feed(garbage, by: size)
            guard case .negotiation(.securityNegotiation, _)? = silent.error else {
                Issue.record("\(role): \(String(describing: silent.error))")
                return
            }
            for security in [Self.noise, Self.tls] {
                var side = try Side(role, 0, [security])
                _ = side.upgrade.start()
                _ = side.feed(RawPeer.flight([security]) + garbage + garbage + garbage, by: size)
                guard case .security(let phase, _)? = side.error else {
                    // Noise takes a length of 0x2F2F for one that is too long; nothing else may let it wait.
                    Issue.record("\(role) \(security): \(String(describing: side.error))")
                    return
                }
                #expect(phase == (security == Self.noise ? .noiseHandshake : .tlsHandshake))
            }
            var late = try Side(role, 1, [Self.noise])
            var peer = try plainNoise(&late, as: role == .initiator ? .responder : .initiator)
            _ = late.feed(try peer.channel.seal(garbage), by: size)
            guard case .negotiation(.muxerNegotiation, _)? = late.error else {
                Issue.record("\(role): \(String(describing: late.error))")
                return
            }
        }
    }

    @Test("A flipped bit in any byte of the last Noise message ends the handshake")
    func flipped() throws {
        for index in stride(from: 0, to: 200, by: 1) {
            var dialer = try Side(.initiator, 0, [Self.noise])
            var listener = try Side(.responder, 1, [Self.noise])
            var toListener = dialer.upgrade.start()
            var toDialer = listener.upgrade.start()
            while !dialer.isOver {
                let answer = listener.feed(toListener, by: 10_000)
                toListener = dialer.feed(toDialer + answer, by: 10_000)
                toDialer = []
            }
            guard index < toListener.count else { continue }
            toListener[index] ^= 1
            _ = listener.feed(toListener, by: 10_000)
            #expect(listener.peer == nil, "byte \(index)")
        }
    }
}
