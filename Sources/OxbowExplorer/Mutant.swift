/// Wrong variants of the driver, or of one side's rules: the properties must catch each.
package enum Mutant: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// A FIN that is read while the answer is outstanding is delivered as the end (SM-M2).
    case finNotHeld
    /// An end in doubt is delivered as a clean one (SM-F2).
    case noTaint
    /// A denial settles an end in doubt, though the peer may deny because it has moved on (SM-F2).
    case denialClearsTaint
    /// The end that was sent on the source isn't sent again on the target (SM-M7).
    case finNotMirrored
    /// The FIN of the source counts only once the application has read the bytes before it (SM-M5).
    case switchOnDeliveredEnd
    /// A responder that loses the target goes back to the source (SM-F3).
    case responderGoesBack
    /// In a glare both accept (SM-F4).
    case glareBothAccept
    /// In a glare both accept, and the loser ignores the Ack for the attempt that gave way (SM-F4).
    case yieldedAckIgnored
    /// In a glare the loser resets the winner's target (SM-F4).
    case glareLoserResets
    /// A Migrate from an id that is finished is reset (SM-F6).
    case finishedIsReset
    /// Ids of streams that ended are forgotten at once, so that a Migrate from one waits as if it were unknown (SM-F6, SM-F10).
    case finishedForgotten
    /// A Migrate from the own unanswered target is reset (SM-F5).
    case noHoldForOwnTarget
    /// A Migrate that waits is never judged again (SM-F5).
    case heldNeverReleased
    /// A Migrate that waits stays in the table when its connection is lost (SM-F10).
    case heldOutlivesConnection
    /// A Migrate that names an unknown id is denied at once (SM-F6).
    case unknownIsDenied
    /// The initiator closes the source's connection abruptly as soon as it is complete (SM-M9).
    case initiatorPrunesEarly
    /// So does the responder (SM-M9).
    case responderPrunes
    /// Every FIN on the source is the end, migration or not.
    case everyFINIsEnd
    /// Every FIN on the source closes the own write side.
    case everyFINCloses
    /// The Ack goes out, and the state is armed later (SM-M3).
    case ackBeforeArmed
    /// The responder switches with its Ack instead of on the source's FIN (SM-M5).
    case responderSwitchesAtOnce
    /// The initiator's FIN on the source waits for the window behind what was to go there (SM-M4).
    case finWaitsForWindow
    /// What was framed last on the source is framed again on the target (SM-M4).
    case framedAgain
    /// Early bytes of the target are delivered before the source's end (SM-M6).
    case earlyBytesDelivered
    /// Credit is given for bytes that wait on the target (SM-M6).
    case creditForParked
    /// A stream moves on though its application hasn't read what came on the leg before the last (SM-M6).
    case movesOverUnread
    /// An abort resets only the source (SM-F9).
    case resetReachesOneLeg
    /// A responder that denies leaves the target open (SM-F1).
    case denialLeavesTarget
    /// Nobody looks at deadlines (SM-F8).
    case deadlineNotArmed
    /// A held Migrate whose `from` stays unknown is never reset (SM-F6).
    case unknownHeldForever
    /// Ids are looked up under every peer (SM-L3).
    case sharedTable
    /// The parity of an id isn't checked (SM-L4).
    case noParityCheck
    /// An id that is live already is taken for the new stream (SM-L4).
    case duplicateAccepted
    /// The id of an attempt that failed is given again (SM-L2).
    case idReused
    /// The row of the old id stays when a migration is complete (SM-M8, SM-F10).
    case rowLeft
    /// A migration that was counted is never counted off (SM-F10).
    case migrationLeftCounted

    package var description: String { rawValue }
}
