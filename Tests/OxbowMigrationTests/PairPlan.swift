import OxbowMigration

/// The bounds of a ``PairWorld``: what its two applications do, and what may go wrong. Indices are sides: 0 is the
/// lower peer id, 1 the higher.
struct PairPlan: Sendable {
    /// How many bytes each application writes.
    var bytes = [1, 1]
    /// Whether each application closes its write side once it has written them.
    var closes = [true, true]
    /// Whether each application reads. One that doesn't must hold up no hand-off (SM-M5).
    var reads = [true, true]
    /// How many migrations each side may start.
    var attempts = [1, 0]
    /// How many Migrates a side may deny though it could accept them: by policy, or at a bound. No fault.
    var denials = 0
    /// How many faults may happen.
    var faults = 0
    /// Which ones may.
    var faultKinds: Set<PairFault> = Set(PairFault.allCases)
    /// Whether an initiator may close the old source's connection abruptly as soon as the machine allows it (SM-M9).
    var prunes = false
    /// Whether other events may come between the wish for a FIN and its framing.
    var framesFINLate = false
    /// A bug that is put into the driver, to prove that the checks would see it.
    var mutant: PairMutant?
}

enum PairFault: Hashable, Sendable, CaseIterable {
    /// A connection is lost with what is in flight; each side learns of it separately.
    case loss
    /// The deadline of an unanswered attempt passes.
    case expiry
    /// An application resets the logical stream.
    case abort
    /// A side resets the peer's Migrate unread: its stream limits are reached.
    case refusal
}

/// Wrong variants of the driver, or of one side's rules.
enum PairMutant: Hashable, Sendable, CaseIterable {
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
    /// In a glare the loser resets the winner's target (SM-F4).
    case glareLoserResets
    /// A Migrate from an id that is finished is reset (SM-F6).
    case finishedIsReset
    /// A Migrate from the own unanswered target is reset (SM-F5).
    case noHoldForOwnTarget
    /// The initiator closes the source's connection abruptly as soon as it is complete (SM-M9).
    case initiatorPrunesEarly
    /// So does the responder (SM-M9).
    case responderPrunes
    /// Every FIN on the source is the end, migration or not.
    case everyFINIsEnd
    /// Every FIN on the source closes the own write side.
    case everyFINCloses
}

/// Something that happens in a ``PairWorld``. The first number is the side, except in a loss.
enum PairEvent: Hashable, Sendable {
    case write(Int)
    case close(Int)
    case begin(Int)
    case read(Int, wire: Int)
    case frameFIN(Int, wire: Int)
    case learnLoss(Int, wire: Int)
    case prune(Int)
    case lose(wire: Int)
    case expire(Int)
    case abort(Int)
    case refuse(Int, wire: Int)
    case deny(Int, wire: Int)

    /// Whether a world in which this can happen isn't at rest.
    var isMandatory: Bool {
        switch self {
        case .write, .close, .read, .frameFIN, .learnLoss: true
        case .begin, .prune, .lose, .expire, .abort, .refuse, .deny: false
        }
    }
}

/// A property that doesn't hold.
struct Violation: Error, Hashable, CustomStringConvertible {
    enum Property: Hashable { case p1, p2, p3, p4, p7 }
    let property: Property
    let text: String

    var description: String { "\(property): \(text)" }
}

/// What a walk saw, to prove that it wasn't vacuous.
struct PairTally: Hashable {
    var completed = 0
    var denied = 0
    var yielded = 0
    var failed = 0
    var inDoubt = 0
    var ends = 0

    mutating func count(_ action: MigrationAction) {
        switch action {
        case .complete: completed += 1
        case .attemptEnded(.denied): denied += 1
        case .attemptEnded(.yielded): yielded += 1
        case .attemptEnded(.failed): failed += 1
        case .fail(.endInDoubt): inDoubt += 1
        case .deliverEOF: ends += 1
        default: break
        }
    }
}

extension PairTally {
    static func += (sum: inout PairTally, other: PairTally) {
        sum.completed += other.completed
        sum.denied += other.denied
        sum.yielded += other.yielded
        sum.failed += other.failed
        sum.inDoubt += other.inDoubt
        sum.ends += other.ends
    }
}

extension PairPlan: CustomStringConvertible {
    var description: String {
        "bytes \(bytes), closes \(closes), attempts \(attempts), faults \(faults)"
            + (denials == 0 ? "" : ", denials \(denials)")
            + (reads == [true, true] ? "" : ", reads \(reads)")
            + (prunes ? ", prunes" : "") + (framesFINLate ? ", FINs framed late" : "")
    }
}
