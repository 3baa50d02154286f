/// Something that happens in a ``PathsWorld``.
package enum PathsEvent: Hashable, Sendable {
    /// A side's handshake of a connection ends.
    case connect(link: Int, side: Int)
    /// The peer that was dialled refuses a connection at the end of its handshake.
    case refuse(link: Int)
    /// The first frame of a connection arrives at a side.
    case deliver(link: Int, side: Int)
    /// The application opens a stream; a stock host on a connection that it likes.
    case open(stream: Int, on: Int?)
    /// A stream reaches the loop of the connection that it was sent to.
    case emerge(stream: Int)
    case end(stream: Int)
    /// A side does what is due.
    case tick(side: Int)
    /// What a side decided of a connection reaches its loop.
    case look(link: Int, side: Int)
    case giveUp(link: Int, side: Int)
    /// The next stream's turn to be moved.
    case move(side: Int)
    /// A connection that is given up is asked once more whether all is over.
    case pingAgain(link: Int, side: Int)
    case lose(link: Int)
    case learnLoss(link: Int, side: Int)
    /// A side measures very long round trips, or short ones again.
    case degrade(link: Int, side: Int)
    case recover(link: Int, side: Int)
    /// No sign of life came in the time that a wish to move to a worse class waits.
    case silence(stream: Int, side: Int)
}

/// Wrong variants of the driver, of one side's policy, or of what it is told: the properties must catch each.
package enum PathsMutant: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// Each side prefers the connections that it dialled, and closes the others: both are closed (rust-libp2p #752,
    /// jvm-libp2p #528, helium/erlang-libp2p #281).
    case ownRanking
    /// The higher peer takes the lower one's connections for its own: the roles of a hole punch mixed up (CS-1).
    case dialerMistaken
    /// A connection counts as confirmed as soon as its handshake has ended here (CS-2).
    case confirmedAtOnce
    /// A given-up connection is closed right behind its GoAway (CS-7).
    case closesAtGoAway
    /// It is closed at the first answer to a ping, which may belong to a ping before the GoAway (CS-7).
    case closesAtFirstPong
    /// It is closed after its answers whatever is on it (CS-7).
    case closesBusy
    /// Streams that come behind the own GoAway are reset (CS-7).
    case refusesLate
    /// A target that waits for its answer doesn't count as a stream (CS-7).
    case countsSourcesOnly
    /// Streams are sent over a connection whose end the peer has announced (CS-4).
    case ignoresGoAway
    /// A stream that comes too late for its connection isn't opened elsewhere (CS-4).
    case lateOpenFails
    /// A connection is given up as was decided, though the better one is gone by now (CS-8).
    case givesUpLast
    /// The higher peer moves streams to the connection that it likes best, also within a class (CS-5).
    case higherMovesWithinClass
    /// Each wish to move is granted (CS-6).
    case grantsDowngrades
    /// A stream that appears on a connection that streams leave is left there (CS-9).
    case lateStreamStays
    /// Moves that have ended are not counted off (CS-10).
    case movesLeftCounted

    package var description: String { rawValue }
}
