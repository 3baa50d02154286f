public import OxbowCore

// MARK: - Initiator: the answer

extension MigrationMachine {
    /// The answer was read on the target of an own attempt.
    ///
    /// - Parameter leg: ``Leg/target``, or ``Leg/yielded`` for an attempt that gave way in a glare.
    public mutating func answered(accepted: Bool, on leg: Leg, at now: Instant) -> [MigrationAction] {
        if leg == .yielded {
            guard yielded != nil else { return [] }
            yielded = nil
            guard accepted else { return [.close(.yielded)] }
            // SM-F4: a peer that accepts it now has no rule for glare; nobody can tell which target counts. A stream
            // that has come to its end meanwhile stays ended.
            return phase == .ended ? [.reset(.yielded)] : fail(.acceptedYieldedAttempt)
        }
        guard case .asking(let attempt) = phase else { return [] }
        guard accepted else {
            // A taint stays (SM-F2): the peer also denies when it accepted an attempt before this one and has moved on
            // to its target, or was aborted there; its hand-off of the source may still be under way.
            isDenied = true
            phase = .settled
            return [.close(.target), .attemptEnded(.denied)] + settle(at: now)
        }
        // The peer was on the source when it accepted: it has accepted no attempt before this one (SM-F2).
        isTainted = false
        phase = .handingOff(
            HandOff(role: .initiator, target: attempt.target, deadline: now + configuration.handOffTimeout))
        return [.attemptEnded(.accepted)] + settle(at: now)
    }

    /// Something that is no answer was read on the target of an own attempt (SM-F7).
    public mutating func answeredWrongly(on leg: Leg, at now: Instant) -> [MigrationAction] {
        guard leg == .target else { return [.reset(leg)] + lost(leg, at: now) }
        guard case .asking = phase else { return [] }
        return attemptFailed(resetTarget: true, at: now)
    }

    /// The own attempt came to nothing before its Migrate was sent: the peer knows nothing of it, nothing is in doubt.
    public mutating func withdrawAttempt(at now: Instant) -> [MigrationAction] {
        guard case .asking = phase else { return [] }
        phase = .settled
        return [.attemptEnded(.failed)] + settle(at: now)
    }

    /// SM-F2: the stream stays where it is. The peer may have accepted, so a FIN from now on is judged.
    mutating func attemptFailed(resetTarget: Bool, at now: Instant) -> [MigrationAction] {
        guard case .asking = phase else { return [] }
        isTainted = true
        phase = .settled
        noteFailure(at: now)
        let head: [MigrationAction] = resetTarget ? [.reset(.target)] : []
        return head + [.attemptEnded(.failed)] + settle(at: now)
    }

    /// SM-F2: the next attempt waits, twice as long each time. Where no bound is set, nothing is kept.
    private mutating func noteFailure(at now: Instant) {
        let most = configuration.maximumRetryDelay
        let delay = retry.delay.map { $0 > most / 2 ? most : $0 + $0 } ?? min(configuration.retryDelay, most)
        guard delay > .zero || configuration.maximumFailures != nil else { return }
        retry = Retry(failures: retry.failures + 1, delay: delay, notBefore: now + delay)
    }
}

// MARK: - Responder: the peer's Migrate

extension MigrationMachine {
    /// Judges a Migrate of the peer's whose `from` is an id of this stream, without changing anything.
    public func judge(from: UInt64) -> MigrateJudgement {
        switch phase {
        case .ended:
            return .deny
        case .settled:
            guard from == id else { return .deny }
            // Its own negotiation could still fail, and take the label with it (SM-L1).
            return isNegotiated ? .accept : .hold
        case .asking(let attempt):
            // SM-F5: the peer has accepted our attempt and moves on already; its answer to it is still under way.
            if from == attempt.target { return .hold }
            guard from == id else { return .deny }
            // SM-F4: both ask at once.
            return isLowerPeer ? .deny : .accept
        case .handingOff:
            return .hold
        }
    }

    /// Accepts a Migrate that ``judge(from:)`` let pass. The driver lets the Ack out afterwards (SM-M3).
    ///
    /// In a glare the own attempt gives way: its target is ``Leg/yielded`` from now on (SM-F4).
    public mutating func accept(target: UInt64, at now: Instant) -> [MigrationAction] {
        var actions: [MigrationAction] = []
        if case .asking(let attempt) = phase {
            precondition(!isLowerPeer, "the lower peer id does not give way")
            yielded = attempt
            actions.append(.attemptEnded(.yielded))
        } else {
            precondition(phase == .settled, "a Migrate is accepted only when it was judged so")
        }
        // A peer that asks for this stream itself takes part in its migration: a denial before was that of a glare
        // whose other half had not arrived yet, not a refusal for ever (SM-F1, SM-F4).
        isDenied = false
        phase = .handingOff(HandOff(role: .responder, target: target, deadline: now + configuration.handOffTimeout))
        return actions + settle(at: now)
    }
}
