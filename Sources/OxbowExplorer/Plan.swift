/// The bounds of a ``World``: what its applications do, how its peers are connected, and what may go wrong.
///
/// Arrays of two go by side of a logical stream: 0 is the lower peer id, 1 the higher.
package struct Plan: Sendable {
    package var name = ""
    /// How many bytes each application writes.
    package var bytes = [1, 1]
    /// Whether each application closes its write side once it has written them.
    package var closes = [true, true]
    package var readers = [Reader.eager, .eager]
    /// How many migrations each side may start.
    package var attempts = [1, 0]
    /// How many Migrates a side may deny though it could accept them: by policy. No fault.
    package var denials = 0
    package var faults = 0
    package var faultKinds = Fault.usual
    /// How many bytes a sender may have on the way or unread, per direction of an underlying stream.
    package var window = 4
    package var topology = Topology.separate
    /// Logical streams between the two peers.
    package var streams = 1
    /// Whether the walk begins with the stream's own opening, its label still under way (SM-L1, SM-M1).
    package var opens = false
    /// Whether a target is opened in a step of its own behind the decision, as it is on another event loop, and may fail to.
    package var opensLate = false
    /// Whether an initiator may close the old source's connection abruptly as soon as the machine allows it (SM-M9).
    package var prunes = false
    /// Whether other events may come between the wish for a FIN and its framing.
    package var framesFINLate = false
    /// What a third peer does, which has a stream of its own with the lower peer.
    package var intruder: Intruder?
    /// A bug that is put in, to prove that the checks would see it.
    package var mutant: Mutant?

    package init() {}

    package init(_ name: String, _ change: (inout Plan) -> Void = { _ in }) {
        self.name = name
        change(&self)
    }

    /// Credit for a window that can't run out decides nothing: then it isn't modelled.
    ///
    /// Sound: a sender that never has more to send on one underlying stream than its first window is never held up by
    /// it, so worlds with and without the credit frames differ in these frames alone.
    var usesCredit: Bool { (bytes.max() ?? 0) > window }
}

/// How an application reads.
package enum Reader: Hashable, Sendable {
    /// At once.
    case eager
    /// At any moment.
    case late
    /// Never: that must hold up no hand-off (SM-M5).
    case never
}

/// Which connection carries the n-th underlying stream between two peers.
package enum Topology: Hashable, Sendable {
    /// One of its own.
    case separate
    /// The only one: a single order of frames, and one loss that takes all.
    case joint
    /// One of two, by turns: the second target is back where the stream began.
    case bounce

    func connection(ofStream ordinal: Int) -> Int {
        switch self {
        case .separate: ordinal
        case .joint: 0
        case .bounce: ordinal % 2
        }
    }
}

package enum Fault: Hashable, Sendable, CaseIterable {
    /// A connection is lost. What is in flight arrives or doesn't; each side learns of the loss separately.
    case loss
    /// A connection goes silent: it swallows what is sent, and nobody is told until every deadline has passed.
    case silence
    /// A deadline of a machine passes early: as if everything else were slow.
    case expiry
    /// An application resets the logical stream.
    case abort
    /// A side resets the peer's Migrate unread: its stream limits are reached.
    case refusal
    /// Something else than an answer is read in its place (SM-F7).
    case garble

    /// All but silence, which differs from a loss only by what deadlines do.
    package static let usual: Set<Fault> = [.loss, .expiry, .abort, .refusal, .garble]
}

/// What the third peer knows how to do. It may name any id at any moment.
package struct Intruder: Hashable, Sendable {
    /// How many times it interferes.
    package var acts = 1
    /// Where its own ids with the lower peer start: 0 makes them the same numbers as those of the other two.
    package var firstID = 0

    package init(acts: Int = 1, firstID: Int = 0) {
        self.acts = acts
        self.firstID = firstID
    }
}

extension Plan: CustomStringConvertible {
    package var description: String {
        var parts = ["bytes \(bytes[0])+\(bytes[1])", "attempts \(attempts[0])+\(attempts[1])"]
        if closes != [true, true] {
            let who = closes[0] ? "only the lower" : closes[1] ? "only the higher" : "neither"
            parts.append("\(who) closes")
        }
        if faults > 0 { parts.append("\(faults) fault\(faults == 1 ? "" : "s")") }
        if faultKinds.contains(.silence) { parts.append("silent losses") }
        if denials > 0 { parts.append("denials \(denials)") }
        if usesCredit { parts.append("window \(window)") }
        if readers != [.eager, .eager] { parts.append("readers \(readers[0])+\(readers[1])") }
        if topology != .separate { parts.append(topology == .joint ? "one connection" : "two connections by turns") }
        if streams > 1 { parts.append("\(streams) streams") }
        if opens { parts.append("opening included") }
        if opensLate { parts.append("targets opened late") }
        if prunes { parts.append("prunes") }
        if framesFINLate { parts.append("FINs framed late") }
        if let intruder {
            parts.append(
                "a third peer, \(intruder.acts) act\(intruder.acts == 1 ? "" : "s"), ids from \(intruder.firstID)")
        }
        if let mutant { parts.append("mutant \(mutant)") }
        return parts.joined(separator: ", ")
    }
}
