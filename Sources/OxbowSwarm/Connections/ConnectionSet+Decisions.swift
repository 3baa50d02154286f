public import OxbowCore

/// What the driver of a ``ConnectionSet`` has to do.
public enum ConnectionSetAction: Hashable, Sendable {
    /// Announce the end of a connection, and close it once nothing can be under way on it; ask
    /// ``ConnectionSet/retires(_:streams:at:)`` just before.
    case retire(ConnectionSet.ID)
    /// Count the streams on a connection: ``ConnectionSet/inspected(_:streams:at:)``.
    case inspect(ConnectionSet.ID)
    /// Ask a connection for a sign of life, and say when something came on it last:
    /// ``ConnectionSet/heard(_:at:now:)``.
    case probe(ConnectionSet.ID)
}

/// What to do with a peer's wish to move a stream.
public enum PeerMoveVerdict: Hashable, Sendable {
    case accept
    case deny
    /// Ask again at this time at the latest: it depends on a sign of life.
    case wait(until: Instant)
}

extension ConnectionSet {
    // MARK: Moving

    /// Where streams of a connection should move to now, by this side's doing; nil: nowhere (CS-5).
    public func destination(from source: ID, at now: Instant) -> ID? {
        guard policy.movesStreams, let best, best != source, let bestSince, let target = self[best],
            let current = self[source]
        else { return nil }
        // One that only isn't confirmed yet is no worse for it: the peer has it, or no stream would be there.
        guard current.isUsable ? precedes(target, current) : !canWait(on: current, rather: target) else { return nil }
        return bestSince + delay(of: current, to: target) <= now ? best : nil
    }

    /// Whether a stream stays on a connection whose end is announced, and which goes on until it is idle (CS-7): there is no
    /// need to go down a class while one of its own class is about to be confirmed.
    private func canWait(on leaving: Entry, rather target: Entry) -> Bool {
        guard target.rank > leaving.rank, !leaving.health.isDegraded else { return false }
        return entries.contains { $0.isUsable && !$0.isConfirmed && $0.rank <= leaving.rank }
    }

    /// How long this side leaves it to the other to move streams between two connections.
    private func delay(of source: Entry, to target: Entry) -> Duration {
        let ownTurn = isLowerPeer ? .zero : policy.stepInDelay
        guard source.rank == target.rank, source.isUsable, !source.health.isDegraded,
            source.facts.isDialedByLowerPeer == target.facts.isDialedByLowerPeer
        else { return ownTurn }
        // Of several that one side dialled, only that side knows what they are for.
        let isOwn = source.facts.isDialedByLowerPeer == isLowerPeer
        return isOwn && !source.facts.isPinned ? .zero : .nanoseconds(Int64.max)
    }

    /// Judges the peer's wish to move a stream from one connection to another.
    ///
    /// To a worse class only when the better connection answers no more, or very slowly: otherwise a peer could pull a stream
    /// back to a relay (a downgrade, CS-6).
    public func judgeMove(from source: ID, to target: ID, since arrived: Instant, at now: Instant) -> PeerMoveVerdict {
        guard let old = self[source], let new = self[target], policy.movesStreams else { return .accept }
        guard new.rank > old.rank, old.isUsable, !old.health.isDegraded else { return .accept }
        if old.health.lastHeard > arrived { return .deny }
        let limit = arrived + policy.downgradeProbe
        return now >= limit ? .accept : .wait(until: limit)
    }

    // MARK: Time

    /// Does what is due.
    public mutating func tick(at now: Instant) -> [ConnectionSetAction] {
        choose(at: now)
        var actions: [ConnectionSetAction] = []
        for index in entries.indices {
            prune(index, at: now, &actions)
            probe(index, at: now, &actions)
        }
        return actions
    }

    private mutating func prune(_ index: Int, at now: Instant, _ actions: inout [ConnectionSetAction]) {
        let entry = entries[index]
        guard let grace = grace(of: entry) else {
            (entries[index].inspectAt, entries[index].idleSince, entries[index].busyLooks) = (nil, nil, 0)
            return
        }
        if let idleSince = entry.idleSince, idleSince + grace <= now, let inspectAt = entry.inspectAt, inspectAt <= now
        {
            // It was idle when it was looked at last; between the looks a stream may have come and gone, which harms
            // nobody: retiring ends no stream.
            entries[index].isRetiring = true
            actions.append(.retire(entry.facts.id))
        } else if entry.inspectAt ?? now <= now {
            entries[index].inspectAt = now + policy.pruneGrace * (1 << entry.busyLooks)
            actions.append(.inspect(entry.facts.id))
        }
    }

    /// How long a connection has to be idle before this side closes it; nil when it doesn't (CS-3).
    private func grace(of entry: Entry) -> Duration? {
        guard policy.prunes, entry.isUsable, !entry.facts.isPinned, let best, best != entry.facts.id, bestSince != nil,
            let target = self[best], !target.health.isDegraded
        else { return nil }
        if target.rank < entry.rank { return policy.pruneGrace }
        guard target.rank == entry.rank else { return nil }
        guard target.facts.isDialedByLowerPeer == entry.facts.isDialedByLowerPeer else {
            guard target.facts.isDialedByLowerPeer else { return nil }
            return isLowerPeer ? policy.duplicateGrace : policy.duplicateGrace * 10
        }
        // Several of one side: only that one knows whether it wants them.
        return entry.facts.isDialedByLowerPeer == isLowerPeer ? policy.duplicateGrace : nil
    }

    private mutating func probe(_ index: Int, at now: Instant, _ actions: inout [ConnectionSetAction]) {
        guard needsProbes(entries[index]) else {
            entries[index].probeAt = nil
            return
        }
        guard entries[index].probeAt ?? now <= now else { return }
        entries[index].probeAt = now + policy.probeInterval
        entries[index].health.asked(at: now)
        actions.append(.probe(entries[index].facts.id))
    }

    /// The best connection is looked after while there is another; one that has degraded, so that its recovery is seen.
    private func needsProbes(_ entry: Entry) -> Bool {
        guard policy.movesStreams, entry.isUsable, entries.count > 1 else { return false }
        return entry.facts.id == best || entry.health.isDegraded
    }

    /// When ``tick(at:)`` is due, or ``destination(from:at:)`` may answer something else; `distantFuture` when never.
    public func nextDeadline(after now: Instant) -> Instant {
        var deadline = Instant.distantFuture
        for entry in entries {
            deadline = min(deadline, entry.health.nextDeadline(policy))
            if needsProbes(entry) { deadline = min(deadline, entry.probeAt ?? now) }
            if grace(of: entry) != nil { deadline = min(deadline, entry.inspectAt ?? now) }
            if let best, let bestSince, let target = self[best], entry.facts.id != best, policy.movesStreams {
                let stepIn = bestSince + delay(of: entry, to: target)
                if stepIn > now { deadline = min(deadline, stepIn) }
            }
        }
        return deadline
    }
}
