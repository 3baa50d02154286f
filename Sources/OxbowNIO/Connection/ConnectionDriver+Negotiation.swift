import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowProtocols
import OxbowSwarm

// What a new underlying stream is for.

extension ConnectionDriver {
    /// Reads on in the negotiation with what has arrived.
    func negotiate(_ stream: UnderlyingStream) {
        var input = stream.waiting[...]
        let count = input.count
        do throws(StreamNegotiationError) {
            switch stream.stage {
            case .inbound(var negotiation):
                let step = try negotiation.receive(&input) { owner.supports($0) }
                stream.stage = .inbound(negotiation)
                consumed(stream, count, &input)
                perform(step, negotiation, stream)
                boundNegotiation(stream)
            case .outbound(var negotiation, let purpose, let opening):
                let step = try negotiation.receive(&input)
                stream.stage = .outbound(negotiation, purpose, opening: opening)
                consumed(stream, count, &input)
                perform(step, stream, purpose)
                boundNegotiation(stream)
            case .held, .attached, .released:
                break
            }
        } catch {
            negotiationFailed(stream, error)
        }
    }

    /// What the negotiation left unread belongs to one message that isn't complete.
    private func boundNegotiation(_ stream: UnderlyingStream) {
        guard stream.isNegotiating, stream.waiting.count > limits.maximumNegotiationBytes else { return }
        negotiationFailed(stream, "more than \(limits.maximumNegotiationBytes) bytes without an end")
    }

    private func consumed(_ stream: UnderlyingStream, _ count: Int, _ input: inout ArraySlice<UInt8>) {
        session?.consumed(stream.id, bytes: count - input.count, at: now)
        stream.waiting = Array(input)
        input = []
    }

    // MARK: Inbound

    private func perform(
        _ step: InboundStreamNegotiation.Step, _ negotiation: InboundStreamNegotiation, _ stream: UnderlyingStream
    ) {
        switch step {
        case .needMore(let send):
            send.isEmpty ? () : queue(send, on: stream)
        case .ready(let id, let label, let send):
            do throws(ResourceRefusal) {
                try owner.ledger.assign(stream.token, to: id, on: self)
            } catch { return refuse(stream, code: YamuxResetCode.resourceLimitExceeded, because: error) }
            guard let logical = owner.makeInboundStream(id, label: label, on: self) else {
                return refuse(stream, code: YamuxResetCode.resourceLimitExceeded)
            }
            stream.logical = logical
            logical.bindSource(stream.token, carrier: self)
            queue(send, on: stream)
            attach(stream)
            owner.startInboundStream(logical, on: self)
            awaitTasks()
        case .migrate(let id, let from, _, let send):
            queue(send, on: stream)
            stream.stage = .held(negotiation, arrived: now)
            judge(stream, id: id, from: from, isRepeated: false)
        }
    }

    /// Judges a held Migrate again.
    func judgeAgain(_ held: HeldMigrate) {
        guard let id = streamIDs[LegToken(rawValue: held.ticket)], let stream = streams[id] else { return }
        judge(stream, id: held.id, from: held.from, isRepeated: true)
    }

    /// A held Migrate waited too long for the stream that it names (SM-F6).
    func heldTimedOut(_ held: HeldMigrate) {
        // It may have been judged again a moment before.
        guard let id = streamIDs[LegToken(rawValue: held.ticket)], let stream = streams[id],
            case .held = stream.stage
        else { return }
        reset(stream, code: YamuxResetCode.none)
    }

    private func judge(_ stream: UnderlyingStream, id: UInt64, from: UInt64, isRepeated: Bool) {
        guard case .held(var negotiation, let arrived) = stream.stage else { return }
        let migrate = PeerMigrate(
            id: id, from: from, token: stream.token, isRepeated: isRepeated, arrived: arrived, at: now)
        switch owner.judge(migrate, on: self) {
        case .accepted(let logical):
            // The state is armed: only now does the Ack go out (SM-M3).
            stream.logical = logical
            queue(negotiation.answer(accept: true), on: stream)
            attach(stream)
        case .denied:
            queue(negotiation.answer(accept: false), on: stream)
            stream.stage = .released
            stream.waiting = []
            session?.abandon(stream.id, at: now)
        case .held:
            break
        case .reset:
            stream.stage = .released
            reset(stream, code: YamuxResetCode.none)
        }
    }

    // MARK: Outbound

