import DequeModule
import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowProtocols
import OxbowSwarm

// The underlying streams of the connection.

extension ConnectionDriver {
    // MARK: What the multiplexer tells

    func drainEvents() {
        while let event = session?.nextEvent() {
            switch event {
            case .streamOpened(let id):
                streamOpened(id)
            case .finRead(let id):
                if let stream = streams[id] { finRead(stream) }
            case .streamReset(let id, let code, let byPeer):
                guard let stream = streams[id] else { continue }
                let cause: StreamError =
                    byPeer ? .resetByPeer(code: code ?? 0) : .refused("the peer broke the multiplexer's rules")
                remove(stream)
                streamLost(stream, cause: cause)
                retryWaitingOpens()
            case .streamUnopened(let id):
                if let stream = streams[id] { reopenElsewhere(stream) }
            case .streamClosed(let id):
                if let stream = streams[id] { remove(stream) }
                retryWaitingOpens()
            case .acknowledged:
                retryWaitingOpens()
            case .goAway(let code):
                remoteGoAway = code
                owner.connectionRetiredByPeer(self)
            case .roundTrip(let duration):
                owner.connection(self, measured: duration)
                retiringPingAnswered()
            case .growthWanted(let bytes):
                growWindows(by: bytes)
            }
        }
    }

    /// The peer takes no new streams, and hasn't heard of this one: another connection may take it.
    private func reopenElsewhere(_ stream: UnderlyingStream) {
        remove(stream)
        if case .outbound(_, _, let opening?) = stream.stage, let logical = stream.logical,
            logical.unbind(stream.token),
            owner.openElsewhere(logical, opening, than: self)
        {
            stream.stage = .released
            stream.logical = nil
        } else {
            streamLost(stream, cause: .connectionLost(.closedByPeer(code: remoteGoAway ?? YamuxGoAwayCode.normal)))
        }
        retryWaitingOpens()
    }

    private func streamOpened(_ id: YamuxStreamID) {
        guard !isDraining, failure == nil else { return session?.reset(id, code: YamuxResetCode.shutdown) ?? () }
        let token = LegToken(rawValue: UniqueNumber.next())
        do throws(ResourceRefusal) {
            try owner.ledger.open(token, .inbound, on: self)
        } catch {
            session?.reset(id, code: YamuxResetCode.resourceLimitExceeded)
            return countRefusal(error)
        }
        let negotiation = InboundStreamNegotiation(migrationEnabled: owner.isMigrationEnabled)
        let stream = UnderlyingStream(token: token, id: id, stage: .inbound(negotiation))
        add(stream)
        session?.accept(id)
        limitNegotiation(of: stream)
    }

    private func limitNegotiation(of stream: UnderlyingStream) {
        // Most negotiations end long before their time: their entries are swept out when they are the most of it, so
        // that streams which come and go quickly leave nothing behind.
        if negotiationDeadlines.count > 2 * streams.count + 64 {
            negotiationDeadlines.removeAll { self.stream($0.token)?.isNegotiating != true }
        }
        negotiationDeadlines.append((now + limits.negotiationTimeout, stream.token))
    }

    private func add(_ stream: UnderlyingStream) {
        streams[stream.id] = stream
        streamIDs.insert(stream.id, forKey: stream.token)
    }

    func remove(_ stream: UnderlyingStream) {
        streams[stream.id] = nil
        if let place = streamIDs.index(forKey: stream.token) { streamIDs.remove(at: place) }
        owner.ledger.close(CollectionOfOne(stream.token))
        trimWindows()
    }

    private func stream(_ token: LegToken) -> UnderlyingStream? {
        streamIDs[token].flatMap { streams[$0] }
    }

    /// The stream is gone without this side's doing.
    func streamLost(_ stream: UnderlyingStream, cause: StreamError) {
        if case .held = stream.stage { owner.forgetHeld(stream.token, because: cause, on: self) }
        stream.stage = .released
        let logical = stream.logical
        stream.logical = nil
        logical?.lost(stream.token, cause: cause, at: now)
    }

    func streamReceived(_ stream: UnderlyingStream, _ buffer: ByteBuffer) {
        switch stream.stage {
        case .attached:
            stream.logical?.received(buffer, on: stream.token, at: now)
        case .inbound, .outbound, .held:
            stream.waiting += buffer.readableBytesView
            negotiate(stream)
        case .released:
            session?.consumed(stream.id, bytes: buffer.readableBytes, at: now)
        }
    }

    private func finRead(_ stream: UnderlyingStream) {
        switch stream.stage {
        case .attached:
            stream.logical?.finRead(on: stream.token, at: now)
        case .inbound where stream.waiting.isEmpty:
            // The peer was told that its protocols aren't spoken here, and leaves it at that.
            drop(stream, resetCode: nil)
        case .inbound, .outbound:
            stream.hasEarlyFIN = true
            negotiationFailed(stream, "the stream ended before it was negotiated")
        case .held:
            // The target's opener has nothing to say on it any more: that is known once it is attached.
            stream.hasEarlyFIN = true
        case .released:
            break
        }
    }

