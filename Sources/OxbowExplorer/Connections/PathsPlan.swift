import OxbowSwarm

/// The bounds of a ``PathsWorld``: which connections two peers come to have, what streams there are, and what may go wrong.
///
/// Arrays of two go by side: 0 is the lower peer id, 1 the higher.
package struct PathsPlan: Sendable {
    package var name = ""
    package var behaviours = [Behaviour.automatic, .automatic]
    package var links: [PlannedLink] = [PlannedLink(), PlannedLink(dialer: 1)]
    package var streams: [PlannedStream] = [PlannedStream(), PlannedStream(opener: 1)]
    /// Moves of a side at once.
    package var movesAtOnce = 2
    /// Whether a stream, and the look whether a connection is idle, reach the connection's event loop in a step of their own.
    package var usesLoops = false
    /// Connections that are lost.
    package var losses = 0
    /// How many times a side finds its best connection bad, and how often that passes.
    package var degradations = [0, 0]
    package var recoveries = 0
    /// How many times a wish to move to a worse class waits for nothing: no sign of life comes in time.
    package var silences = 0
    /// Completed moves of one stream at most, and attempts of one side to move one.
    package var mostMoves = 1
    package var mostAttempts = 2
    /// Connections that are left when nothing happens any more; nil: not looked at.
    package var left: Int? = 1
    package var mutant: PathsMutant?

    package init(_ name: String, _ change: (inout PathsPlan) -> Void = { _ in }) {
        self.name = name
        change(&self)
    }

    /// How a peer treats its connections.
    package enum Behaviour: Hashable, Sendable {
        /// The policy as it comes.
        case automatic
        /// Labels streams and answers to Migrates, but moves and closes nothing by itself.
        case manual
        /// A libp2p host of others: no labels, no moves, streams anywhere, takes a GoAway for the end of new streams.
        case stock
    }

    /// One connection that the peers come to have.
    package struct PlannedLink: Hashable, Sendable {
        package var dialer = 0
        package var isRelayed = false
        /// Whether it stands, confirmed, when the walk begins.
        package var stands = false
        /// Whether the peer that was dialled may refuse it when the dialler has it open already.
        package var mayBeRefused = false
        /// Whether each side's application keeps it.
        package var isKept = [false, false]
        /// The round trip that each side measures, in milliseconds.
        package var roundTrip = [0, 0]

        package init(
            dialer: Int = 0, isRelayed: Bool = false, stands: Bool = false, _ change: (inout Self) -> Void = { _ in }
        ) {
            (self.dialer, self.isRelayed, self.stands) = (dialer, isRelayed, stands)
            change(&self)
        }
    }

    /// One stream, which is opened at any moment.
    package struct PlannedStream: Hashable, Sendable {
        package var opener = 0
        package var isLabelled = true
        /// Whether its opener ends it, at any moment.
        package var ends = false

        package init(opener: Int = 0, isLabelled: Bool = true, ends: Bool = false) {
            (self.opener, self.isLabelled, self.ends) = (opener, isLabelled, ends)
        }
    }

    /// What a side's machine is told of a connection.
    func facts(of link: Int, id: UInt64, at side: Int) -> ConnectionFacts {
        let planned = links[link]
        var isDialedByLower = planned.dialer == 0
        if mutant == .dialerMistaken, side == 1 { isDialedByLower.toggle() }
        return ConnectionFacts(
            id: id, isLimited: planned.isRelayed, isRelayed: planned.isRelayed,
            transport: planned.isRelayed ? .other : .tcp, isDialedByLowerPeer: isDialedByLower,
            isPinned: planned.isKept[side])
    }

    /// Every time is zero: what is due may happen at any moment, so that all orders of timers are walked. What must not be
    /// due by time alone never is: silence and recovery are events.
    func policy(of side: Int) -> ConnectionPolicy {
        var policy = behaviours[side] == .manual ? ConnectionPolicy.manual : ConnectionPolicy()
        policy.maximumConcurrentMoves = movesAtOnce
        for time in [
            \ConnectionPolicy.pauseBetweenMoves, \.stepInDelay, \.pruneGrace, \.duplicateGrace, \.recoveryTime,
        ] { policy[keyPath: time] = .zero }
        (policy.probeInterval, policy.silenceLimit) = (.seconds(1 << 30), .seconds(1 << 30))
        policy.downgradeProbe = .nanoseconds(1)
        policy.slowSamples = 1
        if mutant == .ownRanking { policy.ranking = OwnRanking(isReversed: side == 1) }
        return policy
    }
}

/// What a mutant's sides go by: each likes other connections.
private struct OwnRanking: ConnectionRanking {
    let isReversed: Bool

    func rank(of connection: ConnectionFacts) -> Int {
        connection.isDialedByLowerPeer == isReversed ? 0 : 1
    }
}

extension PathsPlan: CustomStringConvertible {
    package var description: String {
        var parts = [
            links.map { link in
                "\(link.isRelayed ? "relayed" : "direct") by \(link.dialer == 0 ? "lower" : "higher")"
                    + (link.stands ? " (stands)" : "") + (link.mayBeRefused ? " (may be refused)" : "")
            }.joined(separator: " + "),
            streams.map { stream in
                (stream.opener == 0 ? "l" : "h") + (stream.isLabelled ? "" : " plain") + (stream.ends ? " ends" : "")
            }.joined(separator: " "),
        ]
        parts[1] = "streams " + parts[1]
        if behaviours != [.automatic, .automatic] { parts.append("\(behaviours[0]) and \(behaviours[1])") }
        if movesAtOnce != 2 { parts.append("\(movesAtOnce) at once") }
        if usesLoops { parts.append("loops apart") }
        if losses > 0 { parts.append("\(losses) loss\(losses == 1 ? "" : "es")") }
        if degradations != [0, 0] { parts.append("degrades \(degradations[0])+\(degradations[1])") }
        if recoveries > 0 { parts.append("recovers \(recoveries)") }
        if silences > 0 { parts.append("silences \(silences)") }
        if let mutant { parts.append("mutant \(mutant)") }
        return parts.joined(separator: ", ")
    }
}
