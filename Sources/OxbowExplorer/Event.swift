package import OxbowMigration

/// One end of a logical stream.
package struct Spot: Hashable, Sendable {
    package let stream: Int
    package let side: Int

    package var peer: Spot { Spot(stream: stream, side: 1 - side) }
}

/// Something that happens in a ``World``.
package enum Event: Hashable, Sendable {
    case write(Spot)
    case close(Spot)
    /// The application reads all there is.
    case read(Spot)
    case begin(Spot)
    /// The target of an attempt is opened, or can't be.
    case open(Spot, succeeds: Bool)
    /// The first frame of a connection arrives at a side.
    case deliver(connection: Int, side: Int)
    case frameFIN(Spot, Leg)
    /// A responder's state is armed behind its Ack: a mutant's event.
    case arm(Spot)
    /// A side learns that a connection is gone; with several legs on it, in either order.
    case learnLoss(connection: Int, side: Int, isReversed: Bool)
    case lose(connection: Int, isSilent: Bool)
    case prune(Spot)
    case expire(Spot)
    case abort(Spot)
    /// The Migrate that arrives first is reset, or denied.
    case refuse(connection: Int, side: Int)
    case deny(connection: Int, side: Int)
    /// Something that is no answer arrives in the place of one.
    case garble(connection: Int, side: Int)
    case intrude(Intrusion)
    /// Nothing else can happen, so the next deadline passes.
    case elapse

    /// Whether a world in which this can happen isn't at rest.
    package var isMandatory: Bool {
        switch self {
        case .write, .close, .read, .open, .deliver, .learnLoss, .frameFIN, .arm, .elapse: true
        case .begin, .prune, .lose, .expire, .abort, .refuse, .deny, .garble, .intrude: false
        }
    }
}

/// What the third peer sends to the lower one. Ids are those of the other two peers' stream, or of its own.
package enum Intrusion: Hashable, Sendable {
    /// A well-formed Migrate that names an id of the other two.
    case migrate(from: Int)
    /// The same, from its own stream, under an id of the wrong parity.
    case wrongParity
    /// A Migrate whose `from` is its `id`.
    case toItself
    /// A Label under an id that the other two use.
    case label(Int)
}

/// A property of the rules that doesn't hold.
package struct Violation: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Property: String, Hashable, Sendable, CaseIterable {
        case p1 = "P1", p2 = "P2", p3 = "P3", p4 = "P4", p5 = "P5", p6 = "P6", p7 = "P7", p8 = "P8", p9 = "P9"
        case p10 = "P10", p11 = "P11"
        /// The rules on ids: SM-L2 to SM-L4.
        case ids = "SM-L"
        /// The rules on connections.
        case cs4 = "CS-4", cs6 = "CS-6", cs7 = "CS-7", cs8 = "CS-8", cs9 = "CS-9", cs10 = "CS-10", cs12 = "CS-12"
    }

    package let property: Property
    package let text: String

    init(_ property: Property, _ text: String) {
        self.property = property
        self.text = text
    }

    package var description: String { "\(property.rawValue): \(text)" }
}

/// What a walk saw, to prove that it wasn't vacuous.
package struct Tally: Hashable, Sendable {
    package var completed = 0
    package var denied = 0
    package var yielded = 0
    package var failed = 0
    package var inDoubt = 0
    package var ends = 0
    package var aborts = 0
    package var held = 0
    /// Connections that were given up and closed.
    package var closed = 0
    package var rests = 0

    package init() {}

    mutating func count(_ action: MigrationAction) {
        switch action {
        case .complete: completed += 1
        case .attemptEnded(.denied): denied += 1
        case .attemptEnded(.yielded): yielded += 1
        case .attemptEnded(.failed): failed += 1
        case .fail(.endInDoubt): inDoubt += 1
        case .fail: aborts += 1
        case .deliverEOF: ends += 1
        default: break
        }
    }

    package static func += (sum: inout Tally, other: Tally) {
        sum.completed += other.completed
        sum.denied += other.denied
        sum.yielded += other.yielded
        sum.failed += other.failed
        sum.inDoubt += other.inDoubt
        sum.ends += other.ends
        sum.aborts += other.aborts
        sum.held += other.held
        sum.closed += other.closed
        sum.rests += other.rests
    }
}
