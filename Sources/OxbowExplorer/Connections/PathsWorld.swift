import OxbowCore
import OxbowMigration
package import OxbowSwarm

/// What travels on a connection, in order. Bytes of streams don't: only where streams are counts here.
package struct PathsFrame: Hashable, Sendable {
    package enum Kind: UInt8, Hashable, Sendable {
        /// The opening of a stream, and its answer.
        case syn, answer
        /// The opening of a move's target, and its answer.
        case migrate, ack, denial
        case fin, reset
        case ping, pong, goAway
        /// The connection's end.
        case end
    }

    package let kind: Kind
    /// The logical stream, and which of its underlying streams.
    package var stream: UInt8 = 0
    package var wire: UInt8 = 0
    /// The underlying stream that a Migrate wants to leave.
    package var from: UInt8 = 0

    /// Whether it belongs to a stream.
    var isOfStream: Bool { kind.rawValue <= Kind.reset.rawValue }
}

/// A connection: two FIFO queues of frames, and what each side has of it.
package struct PathsLink: Hashable, Sendable {
    package struct End: Hashable, Sendable {
        package enum Stage: Hashable, Sendable {
            case shaking, open, over
        }

        package var stage = Stage.shaking
        /// Its number in this side's machine; in the order in which connections opened here.
        var id: UInt64 = 0
        /// One ping at a time is under way (`YamuxSession.ping`).
        var isPinging = false
        /// Answers to pings since the own GoAway; nil: not given up (`Retirement`).
        package var answers: UInt8?
        /// Not idle when it was looked at last: the next ping comes later.
        var restsFromPings = false
        package var hasPeerGoneAway = false
        /// Decided, and on its way to the connection's loop.
        var owesLook = false
        var owesGivingUp = false
        var owesLoss = false

        /// Whether streams can be opened here.
        var takesStreams: Bool { stage == .open && answers == nil && !hasPeerGoneAway }
    }

    /// In flight towards each side.
    package var toward = Pair<[PathsFrame]>([], [])
    package var ends = Pair(End(), End())
    /// What is sent from now on doesn't arrive.
    var isLost = false
}

/// An underlying stream of a logical one.
package struct PathsLeg: Hashable, Sendable {
    package let link: Int
    package let wire: UInt8
}

/// One end of a logical stream.
package struct PathsEnd: Hashable, Sendable {
    package enum Stage: Hashable, Sendable {
        case absent
        /// On its way to a connection's loop.
        case sent(to: Int)
        case live
        case gone
    }

    enum Phase: Hashable, Sendable {
        case settled, asking, initiating, responding
    }

    /// A Migrate that can't be answered yet.
    struct Held: Hashable, Sendable {
        let leg: PathsLeg
        let from: UInt8
        /// It waits for a sign of life of the better connection (CS-6): whether one came, or the time is over.
        var isDowngrade = false
        var wasHeard = false
        var isSilent = false
    }

    package var stage = Stage.absent
    var phase = Phase.settled
    package var source: PathsLeg?
    package var target: PathsLeg?
    var yielded: PathsLeg?
    /// SM-M1: the opener waits for the answer to its opening before it moves the stream.
    var isAnswered = true
    /// SM-F1.
    var isBarred = false
    /// Where the application wants it, as far as this side takes it.
    var isChosen = false
    var held: [Held] = []
    /// Targets that this side has refused, until the other side has ended them, too.
    var refused: [PathsLeg] = []
    /// Wires that were left, one bit each (SM-F6).
    var finished: UInt64 = 0
    var attempts: UInt8 = 0

    /// Where it writes.
    package var place: PathsLeg? { phase == .initiating ? target : source }

    var legs: [PathsLeg] { [source, target, yielded].compactMap(\.self) }
}

package struct PathsStream: Hashable, Sendable {
    package var ends = Pair(PathsEnd(), PathsEnd())
    /// Underlying streams so far.
    var wires: UInt8 = 0
    package var moves: UInt8 = 0
    /// A connection was lost that it was on: it may fail.
    var isExcused = false
    /// Its opener has ended it.
    var hasEnded = false
}

/// A peer: the machine of its connections, and what its driver keeps (`PeerPaths`).
package struct PathsSide: Hashable, Sendable {
    /// Nil: a stock host.
    package var set: ConnectionSet?
    var mover: StreamMover
    var moves: [ConnectionSet.ID: ConnectionSet.ID] = [:]
    var opened: UInt64 = 0
    /// A connection stood, and none was lost since.
    var hasStood = false
}

/// Two real connection sets and stream movers, the drivers around them, the connections between them.
///
/// A value, as ``World`` is. It is about which connection is used, moved to and closed; what happens to the bytes of a
/// stream that moves, ``World`` walks. Of a move there is what decides when connections are idle: the question, its
/// answer, and a FIN each way on the source.
package struct PathsWorld: Hashable, Sendable {
    package var links: [PathsLink]
    package var streams: [PathsStream]
    package var sides: Pair<PathsSide>
    var lossesLeft: Int
    var degradationsLeft: [Int]
    var recoveriesLeft: Int
    var silencesLeft: Int

    package init(_ plan: PathsPlan) {
        links = plan.links.map { _ in PathsLink() }
        streams = plan.streams.map { _ in PathsStream() }
        let sides = [0, 1].map { side in
            PathsSide(
                set: plan.behaviours[side] == .stock
                    ? nil : ConnectionSet(isLowerPeer: side == 0, policy: plan.policy(of: side)),
                mover: StreamMover(limit: plan.movesAtOnce))
        }
        self.sides = Pair(sides[0], sides[1])
        (lossesLeft, degradationsLeft) = (plan.losses, plan.degradations)
        (recoveriesLeft, silencesLeft) = (plan.recoveries, plan.silences)
        for link in links.indices where plan.links[link].stands {
            for side in 0...1 {
                open(link, side, plan)
                links[link].ends[side].isPinging = false
                measured(link, side, plan)
            }
            links[link].toward = Pair([], [])
        }
    }

    // MARK: Short ways to a part

    func link(_ id: ConnectionSet.ID, at side: Int) -> Int? {
        links.indices.first { links[$0].ends[side].id == id && links[$0].ends[side].stage == .open }
    }

    func id(of link: Int, at side: Int) -> ConnectionSet.ID { links[link].ends[side].id }

    /// Underlying streams on a connection, as its driver counts them.
    func count(on link: Int, at side: Int, _ plan: PathsPlan) -> Int {
        streams.reduce(0) { sum, stream in
            let end = stream.ends[side]
            let isBlind = plan.mutant == .countsSourcesOnly
            let legs = isBlind ? end.source.map { [$0] } ?? [] : end.legs + end.held.map(\.leg) + end.refused
            return sum + legs.count { $0.link == link }
        }
    }

    /// Puts a frame on a connection, behind everything that was sent there before.
    mutating func send(_ frame: PathsFrame, by side: Int, on link: Int) {
        guard links[link].ends[side].stage == .open, !links[link].isLost else { return }
        guard links[link].ends[1 - side].stage != .over else { return }
        links[link].toward[1 - side].append(frame)
    }

    mutating func send(_ kind: PathsFrame.Kind, of stream: Int, by side: Int, on leg: PathsLeg, from: UInt8 = 0) {
        send(PathsFrame(kind: kind, stream: UInt8(stream), wire: leg.wire, from: from), by: side, on: leg.link)
    }
}
