public import OxbowCore

extension YamuxSession {
    // MARK: From our side

    /// Opens a stream. Its SYN is the next frame of its own; data may be pending at once.
    public mutating func open(at now: Instant) throws(YamuxOpenError) -> YamuxStreamID {
        if let failure { throw .failed(failure) }
        if let remoteGoAway { throw .remoteGoAway(remoteGoAway) }
        guard localGoAway == nil else { throw .localGoAway }
        guard nextID <= UInt64(UInt32.max) else { throw .streamIDsExhausted }
        guard outboundCount < configuration.maximumOutboundStreams else { throw .tooManyStreams }
        guard unansweredCount < configuration.acceptBacklog else { throw .backlogFull }
        let id = YamuxStreamID(rawValue: UInt32(truncatingIfNeeded: nextID))
        nextID += 2
        insert(id, StreamRecord(state: [], at: now))
        counts.value.streamsOpened += 1
        return id
    }

    /// Whether ``open(at:)`` has to wait for the peer's answers, and for nothing else.
    public var isBacklogFull: Bool {
        failure == nil && remoteGoAway == nil && localGoAway == nil && unansweredCount >= configuration.acceptBacklog
    }

    /// The application took a stream that the peer opened: ACK goes out.
    ///
    /// Until then it counts towards the backlog that ``YamuxConfiguration/acceptBacklog`` bounds. Sending on the
    /// stream, ending it and giving credit for it accept it too, so that only streams which we merely read need it.
    public mutating func accept(_ id: YamuxStreamID) {
        guard let index = streams.index(forKey: id) else { return }
        accept(index)
        refresh(index)
    }

    func needsAccept(_ index: StreamIndex) -> Bool {
        streams[at: index].state.contains(.inbound) && !streams[at: index].state.contains(.accepted)
    }

    mutating func accept(_ index: StreamIndex) {
        guard needsAccept(index) else { return }
        streams[at: index].state.set(.accepted)
        unacceptedCount -= 1
        counts.value.streamsAccepted += 1
    }

    /// Says how many bytes the driver has ready for a stream: an absolute count, which may fall too, to 0 when the
    /// writes go elsewhere from now on. After ``finish(_:)`` it may not rise.
    public mutating func setPending(_ id: YamuxStreamID, bytes: Int) {
        guard let index = streams.index(forKey: id) else { return }
        precondition(bytes >= 0)
        precondition(
            bytes <= streams[at: index].pending || !streams[at: index].state.contains(.finishing),
            "bytes behind a FIN")
        streams[at: index].pending = bytes
        if bytes > 0 { accept(index) }
        refresh(index)
    }

    /// Ends our side: FIN goes out behind what is pending, with its last frame. With nothing pending it goes out at
    /// once, without waiting for the window; ``setPending(_:bytes:)`` may have set that to 0 just before.
    public mutating func finish(_ id: YamuxStreamID) {
        guard let index = streams.index(forKey: id) else { return }
        streams[at: index].state.set(.finishing)
        accept(index)
        refresh(index)
    }

    /// Ends both sides at once and forgets the stream; nothing is said of it any more. A stream whose SYN wasn't sent
    /// goes without a trace.
    ///
    /// - Parameter code: a code of ``YamuxResetCode`` or of the application, which only some implementations read.
    public mutating func reset(_ id: YamuxStreamID, code: UInt32 = YamuxResetCode.none) {
        guard let index = streams.index(forKey: id) else { return }
        let announced = streams[at: index].state.contains(.announced)
        drop(index)
        if announced { resets.append(PendingReset(id: id, code: code)) }
    }

    /// The peer did on a stream what makes the driver reset or refuse it: counted with what the session itself finds, so
    /// that a peer can't make us send resets without end (CVE-2025-8671). Throws when there were too many.
    public mutating func countStreamError(at now: Instant) throws(YamuxError) {
        guard failure == nil, !streamErrorLimiter.admit(at: now) else { return }
        fail(.tooMany(.streamErrors))
        throw .tooMany(.streamErrors)
    }

