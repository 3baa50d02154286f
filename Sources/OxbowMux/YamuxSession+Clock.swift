public import OxbowCore

extension YamuxSession {
    /// When ``tick(at:)`` is to be called next, or nil when never. It may change with every call.
    public var nextDeadline: Instant? {
        guard failure == nil else { return nil }
        var deadline = abandonedDeadline
        if ping.isActive {
            deadline = min(deadline, pingDeadline)
        } else if configuration.keepAliveInterval != nil {
            deadline = min(deadline, ping.dueAt)
        }
        return deadline == .distantFuture ? nil : deadline
    }

    /// A peer that sends is alive, even if its answer is stuck behind much data: what arrives puts the deadline off.
    private var pingDeadline: Instant {
        max(ping.since, lastReceivedAt) + configuration.pingTimeout
    }

    private var abandonedDeadline: Instant {
        abandonedQueue.ring.first.flatMap { streams[$0]?.deadline } ?? .distantFuture
    }

    /// Does what is due: keep-alive pings, and resets of abandoned streams. Poll ``nextEvent()`` afterwards.
    public mutating func tick(at now: Instant) throws(YamuxError) {
        guard failure == nil else { return }
        while let id = abandonedQueue.ring.first, abandonedDeadline <= now {
            reset(id)
            events.append(.streamClosed(id))
        }
        if ping.isActive {
            guard now < pingDeadline else {
                fail(.pingTimeout)
                throw .pingTimeout
            }
        } else if configuration.keepAliveInterval != nil, ping.dueAt <= now {
            ping(at: now)
        }
    }

    /// Measures the round trip: a ping goes out unless one is on its way, and ``YamuxEvent/roundTrip(_:)`` follows.
    public mutating func ping(at now: Instant) {
        guard !ping.isActive, failure == nil else { return }
        ping.isActive = true
        ping.sentAt = nil
        ping.since = now
        if let interval = configuration.keepAliveInterval { ping.dueAt = now + interval }
    }

    mutating func receivePing(_ header: YamuxFrameHeader, at now: Instant) throws(YamuxError) {
        guard header.streamID == .session else { throw .wrongScope(header) }
        guard pingLimiter.admit(at: now) else { throw .tooMany(.pings) }
        guard !header.flags.contains(.syn) else {
            if pongs.count == configuration.maximumQueuedPongs { pongs.popFirst() }
            pongs.append(header.length)
            return
        }
        guard ping.isActive, let sentAt = ping.sentAt, header.length == ping.next else { return }
        let sample = max(now - sentAt, .zero)
        ping.isActive = false
        ping.next &+= 1
        ping.roundTrip = ping.roundTrip.map { ($0 + sample) / 2 } ?? sample
        events.append(.roundTrip(sample))
    }
}
