/// Everything that happens in one run of the simulation, but what follows from it: two hosts, the lines between them,
/// the streams with what their applications do, the moves, and the faults.
///
/// A plan and its seed are all there is: the same plan gives the same run, event by event.
package struct SimulationPlan: Hashable, Sendable {
    package var name: String
    /// Where the chance of the lines begins.
    package var seed: UInt64 = 0
    package var lines: [Line]
    package var streams: [Stream]
    package var moves: [Move] = []
    package var faults: [SimulationFault] = []
    package var pruning = Pruning.none
    /// How far a receive window may grow.
    package var maximumWindow = 256 * 1_024
    /// What an application or a peer does wrong on purpose: only to show that the checks find it.
    package var lie: Lie?

    package init(_ name: String, lines: [Line], streams: [Stream]) {
        (self.name, self.lines, self.streams) = (name, lines, streams)
    }

    /// One connection.
    package struct Line: Hashable, Sendable {
        package enum Security: Hashable, Sendable {
            case noise
            case tls
        }

        /// From the dialer to the listener, and back.
        package var there: LineConditions
        package var back: LineConditions
        package var security = Security.noise

        package init(delay: Duration, security: Security = .noise) {
            (there, back) = (LineConditions(delay: delay), LineConditions(delay: delay))
            self.security = security
        }
    }

    package struct Stream: Hashable, Sendable {
        /// Which host opens it: 0 is the one with the lower peer id.
        package var opener = 0
        package var openerScript: SideScript
        package var acceptorScript: SideScript

        package init(opener: Int, _ openerScript: SideScript, _ acceptorScript: SideScript) {
            (self.opener, self.openerScript, self.acceptorScript) = (opener, openerScript, acceptorScript)
        }
    }

    /// What the application at one end of a stream does. Times count from the stream's open, or its acceptance.
    package struct SideScript: Hashable, Sendable {
        package enum Pace: Hashable, Sendable {
            case free
            /// Writes so many bytes, waits for as many, writes again.
            case requests(Int)
            /// Writes so many bytes when as many have come.
            case responses(Int)
        }

        /// How many bytes it writes before it ends its side.
        package var total = 0
        package var chunk = 1
        package var step = Duration.zero
        package var startsWriting = Duration.zero
        package var pace = Pace.free
        /// How long it waits before it ends its write side.
        package var closesAfter = Duration.zero
        package var startsReading = Duration.zero
        /// How long it does not read after each batch.
        package var readPause = Duration.zero
        /// It resets the stream.
        package var resets: Duration?
        /// It is done with the stream in both directions, whatever comes.
        package var finishes: Duration?

        package init(total: Int = 0, chunk: Int = 1, step: Duration = .zero) {
            (self.total, self.chunk, self.step) = (total, max(chunk, 1), step)
        }
    }

    package enum Side: Int, Hashable, Sendable, CaseIterable {
        case opener
        case acceptor
    }

    /// An application's side asks to move a stream to another line.
    package struct Move: Hashable, Sendable {
        package var at: Duration
        package var stream = 0
        package var side: Side
        package var line: Int

        package init(at: Duration, stream: Int = 0, by side: Side, to line: Int) {
            (self.at, self.stream, self.side, self.line) = (at, stream, side, line)
        }
    }

    /// Who closes the connection that a stream has left, at once when its own side of the migration is complete.
    package enum Pruning: Hashable, Sendable, CaseIterable {
        case none
        /// In order, by the initiator or by the responder.
        case byInitiator
        case byResponder
        /// Without a goodbye, by the initiator, once it may (SM-M9).
        case abruptly
    }

    package enum Lie: Hashable, Sendable, CaseIterable {
        /// A byte of the opener's is another one than it says.
        case alteredByte
        /// The opener says that it wrote a byte more than it did.
        case shortCount
        /// The opener resets the stream and says nothing of it.
        case secretReset
        /// The acceptor neither reads nor writes nor ends.
        case silentAcceptor
        /// Somebody keeps a stream object when all is over.
        case keptStream
        /// The opener's side of the first line is cut, and nobody calls it a fault.
        case secretCut
        /// The opener says that it has reset the stream, and does it 5 s later.
        case lateReset
        /// The opener moves the stream once more than was planned.
        case secretMove
        /// The windows are a hundredth of what the hosts take them for.
        case narrowBound
    }

    /// How many bytes of the peer's a stream may hold: two windows (P10).
    package var heldBound: Int { 2 * maximumWindow / (lie == .narrowBound ? 100 : 1) }

    /// Whether nothing may abort: no fault, and nobody closes a connection on which something may still be going on.
    package var isCalm: Bool { faults.isEmpty && (pruning == .none || (streams.count == 1 && moves.count <= 1)) }
}

/// Something that goes wrong with a connection.
package struct SimulationFault: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// Both ends learn at once that the connection is gone; what is under way is lost.
        case cut
        /// One end learns it; the other when it writes.
        case resetDialer
        case resetListener
        /// Nothing passes for 2 s, or for longer than a hand-off may take.
        case pause
        case stall
        /// Half-open for 75 s: one direction is dead.
        case deafListener
        case deafDialer
        /// Half-open: everything is lost and nobody is told; after 75 s, who writes learns that the connection is gone.
        case vanish
        /// A bit is turned over in what the dialer, or the listener, writes next.
        case corruptThere
        case corruptBack
        /// An end closes its connection in order, as if it were not needed.
        case closeDialer
        case closeListener

        /// When the network is whole again.
        package var healsAfter: Duration? {
            switch self {
            case .pause: .seconds(2)
            case .stall: .seconds(35)
            case .deafListener, .deafDialer, .vanish: .seconds(75)
            case .cut, .resetDialer, .resetListener, .corruptThere, .corruptBack, .closeDialer, .closeListener: nil
            }
        }
    }

    package enum Moment: Hashable, Sendable {
        /// Before the n-th event of the run: a delivery, or something that an application does.
        case event(Int)
        /// So long after the streams are opened.
        case time(Duration)
    }

    package var kind: Kind
    package var line: Int
    package var moment: Moment

    package init(_ kind: Kind, on line: Int, at moment: Moment) {
        (self.kind, self.line, self.moment) = (kind, line, moment)
    }
}

extension SimulationFault: CustomStringConvertible {
    package var description: String {
        switch moment {
        case .event(let number): "\(kind) of line \(line) before event \(number)"
        case .time(let time): "\(kind) of line \(line) after \(time)"
        }
    }
}
