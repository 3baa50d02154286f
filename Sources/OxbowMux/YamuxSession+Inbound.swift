public import OxbowCore

extension YamuxSession {
    /// The body that is to come before the next header, or nil when a header is next.
    public var pendingBody: YamuxBody? {
        guard let body else { return nil }
        return YamuxBody(disposition: disposition(of: body), remaining: body.remaining)
    }

    private func disposition(of body: Body) -> YamuxBody.Disposition {
        guard let id = body.stream, streams[id]?.state.contains(.abandoned) == false else { return .discard }
        return .deliver(id)
    }

    /// Takes a header. Everything about it is checked before anything changes (CVE-2026-32314).
    ///
    /// Throws when the peer broke a rule that ends the session: then all streams are gone, no more input is taken, and
    /// ``nextFrame(maximumPayload:at:)`` has one GoAway to send.
    public mutating func receive(_ header: YamuxFrameHeader, at now: Instant) throws(YamuxError) {
        precondition(body == nil, "a body comes before the next header")
        precondition(
            events.count <= configuration.maximumInboundStreams + configuration.maximumOutboundStreams + 16,
            "events weren't polled")
        if let failure { throw failure }
        counts.value.framesReceived += 1
        lastReceivedAt = max(lastReceivedAt, now)
        do throws(YamuxError) {
            try dispatch(header, at: now)
        } catch {
            fail(error)
            throw error
        }
    }

    /// Takes the next bytes of the ``pendingBody``, `available` of which have arrived, and says what to do with them; nil
    /// when none is pending.
    public mutating func receiveBody(_ available: Int, at now: Instant) -> YamuxBodyAction? {
        guard var body else { return nil }
        precondition(available >= 0)
        lastReceivedAt = max(lastReceivedAt, now)
        let disposition = disposition(of: body)
        let count = min(available, body.remaining)
        body.remaining -= count
        let isEnd = body.remaining == 0
        self.body = isEnd ? nil : body
        if isEnd, body.endsStream, let id = body.stream, let index = streams.index(forKey: id) { finRead(index) }
        guard case .deliver(let id) = disposition else {
            counts.value.bytesDiscarded += count
            return .discard(count: count, endOfFrame: isEnd)
        }
        return .deliver(id, count: count, endOfFrame: isEnd)
    }

    mutating func fail(_ error: YamuxError) {
        failure = error
        pendingGoAway = error.goAwayCode
        streams.removeAll()
        body = nil
        pongs.removeAll()
        resets.removeAll()
        (controlQueue, dataQueue, abandonedQueue) = (StreamQueue(), StreamQueue(), StreamQueue())
        (inboundCount, outboundCount, unansweredCount, unacceptedCount) = (0, 0, 0, 0)
        (controlCount, dataCount, windowSum) = (0, 0, 0)
    }

    private mutating func dispatch(_ header: YamuxFrameHeader, at now: Instant) throws(YamuxError) {
        guard header.version == 0 else { throw .unsupportedVersion(header.version) }
        switch header.type {
        case .data:
            guard header.length <= YamuxConfiguration.maximumDataLength else { throw .frameTooLong(header.length) }
            try receiveStreamFrame(header, at: now)
        case .windowUpdate: try receiveStreamFrame(header, at: now)
        case .ping: try receivePing(header, at: now)
        case .goAway: try receiveGoAway(header)
        default: throw .unknownFrameType(header.type.rawValue)
        }
    }

    private mutating func receiveStreamFrame(_ header: YamuxFrameHeader, at now: Instant) throws(YamuxError) {
        guard header.streamID != .session else { throw .wrongScope(header) }
        if header.flags.contains(.syn) {
            try receiveOpen(header, at: now)
        } else if let index = streams.index(forKey: header.streamID) {
            try receive(header, on: index, at: now)
        } else {
            try receiveStray(header, at: now)
        }
    }

    // MARK: New streams

