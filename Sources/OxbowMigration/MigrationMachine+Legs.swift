public import OxbowCore

// What was read and framed on the legs.

extension MigrationMachine {
    /// The FIN that ``wantsFIN(on:)`` asked for was framed on `leg`, behind all bytes that were framed there.
    public mutating func finFramed(on leg: Leg, at now: Instant) -> [MigrationAction] {
        switch (leg, phase) {
        case (.source, .settled), (.source, .asking), (.source, .handingOff):
            source.finFramed = true
        case (.target, .handingOff(var handOff)):
            handOff.targetFINFramed = true
            phase = .handingOff(handOff)
        default:
            return []
        }
        progress(at: now)
        return settle(at: now)
    }

    /// A FIN was read at the multiplexer's level, even if the application has not read the bytes before it (SM-M5).
    public mutating func finRead(on leg: Leg, at now: Instant) -> [MigrationAction] {
        switch (leg, phase) {
        case (.source, .settled), (.source, .asking), (.source, .handingOff):
            source.finRead = true
            source.finReadBehindOwn = source.finFramed
        case (.target, .handingOff(var handOff)):
            handOff.targetFINRead = true
            handOff.hasTargetSpoken = true
            phase = .handingOff(handOff)
        default:
            return []
        }
        noteSpeech(on: leg)
        progress(at: now)
        return settle(at: now)
    }

    /// Bytes were read on `leg`, at the level and in the order of ``finRead(on:at:)``.
    ///
    /// Needed only while ``watchesData``: a settled stream pays nothing per read.
    public mutating func dataRead(on leg: Leg, at now: Instant) -> [MigrationAction] {
        guard phase != .ended else { return [] }
        if isEOFDelivered || hasReadFIN(on: leg) { return fail(.dataBehindEnd) }
        if leg == .target, case .handingOff(var handOff) = phase {
            handOff.hasTargetSpoken = true
            phase = .handingOff(handOff)
        }
        noteSpeech(on: leg)
        progress(at: now)
        return []
    }

    /// Bytes were framed on a leg of a hand-off: its deadline starts anew (SM-F8).
    public mutating func progress(at now: Instant) {
        guard case .handingOff(var handOff) = phase else { return }
        handOff.deadline = now + configuration.handOffTimeout
        phase = .handingOff(handOff)
    }

    private func hasReadFIN(on leg: Leg) -> Bool {
        if leg == .source { return source.finRead }
        guard leg == .target, case .handingOff(let handOff) = phase else { return false }
        return handOff.targetFINRead
    }

    /// The peer spoke on the leg to which the last migration led (SM-M9).
    private mutating func noteSpeech(on leg: Leg) {
        if leg == .source, pruning == .initiatorAwaitsTarget { pruning = .initiatorSawTarget }
    }

    /// `leg` was reset by the peer, or its connection is gone.
    public mutating func lost(_ leg: Leg, at now: Instant) -> [MigrationAction] {
        switch (leg, phase) {
        case (.yielded, _):
            yielded = nil
            return []
        case (_, .ended), (.target, .settled):
            return []
        case (.target, .asking):
            return attemptFailed(resetTarget: false, at: now)
        case (.source, .asking) where source.finRead && source.finFramed:
            // Both directions had ended; the answer that is outstanding judges the end that is held (SM-M2).
            return []
        case (.source, .settled), (.source, .asking):
            return fail(.lost)
        case (.source, .handingOff), (.target, .handingOff):
            return fail(.lostDuringHandOff(leg))
        }
    }

    mutating func settle(at now: Instant) -> [MigrationAction] {
        let actions = consequences()
        if !owesEnd {
            endDeadline = nil
        } else if endDeadline == nil {
            endDeadline = now + configuration.endTimeout
        }
        return actions
    }

    /// Whether all that is missing is the peer's FIN of an end that was delivered before a migration (SM-M7).
    private var owesEnd: Bool {
        switch phase {
        case .settled, .asking: isEOFDelivered && !source.finRead && source.finFramed
        case .handingOff, .ended: false
        }
    }

    /// Draws the consequences of a state: an end of stream that is due, a hand-off that is complete, a stream at its
    /// end. The order matters: a complete hand-off turns the target's FIN into the source's.
    private mutating func consequences() -> [MigrationAction] {
        var actions: [MigrationAction] = []
        if case .handingOff(let handOff) = phase {
            if source.finRead, handOff.targetFINRead, !isEOFDelivered {
                isEOFDelivered = true
                actions.append(.deliverEOF)
            }
            guard source.finRead, source.finFramed else { return actions }
            actions.append(complete(handOff))
        }
        guard phase == .settled else { return actions }
        if source.finRead, !isEOFDelivered {
            // SM-F2: behind an own FIN, this FIN may be the hand-off of an attempt whose answer was lost.
            if isTainted, source.finReadBehindOwn { return actions + fail(.endInDoubt) }
            isEOFDelivered = true
            actions.append(.deliverEOF)
        }
        if source.finRead, source.finFramed {
            phase = .ended
            actions.append(.finished)
        }
        return actions
    }

    /// SM-M8. Whatever was in doubt about the old source (SM-F2) is settled by the peer's hand-off of it.
    private mutating func complete(_ handOff: HandOff) -> MigrationAction {
        guard let old = id else { preconditionFailure("a stream without a label migrated") }
        source = Source(
            finFramed: handOff.targetFINFramed, finRead: handOff.targetFINRead,
            finReadBehindOwn: handOff.targetFINRead && handOff.targetFINFramed)
        isTainted = false
        retry = Retry()
        phase = .settled
        rename(to: handOff.target)
        switch handOff.role {
        case .responder: pruning = .none
        case .initiator: pruning = handOff.hasTargetSpoken ? .initiatorSawTarget : .initiatorAwaitsTarget
        }
        return .complete(id: handOff.target, was: old, role: handOff.role)
    }
}