    /// The application let go of a stream: what is pending goes out, then FIN; what comes in is discarded and earns no
    /// credit. When the peer hasn't ended its side after ``YamuxConfiguration/closeTimeout``, the stream is reset.
    public mutating func abandon(_ id: YamuxStreamID, at now: Instant) {
        guard let index = streams.index(forKey: id), !streams[at: index].state.contains(.abandoned) else { return }
        streams[at: index].state.set(.abandoned)
        streams[at: index].state.set(.finishing)
        streams[at: index].state.clear(.updateDue)
        streams[at: index].deadline = now + configuration.closeTimeout
        abandonedQueue.append(id)
        accept(index)
        refresh(index)
    }

    /// The application took `bytes` of what was delivered: once half the window is taken, the peer gets credit for it,
    /// and more room when it seems to need that.
    public mutating func consumed(_ id: YamuxStreamID, bytes: Int, at now: Instant) {
        guard let index = streams.index(forKey: id) else { return }
        guard !streams[at: index].state.contains(.abandoned) else { return }
        let announcedOnly = body?.stream == id ? body?.remaining ?? 0 : 0
        precondition(
            bytes >= 0 && bytes <= streams[at: index].unread - announcedOnly,
            "more was consumed than delivered")
        streams[at: index].unread -= bytes
        let record = streams[at: index]
        // Behind a FIN nothing comes that would need credit.
        guard !record.state.contains(.updateDue), !record.state.contains(.finReceived),
            2 * record.owed >= record.window
        else {
            return
        }
        tuneWindow(index, at: now)
        streams[at: index].creditedAt = now
        if streams[at: index].owed > 0 { streams[at: index].state.set(.updateDue) }
        accept(index)
        refresh(index)
    }

    /// Fits a window to its use when half of it was taken. Taken within four round trips since the last credit, it is
    /// doubled, as go-yamux does: at two round trips the sender would just begin to wait for us. When the streams' sum
    /// has gone past its bound, since new streams came, it is halved instead.
    private mutating func tuneWindow(_ index: StreamIndex, at now: Instant) {
        let record = streams[at: index]
        var window = record.window
        if windowSum > configuration.sessionWindow {
            window = max(YamuxConfiguration.initialWindow, window / 2)
        } else if let roundTrip = ping.roundTrip, now - record.creditedAt < roundTrip * 4 {
            let wanted = possibleGrowth(of: window, sum: windowSum)
            let granted = min(wanted, max(0, growthLimit - windowGrowth))
            window += granted
            // The next doubling is asked for now, so that it doesn't wait for the answer.
            let next = possibleGrowth(of: window, sum: windowSum + granted)
            askForGrowth(windowGrowth + granted + max(wanted - granted, next), at: now)
        }
        windowSum += window - record.window
        streams[at: index].window = window
    }

    private func possibleGrowth(of window: Int, sum: Int) -> Int {
        max(0, min(window, configuration.sessionWindow - sum, configuration.maximumWindow - window))
    }

    private mutating func askForGrowth(_ total: Int, at now: Instant) {
        guard total > growthLimit, !isAskingForGrowth, now >= nextGrowthRequest else { return }
        isAskingForGrowth = true
        events.append(.growthWanted(total - growthLimit))
    }

    /// From now on, windows may have grown by `total` bytes in all; at least ``windowGrowth``.
    public mutating func allowGrowth(to total: Int) {
        precondition(total >= windowGrowth, "what has been granted to the peer can't be taken back")
        growthLimit = total
        isAskingForGrowth = false
    }

    /// The answer to ``YamuxEvent/growthWanted(_:)`` is no; it comes again at `time` at the earliest.
    public mutating func refuseGrowth(until time: Instant) {
        isAskingForGrowth = false
        nextGrowthRequest = time
    }

    /// Announces that the session ends: the peer opens no more streams, nor do we. Open ones go on.
    ///
    /// go-yamux takes any GoAway for the connection's end.
    ///
    /// - Parameters:
    ///   - code: a code of ``YamuxGoAwayCode``.
    ///   - takesLateStreams: whether streams are still taken that the peer opened before it can know, at most
    ///     ``YamuxConfiguration/acceptBacklog``; they are refused otherwise.
    public mutating func goAway(code: UInt32 = YamuxGoAwayCode.normal, takesLateStreams: Bool = false) {
        guard localGoAway == nil, failure == nil else { return }
        self.takesLateStreams = takesLateStreams
        localGoAway = code
        pendingGoAway = code
        lateStreams = configuration.acceptBacklog
    }
}