    // MARK: What the logical stream wants

    /// Asks the logical stream for the leg's levels and passes them on.
    func refresh(_ token: LegToken) {
        guard let stream = stream(token) else { return }
        refresh(stream)
    }

    func refresh(_ stream: UnderlyingStream) {
        let prefix = stream.prefix.readableBytes
        guard let logical = stream.logical else {
            if !stream.isFinishing { session?.setPending(stream.id, bytes: prefix) }
            return
        }
        let work = logical.work(for: stream.token)
        let carries = stream.carriesApplicationData
        let pending = carries ? admitted(work.pendingBytes, of: logical) : 0
        if !stream.isFinishing {
            session?.setPending(stream.id, bytes: prefix + pending)
            // Within a budget, bytes that were admitted may have to wait after all: there, FIN goes behind the last one by
            // itself.
            if carries, work.wantsFIN, circuitBudget == nil || work.pendingBytes == 0 {
                stream.isFinishing = true
                session?.finish(stream.id)
            }
            if carries, pending < work.pendingBytes { holdBack(logical) }
        } else if carries, work.pendingBytes == 0 {
            // The writes went elsewhere: the FIN waits for nothing any more (SM-M4).
            session?.setPending(stream.id, bytes: prefix)
        }
        if work.credit > 0 { session?.consumed(stream.id, bytes: work.credit, at: now) }
    }

    /// The logical stream has given the leg up.
    func released(_ token: LegToken, resetCode: UInt32?) {
        guard let stream = stream(token) else { return }
        stream.logical = nil
        drop(stream, resetCode: resetCode)
    }

    /// Ends an underlying stream that belongs to nobody: with a reset, or in order.
    func drop(_ stream: UnderlyingStream, resetCode: UInt32?) {
        if case .held = stream.stage { owner.forgetHeld(stream.token, because: .closed, on: self) }
        stream.stage = .released
        stream.waiting = []
        if let resetCode {
            session?.reset(stream.id, code: resetCode)
            remove(stream)
            retryWaitingOpens()
        } else {
            session?.abandon(stream.id, at: now)
        }
    }

    // MARK: Opening

    /// Opens an underlying stream for a logical one, now or when the peer has room for it.
    ///
    /// - Parameter isWanted: asked just before: whether the logical stream still wants it.
    func open(
        _ logical: LogicalStream, _ purpose: UnderlyingStream.Purpose, token: LegToken,
        negotiation: OutboundStreamNegotiation, isWanted: @escaping @Sendable () -> Bool
    ) {
        eventLoop.preconditionInEventLoop()
        guard failure == nil, session != nil, !isDraining else {
            if case .source = purpose, owner.openElsewhere(logical, negotiation, than: self) { return }
            return openFailed(logical, purpose, .connectionLost(failure ?? .closedLocally))
        }
        do throws(YamuxOpenError) {
            guard let id = try session?.open(at: now) else { return }
            do throws(ResourceRefusal) {
                try owner.ledger.open(token, .outbound, for: logical.protocolID, on: self)
            } catch {
                // Its SYN wasn't sent: it goes without a trace.
                session?.reset(id)
                return openFailed(logical, purpose, .overLimit(error))
            }
            guard isWanted() else {
                owner.ledger.close(CollectionOfOne(token))
                return session?.reset(id) ?? ()
            }
            var opening: OutboundStreamNegotiation?
            if case .source = purpose { opening = negotiation }
            var negotiation = negotiation
            let flight = negotiation.start()
            let stream = UnderlyingStream(
                token: token, id: id, stage: .outbound(negotiation, purpose, opening: opening), logical: logical)
            stream.prefix = ByteBuffer(bytes: flight)
            add(stream)
            limitNegotiation(of: stream)
            refresh(stream)
        } catch .backlogFull where waitingOpens.count < limits.maximumWaitingOpens {
            waitingOpens.append { connection in
                connection.open(logical, purpose, token: token, negotiation: negotiation, isWanted: isWanted)
            }
        } catch {
            // One side has begun to give the connection up, a moment after the stream was sent here.
            if case .source = purpose, error.isGoAway, owner.openElsewhere(logical, negotiation, than: self) { return }
            openFailed(logical, purpose, .refused(error.description))
        }
    }

    private func openFailed(_ logical: LogicalStream, _ purpose: UnderlyingStream.Purpose, _ error: StreamError) {
        switch purpose {
        case .source: logical.fail(error)
        case .target(let id): logical.withdrawAttempt(target: id, because: error, at: now)
        }
    }

    /// Opens what waits, the oldest first, for as long as there is room: an answer of the peer costs what it lets in,
    /// however many wait. Each round takes one away, and none comes back while there is room.
    private func retryWaitingOpens() {
        while session?.isBacklogFull == false, let open = waitingOpens.popFirst() { open(self) }
    }
}