    private mutating func receiveOpen(_ header: YamuxFrameHeader, at now: Instant) throws(YamuxError) {
        let id = header.streamID
        guard !isOurs(id) else { throw .wrongParity(id) }
        guard streams[id] == nil else { throw .duplicateStream(id) }
        guard inboundIDs.isUnused(id.rawValue) else { throw .reusedStream(id) }
        let initial = YamuxConfiguration.initialWindow
        guard header.type != .data || header.length <= initial else {
            throw .windowExceeded(id, length: header.length, window: initial)
        }
        guard resets.count < configuration.maximumQueuedResets else { throw .tooMany(.unreadResets) }

        if header.flags.contains(.rst) {
            guard resetLimiter.admit(at: now) else { throw .tooMany(.resets) }
            counts.value.resetsReceived += 1
            inboundIDs.use(id.rawValue)
            beginBody(header, of: nil)
            return
        }
        let delta = header.type == .windowUpdate ? Int(header.length) : 0
        let fits = initial + delta <= Int(UInt32.max)
        if let code = refusal(fits: fits) {
            try countRefusal(at: now)
            inboundIDs.use(id.rawValue)
            refuse(header, code: code)
            return
        }
        if localGoAway != nil { lateStreams -= 1 }
        inboundIDs.use(id.rawValue)
        insert(id, StreamRecord(state: [.inbound, .announced], sendWindow: initial + delta, at: now))
        emptyFrames = 0
        events.append(.streamOpened(id))
        if let index = streams.index(forKey: id) { takeData(header, on: index) }
    }

    /// The code with which a new stream is to be refused, or nil when it is welcome.
    private func refusal(fits: Bool) -> UInt32? {
        if localGoAway != nil, !takesLateStreams || lateStreams == 0 { return YamuxResetCode.shutdown }
        guard fits else { return YamuxResetCode.protocolViolation }
        let isFull =
            inboundCount >= configuration.maximumInboundStreams || unacceptedCount >= configuration.acceptBacklog
        return isFull ? YamuxResetCode.resourceLimitExceeded : nil
    }

    private mutating func countRefusal(at now: Instant) throws(YamuxError) {
        if localGoAway != nil, lateStreams > 0 {
            lateStreams -= 1
            return
        }
        guard streamErrorLimiter.admit(at: now) else { throw .tooMany(.streamErrors) }
    }

    private mutating func refuse(_ header: YamuxFrameHeader, code: UInt32) {
        counts.value.streamsRefused += 1
        resets.append(PendingReset(id: header.streamID, code: code))
        strayFrames = min(strayFrames + Self.strayFramesPerStream, Self.maximumStrayFrames)
        strayBytes += YamuxConfiguration.initialWindow
        if header.type == .data { strayBytes -= Int(header.length) }
        beginBody(header, of: nil)
    }

    // MARK: Known streams

    private mutating func receive(
        _ header: YamuxFrameHeader, on index: StreamIndex, at now: Instant
    ) throws(YamuxError) {
        let record = streams[at: index]
        guard header.type != .data || header.length <= record.credit else {
            throw .windowExceeded(header.streamID, length: header.length, window: record.credit)
        }
        if header.flags.contains(.rst) {
            try receiveReset(header, on: index, at: now)
            return
        }
        let delta = header.type == .windowUpdate ? Int(header.length) : 0
        let isBehindFin = header.type == .data && header.length > 0 && record.state.contains(.finReceived)
        guard !isBehindFin, record.sendWindow + delta <= Int(UInt32.max) else {
            guard streamErrorLimiter.admit(at: now) else { throw .tooMany(.streamErrors) }
            reset(header.streamID, code: YamuxResetCode.protocolViolation)
            events.append(
                .streamReset(header.streamID, code: YamuxResetCode.protocolViolation, byPeer: false))
            beginBody(header, of: nil)
            return
        }
        let isNews = header.length > 0 || acknowledges(index)
        let finishes = header.flags.contains(.fin) && !record.state.contains(.finReceived)
        emptyFrames = isNews || finishes ? 0 : emptyFrames + 1
        guard emptyFrames <= configuration.maximumEmptyFrames else { throw .tooMany(.emptyFrames) }

        streams[at: index].sendWindow += delta
        if acknowledges(index) {
            streams[at: index].state.set(.accepted)
            unansweredCount -= 1
            events.append(.acknowledged(header.streamID))
        }
        takeData(header, on: index)
    }

