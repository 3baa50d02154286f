import OxbowCore

extension YamuxSession {
    /// Traps, in debug builds, when the books don't agree with each other. It looks at every stream: for tests.
    public func assertInvariants() {
        var (inbound, unaccepted, unanswered, windows, control, data) = (0, 0, 0, 0, 0, 0)
        for (id, record) in streams {
            record.assertInvariants(maximumWindow: configuration.maximumWindow)
            let isInbound = record.state.contains(.inbound)
            assert(isInbound != isOurs(id))
            let waits = record.state.contains(.accepted) ? 0 : 1
            inbound += isInbound ? 1 : 0
            unaccepted += isInbound ? waits : 0
            unanswered += isInbound ? 0 : waits
            windows += record.window
            control += record.wantsControl ? 1 : 0
            data += record.wantsData ? 1 : 0
        }
        assert(inboundCount == inbound && outboundCount == streams.count - inbound)
        assert(unacceptedCount == unaccepted && unansweredCount == unanswered)
        assert(windowSum == windows && controlCount == control && dataCount == data)
        assert(inboundCount <= configuration.maximumInboundStreams)
        assert(outboundCount <= configuration.maximumOutboundStreams)
        assert(unacceptedCount <= configuration.acceptBacklog && unansweredCount <= configuration.acceptBacklog)
        assert(windowSum <= configuration.sessionWindow + streams.count * YamuxConfiguration.initialWindow)
        assert(windowGrowth >= 0 && windowGrowth <= growthLimit)
        assert(pongs.count <= configuration.maximumQueuedPongs && emptyFrames <= configuration.maximumEmptyFrames + 1)
        assert(inboundIDs.skipped.count <= inboundIDs.bound && strayBytes >= 0 && strayFrames >= 0)
        assert(body.map { $0.remaining > 0 } ?? true, "a body that is through leaves no record")
        assertQueue(controlQueue, flag: .inControlQueue)
        assertQueue(dataQueue, flag: .inDataQueue)
        assertQueue(abandonedQueue, flag: .abandoned)
        assert(failure == nil || streams.isEmpty && body == nil)
    }

    /// Each stream is in a queue once if its flag says so; the others there are leftovers, and few.
    private func assertQueue(_ queue: StreamQueue, flag: StreamRecord.State) {
        var live: Set<YamuxStreamID> = []
        var leftovers = 0
        queue.ring.forEach { id in
            guard let record = streams[id] else {
                leftovers += 1
                return
            }
            assert(record.state.contains(flag) && live.insert(id).inserted)
        }
        assert(live.count == streams.count { $0.value.state.contains(flag) })
        assert(leftovers == queue.leftovers && leftovers <= 32 + live.count)
    }
}
