import NIOCore
import OxbowCore
import OxbowMux

/// The connection's deadlines: one timer for all of them.
extension ConnectionDriver {
    private var nextDeadline: Instant {
        var next = min(handshakeDeadline ?? .distantFuture, closeDeadline ?? .distantFuture)
        next = min(next, negotiationDeadlines.first?.deadline ?? .distantFuture)
        guard failure == nil else { return next }
        if let deadline = session?.nextDeadline { next = min(next, deadline) }
        return min(next, retirement?.nextPing ?? .distantFuture)
    }

    /// A deadline that moved back costs nothing: the timer looks again when it fires.
    func scheduleTimer() {
        let deadline = nextDeadline
        guard !isTransportClosed, deadline < .distantFuture else { return }
        if let timer, timer.deadline <= deadline { return }
        timer?.task.cancel()
        let task = eventLoop.scheduleTask(deadline: NIODeadline(deadline)) { [weak self] in
            guard let self else { return }
            timer = nil
            process { self.tick() }
        }
        timer = (deadline, task)
    }

    private func tick() {
        let now = now
        if let deadline = handshakeDeadline, now >= deadline {
            handshakeDeadline = nil
            end(.handshakeTimedOut(upgradePhase))
        }
        if let deadline = closeDeadline, now >= deadline {
            end(.closedLocally)
            closeDeadline = nil
            transport.close(discarding: true)
        }
        while let first = negotiationDeadlines.first, now >= first.deadline {
            negotiationDeadlines.removeFirst()
            negotiationTimedOut(first.token)
        }
        guard failure == nil else { return }
        tickRetirement()
        do {
            try session?.tick(at: now)
        } catch {
            return end(.muxer(error))
        }
        drainEvents()
    }
}

extension Instant {
    /// An event loop's time.
    init(_ deadline: NIODeadline) {
        self.init(nanoseconds: Int64(clamping: deadline.uptimeNanoseconds))
    }
}

extension NIODeadline {
    init(_ instant: Instant) {
        self = .uptimeNanoseconds(UInt64(clamping: instant.nanoseconds))
    }
}