    /// Any frame of the peer on a stream of ours tells that it knows the stream: some implementations never say ACK.
    private func acknowledges(_ index: StreamIndex) -> Bool {
        !streams[at: index].state.contains(.inbound) && !streams[at: index].state.contains(.accepted)
    }

    /// Counts the body that follows and takes the FIN, which comes behind it.
    private mutating func takeData(
        _ header: YamuxFrameHeader, on index: StreamIndex
    ) {
        if header.type == .data, header.length > 0 {
            streams[at: index].credit -= Int(header.length)
            streams[at: index].unread += Int(header.length)
            refresh(index)
            beginBody(header, of: header.streamID)
        } else if header.flags.contains(.fin) {
            finRead(index)
        } else {
            refresh(index)
        }
    }

    private mutating func finRead(_ index: StreamIndex) {
        if streams[at: index].state.set(.finReceived) {
            streams[at: index].state.clear(.updateDue)
            events.append(.finRead(streams.key(at: index)))
        }
        if !closeIfEnded(index) { refresh(index) }
    }

    private mutating func receiveReset(
        _ header: YamuxFrameHeader, on index: StreamIndex, at now: Instant
    ) throws(YamuxError) {
        if streams[at: index].state.contains(.inbound) {
            guard resetLimiter.admit(at: now) else { throw .tooMany(.resets) }
        }
        counts.value.resetsReceived += 1
        // Behind its own RST a peer sends no data.
        streams[at: index].state.set(.finReceived)
        drop(index)
        let code = header.type == .windowUpdate ? header.length : nil
        events.append(.streamReset(header.streamID, code: code, byPeer: true))
        beginBody(header, of: nil)
    }

    // MARK: No stream

    /// A frame for a stream that ended here, or never was. What can have been on the way is free; the rest counts.
    private mutating func receiveStray(_ header: YamuxFrameHeader, at now: Instant) throws(YamuxError) {
        counts.value.strayFrames += 1
        let length = header.type == .data ? Int(header.length) : 0
        if length > 0, length <= strayBytes {
            strayBytes -= length
        } else if length == 0, strayFrames > 0 {
            strayFrames -= 1
        } else {
            guard streamErrorLimiter.admit(at: now) else { throw .tooMany(.streamErrors) }
        }
        beginBody(header, of: nil)
    }

    private mutating func beginBody(_ header: YamuxFrameHeader, of stream: YamuxStreamID?) {
        guard header.type == .data, header.length > 0 else { return }
        counts.value.bytesReceived += Int(header.length)
        body = Body(stream: stream, remaining: Int(header.length), endsStream: header.flags.contains(.fin))
    }

    private mutating func receiveGoAway(_ header: YamuxFrameHeader) throws(YamuxError) {
        guard header.streamID == .session else { throw .wrongScope(header) }
        guard remoteGoAway == nil else {
            emptyFrames += 1
            guard emptyFrames <= configuration.maximumEmptyFrames else { throw .tooMany(.emptyFrames) }
            return
        }
        remoteGoAway = header.length
        events.append(.goAway(header.length))
        // The peer would refuse streams that it hasn't heard of. They are in the control queue, all of them.
        var unheard: [YamuxStreamID] = []
        controlQueue.ring.forEach { id in
            if streams[id]?.state.contains(.announced) == false { unheard.append(id) }
        }
        for id in unheard {
            reset(id)
            events.append(.streamUnopened(id))
        }
    }
}
