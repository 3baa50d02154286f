public import OxbowCore

extension YamuxSession {
    /// Whether ``nextFrame(maximumPayload:at:)`` has something, given room for payload.
    public var hasOutput: Bool {
        if failure != nil { return pendingGoAway != nil }
        return pendingGoAway != nil || pingIsDue || controlCount > 0 || dataCount > 0
            || !pongs.isEmpty || !resets.isEmpty
    }

    private var pingIsDue: Bool { ping.isActive && ping.sentAt == nil }

    /// Takes the next frame to write, or nil when there is none. Its payload, if any, is the next
    /// ``YamuxOutboundFrame/payload`` bytes of the stream ``YamuxFrameHeader/streamID``; they are no longer pending.
    ///
    /// Control frames come first; then the streams with data take turns, a frame each. Poll ``nextEvent()`` afterwards:
    /// a FIN may have closed the stream.
    ///
    /// - Parameter maximumPayload: how many payload bytes the driver has room for behind a header. With 0, only control
    ///   frames come.
    public mutating func nextFrame(maximumPayload: Int, at now: Instant) -> YamuxOutboundFrame? {
        guard let header = nextHeader(maximumPayload: maximumPayload, at: now) else { return nil }
        counts.value.framesSent += 1
        return YamuxOutboundFrame(header: header)
    }

    private mutating func nextHeader(maximumPayload: Int, at now: Instant) -> YamuxFrameHeader? {
        if failure == nil, let value = pongs.popFirst() {
            return YamuxFrameHeader(type: .ping, flags: .ack, streamID: .session, length: value)
        }
        if failure == nil, pingIsDue {
            ping.sentAt = now
            ping.since = now
            return YamuxFrameHeader(type: .ping, flags: .syn, streamID: .session, length: ping.next)
        }
        if let code = pendingGoAway {
            pendingGoAway = nil
            return YamuxFrameHeader(type: .goAway, streamID: .session, length: code)
        }
        if let reset = resets.popFirst() {
            counts.value.resetsSent += 1
            let type: YamuxFrameType = reset.code == YamuxResetCode.none ? .data : .windowUpdate
            return YamuxFrameHeader(type: type, flags: .rst, streamID: reset.id, length: reset.code)
        }
        if let header = nextControlHeader() { return header }
        return maximumPayload > 0 ? nextDataHeader(maximumPayload: maximumPayload) : nil
    }

    /// SYN, ACK and credit, which go together when they are due together.
    private mutating func nextControlHeader() -> YamuxFrameHeader? {
        while let index = controlQueue.popFirst(in: streams) {
            let id = streams.key(at: index)
            streams[at: index].state.clear(.inControlQueue)
            var record = streams[at: index]
            guard record.wantsControl else { continue }
            var flags = YamuxFlags(rawValue: 0)
            if record.state.set(.announced) { flags.insert(.syn) }
            if record.owesACK, record.state.set(.acknowledged) {
                flags.insert(.ack)
            }
            var delta = 0
            if record.state.clear(.updateDue) {
                delta = record.owed
                record.credit += delta
                counts.value.windowUpdatesSent += 1
            }
            streams[at: index] = record
            refresh(index)
            return YamuxFrameHeader(
                type: .windowUpdate, flags: flags, streamID: id, length: UInt32(clamping: delta))
        }
        return nil
    }

    private mutating func nextDataHeader(maximumPayload: Int) -> YamuxFrameHeader? {
        while let index = dataQueue.popFirst(in: streams) {
            let id = streams.key(at: index)
            streams[at: index].state.clear(.inDataQueue)
            var record = streams[at: index]
            guard record.wantsData else { continue }
            let count = min(record.pending, record.sendWindow, maximumPayload, configuration.maximumFramePayload)
            record.pending -= count
            record.sendWindow -= count
            var flags = YamuxFlags(rawValue: 0)
            if record.pending == 0, record.state.contains(.finishing) {
                record.state.set(.finSent)
                flags.insert(.fin)
            }
            streams[at: index] = record
            counts.value.bytesSent += count
            if !closeIfEnded(index) { refresh(index) }
            return YamuxFrameHeader(type: .data, flags: flags, streamID: id, length: UInt32(clamping: count))
        }
        return nil
    }

    /// The driver had fewer bytes than the data frame that it was given had room for: another thread re-pointed the
    /// stream's writes in between. The frame goes out with the bytes that there are, and the window of the rest comes
    /// back.
    public mutating func returnUnsent(_ id: YamuxStreamID, bytes: Int) {
        precondition(bytes >= 0)
        counts.value.bytesSent -= bytes
        guard let index = streams.index(forKey: id) else { return }
        streams[at: index].sendWindow += bytes
        refresh(index)
    }
}