    private func perform(
        _ step: OutboundStreamNegotiation.Step, _ stream: UnderlyingStream, _ purpose: UnderlyingStream.Purpose
    ) {
        switch step {
        case .needMore(let send):
            send.isEmpty ? () : queue(send, on: stream)
        case .ready(let id):
            do throws(ResourceRefusal) {
                try owner.ledger.assign(stream.token, to: id, on: self)
            } catch {
                let logical = stream.logical
                reset(stream, code: YamuxResetCode.resourceLimitExceeded)
                logical?.fail(.overLimit(error))
                return
            }
            stream.logical?.negotiated(id)
            attach(stream)
        case .answer(let accepted):
            let logical = stream.logical
            // The answer comes first: it may take the leg away, and then nobody wants its bytes.
            stream.stage = .attached
            logical?.answered(accepted: accepted, on: stream.token, at: now)
            attach(stream)
        }
    }

    // MARK: Both

    private func queue(_ bytes: [UInt8], on stream: UnderlyingStream) {
        stream.prefix.writeBytes(bytes)
        refresh(stream)
    }

    /// The negotiation is over: what is left of the input, and everything from now on, is the application's.
    private func attach(_ stream: UnderlyingStream) {
        stream.stage = .attached
        let rest = stream.waiting
        stream.waiting = []
        if !rest.isEmpty { stream.logical?.received(ByteBuffer(bytes: rest), on: stream.token, at: now) }
        if stream.hasEarlyFIN { stream.logical?.finRead(on: stream.token, at: now) }
        refresh(stream)
    }

    func negotiationTimedOut(_ token: LegToken) {
        guard let id = streamIDs[token], let stream = streams[id], stream.isNegotiating else { return }
        if case .outbound(_, .target, _) = stream.stage {
            // The answer has a deadline of its own, which is longer: waiting for it is free (SM-F8).
            return
        }
        let logical = stream.logical
        reset(stream, code: YamuxResetCode.none)
        logical?.fail(.negotiationTimedOut)
    }

    func negotiationFailed(_ stream: UnderlyingStream, _ what: String) {
        fail(stream, .negotiation(what))
    }

    private func negotiationFailed(_ stream: UnderlyingStream, _ error: StreamNegotiationError) {
        switch error {
        case .protocolRefused(let protocols):
            fail(stream, .protocolsNotSupported(protocols))
        case .migrationRefused:
            owner.peerRefusesMigration(on: self)
            reopenUnlabelled(stream, error)
        case .negotiation, .malformedMessage, .unexpectedAnswer, .nestedMigration, .malformedAnswer:
            fail(stream, .negotiation(error.description))
        }
    }

    /// SM-L1: the peer took no label after all. As long as no byte of the application went with it, a plain stream
    /// takes its place and the application notices nothing.
    private func reopenUnlabelled(_ stream: UnderlyingStream, _ error: StreamNegotiationError) {
        guard case .outbound(_, .source, _) = stream.stage, let logical = stream.logical,
            logical.forgetLabel(of: stream.token)
        else { return fail(stream, .negotiation(error.description)) }
        reset(stream, code: YamuxResetCode.none)
        let token = LegToken(rawValue: UniqueNumber.next())
        open(
            logical, .source, token: token,
            negotiation: OutboundStreamNegotiation(.plain(protocols: logical.candidates))
        ) { [self] in
            logical.bindSource(token, carrier: self)
            return true
        }
    }

    private func fail(_ stream: UnderlyingStream, _ error: StreamError) {
        let (logical, stage) = (stream.logical, stream.stage)
        if case .outbound(_, .target, _) = stage {
            // SM-F7: the logical stream releases the leg, and goes on where it is.
            logical?.answeredWrongly(on: stream.token, at: now)
            return
        }
        if case .inbound = stage { return refuse(stream, code: YamuxResetCode.protocolViolation) }
        reset(stream, code: YamuxResetCode.protocolViolation)
        logical?.fail(error)
    }

    /// Resets a stream that the peer opened, and counts that against the peer.
    ///
    /// A `na` that isn't framed yet would be lost with a reset, and the opener would never learn that it is the label that
    /// isn't understood here (SM-L1): then the stream ends behind it, in order.
    private func refuse(_ stream: UnderlyingStream, code: UInt32, because refusal: ResourceRefusal? = nil) {
        if stream.prefix.readableBytes > 0 {
            drop(stream, resetCode: nil)
        } else {
            reset(stream, code: code)
        }
        if let refusal { countRefusal(refusal) } else { countStreamError() }
    }

    /// Counts a refused stream against the peer if the limit is the peer's own; if the host is full, the peer can't know.
    func countRefusal(_ refusal: ResourceRefusal) {
        if refusal.scope.isOfOnePeer { countStreamError() }
    }

    private func countStreamError() {
        do throws(YamuxError) { try session?.countStreamError(at: now) } catch { end(.muxer(error)) }
    }

    private func reset(_ stream: UnderlyingStream, code: UInt32) {
        stream.stage = .released
        stream.logical = nil
        session?.reset(stream.id, code: code)
        remove(stream)
    }
}
