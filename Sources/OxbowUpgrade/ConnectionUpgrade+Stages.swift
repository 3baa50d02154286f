import OxbowCore
import OxbowProtocols
import OxbowSecurity

/// multistream-select for the multiplexer, inside the encrypted channel.
struct MuxerNegotiation: ~Copyable {
    enum Side {
        case dialer(MultistreamDialer)
        case listener(MultistreamListener)
    }

    var transport: SecureTransport
    var side: Side
    let peer: AuthenticatedPeer
    /// Decrypted, and not read yet.
    var plaintext: [UInt8] = []
}

extension ConnectionUpgrade {
    /// Goes one message further. Nil when there may be more to do with the same input.
    mutating func advance(_ input: inout ArraySlice<UInt8>, _ send: inout [UInt8]) throws(UpgradeError) -> Step? {
        switch exchange(&stage, with: .failed) {
        case .choosingAsDialer(var dialer):
            let step: MultistreamDialer.Step
            do { step = try dialer.receive(&input) } catch { throw .negotiation(.securityNegotiation, error) }
            switch step {
            case .needMore(let bytes):
                stage = .choosingAsDialer(dialer)
                send += bytes
                return .needMore(send: [])
            case .selected(let id):
                try beginHandshake(id, &send)
                return nil
            }
        case .choosingAsListener(var listener):
            let step: MultistreamListener.Step
            do {
                step = try listener.receive(&input) { configuration.securityProtocols.contains($0) }
            } catch { throw .negotiation(.securityNegotiation, error) }
            switch step {
            case .needMore(let bytes):
                stage = .choosingAsListener(listener)
                send += bytes
                return .needMore(send: [])
            case .selected(let id, let bytes):
                send += bytes
                try beginHandshake(id, &send)
                return nil
            }
        case .handshake(let handshake): return try advanceHandshake(handshake, &input, &send)
        case .muxer(let negotiation): return try advanceMuxer(negotiation, &input, &send)
        default: preconditionFailure("the upgrade is over")
        }
    }

    private mutating func beginHandshake(_ id: ProtocolID, _ send: inout [UInt8]) throws(UpgradeError) {
        chosen = id
        do {
            var handshake: SecureHandshake
            if id == UpgradeConfiguration.tls, let context = configuration.tlsContext {
                handshake = .tls(
                    try TLSHandshake(role: role, context: context, configuration: security, unixTime: unixTime))
            } else {
                handshake = .noise(
                    try NoiseHandshake(
                        role: role, configuration: security, credentials: configuration.noiseCredentials))
            }
            send += handshake.start()
            stage = .handshake(handshake)
        } catch { throw .security(handshakePhase, error) }
    }

    private mutating func advanceHandshake(
        _ running: consuming SecureHandshake, _ input: inout ArraySlice<UInt8>, _ send: inout [UInt8]
    ) throws(UpgradeError) -> Step? {
        var handshake = running
        let step: HandshakeStep
        do { step = try handshake.receive(&input) } catch {
            // TLS has an alert for the peer: `farewell` gives it.
            stage = .handshake(handshake)
            throw .security(handshakePhase, error)
        }
        switch step {
        case .needMore:
            stage = .handshake(handshake)
            return .needMore(send: [])
        case .send(let bytes):
            send += bytes
            stage = .handshake(handshake)
            return nil
        case .finished(let bytes, let peer):
            send += bytes
            return try secured(handshake.takeTransport(), peer, &send)
        }
    }

    var handshakePhase: UpgradePhase {
        chosen == UpgradeConfiguration.tls ? .tlsHandshake : .noiseHandshake
    }

    /// The channel is encrypted and the peer known: is the multiplexer settled too?
    private mutating func secured(
        _ transport: consuming SecureTransport, _ peer: AuthenticatedPeer, _ send: inout [UInt8]
    ) throws(UpgradeError) -> Step? {
        guard peer.muxer == nil else {
            isMuxerEarly = true
            stage = .finished(transport, leftover: [])
            return .finished(send: send, peer, security: chosen)
        }
        var negotiation: MuxerNegotiation
        let flight: [UInt8]
        switch role {
        case .initiator:
            var dialer = MultistreamDialer(
                protocols: configuration.muxers, mode: configuration.muxers.count == 1 ? .lazy : .sequential)
            flight = dialer.start()
            negotiation = MuxerNegotiation(transport: transport, side: .dialer(dialer), peer: peer)
        case .responder:
            var listener = MultistreamListener(eager: true)
            flight = listener.start()
            negotiation = MuxerNegotiation(transport: transport, side: .listener(listener), peer: peer)
        }
        do { send += try negotiation.transport.seal(flight) } catch { throw .security(.muxerNegotiation, error) }
        stage = .muxer(negotiation)
        return nil
    }

    private mutating func advanceMuxer(
        _ running: consuming MuxerNegotiation, _ input: inout ArraySlice<UInt8>, _ send: inout [UInt8]
    ) throws(UpgradeError) -> Step? {
        var negotiation = running
        let waiting = input.count
        do throws(SecurityError) {
            let opened = try negotiation.transport.open(&input)
            guard !opened.isEmpty || !negotiation.plaintext.isEmpty else {
                stage = .muxer(negotiation)
                return input.count < waiting ? nil : .needMore(send: [])
            }
            negotiation.plaintext += opened
        } catch { throw .security(.muxerNegotiation, error) }
        guard negotiation.plaintext.count <= Self.maximumWaiting else {
            throw .tooMuchInput(limit: Self.maximumWaiting)
        }
        let outcome: (answer: [UInt8], isSettled: Bool)
        do throws(MultistreamError) {
            outcome = try negotiation.receive { [muxers = configuration.muxers] in muxers.contains($0) }
        } catch { throw .negotiation(.muxerNegotiation, error) }
        if !outcome.answer.isEmpty {
            do { send += try negotiation.transport.seal(outcome.answer) } catch {
                throw .security(.muxerNegotiation, error)
            }
        }
        guard outcome.isSettled else {
            stage = .muxer(negotiation)
            return input.count < waiting ? nil : .needMore(send: [])
        }
        var peer = negotiation.peer
        peer.muxer = UpgradeConfiguration.yamux
        stage = .finished(negotiation.transport, leftover: negotiation.plaintext)
        return .finished(send: send, peer, security: chosen)
    }
}

extension MuxerNegotiation {
    fileprivate mutating func receive(
        isSupported: (ProtocolID) -> Bool
    ) throws(MultistreamError) -> (answer: [UInt8], isSettled: Bool) {
        var rest = plaintext[...]
        defer { plaintext = [UInt8](rest) }
        switch side {
        case .dialer(var dialer):
            let step = try dialer.receive(&rest)
            side = .dialer(dialer)
            switch step {
            case .needMore(let bytes): return (bytes, false)
            case .selected: return ([], true)
            }
        case .listener(var listener):
            let step = try listener.receive(&rest, isSupported: isSupported)
            side = .listener(listener)
            switch step {
            case .needMore(let bytes): return (bytes, false)
            case .selected(_, let bytes): return (bytes, true)
            }
        }
    }
}
