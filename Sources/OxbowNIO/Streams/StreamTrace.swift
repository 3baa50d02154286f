/// What happened to one stream, for people and for scripts: which legs it has had, when each migration's messages
/// passed, and when reading and writing moved. `StreamLimits.traceEvents` switches it on and bounds it.
///
/// As JSON it is one object; ``timeline(width:)`` draws it.
public struct StreamTrace: Hashable, Sendable, Codable {
    /// One underlying stream on which the stream lived, or to which it was to move.
    public struct Path: Hashable, Sendable, Codable {
        /// The leg's number: the stream began on leg 0.
        public var leg: Int
        /// The connection, as this process counts.
        public var connection: UInt64
        /// The other end's address, when there is one.
        public var address: String?
        /// The security protocol.
        public var security: String?
        /// Whether it runs through a relay.
        public var isRelayed: Bool
    }

    /// What happened. The peer's FIN and this side's are those of one leg, not the end of the stream.
    public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        /// The first leg was opened, with ``Event/id`` as its label.
        case opened
        /// The answer to the stream's own negotiation was read.
        case answered
        /// This side's Migrate was queued on the leg, or the peer's was judged; ``Event/id`` is the target's.
        case migrateSent, migrateReceived
        /// The Ack was read or queued.
        case accepted
        /// The denial was read or queued; the latter on no leg.
        case denied
        /// This side's attempt gave way to the peer's.
        case yielded
        /// This side's attempt came to nothing, for the reason in ``Event/note``.
        case attemptFailed
        /// This side's FIN was framed on the leg; the peer's was read.
        case finFramed, finRead
        /// The application gets the leg's bytes from now on; its writes go there from now on.
        case readingMoved, writingMoved
        /// The leg is the stream's one and only; ``Event/id`` is its id.
        case completed
        /// The application closed its side.
        case writeClosed
        /// The peer's clean end stands behind what has arrived.
        case endReached
        /// The leg was reset by the peer, or its connection is gone.
        case lost
        /// The stream failed, with the error in ``Event/note``.
        case failed
        /// Both sides have ended.
        case finished
    }

    /// Something that happened, and how far the leg's bytes were by then.
    public struct Event: Hashable, Sendable, Codable {
        /// When, in nanoseconds on the clock of the event loops: monotonic, and alike for all processes of a machine.
        public var nanoseconds: Int64
        /// What.
        public var kind: Kind
        /// On which leg.
        public var leg: Int?
        /// The id that goes with it.
        public var id: UInt64?
        /// Application bytes that had arrived on the leg, and that had been framed there.
        public var read: UInt64
        public var written: UInt64
        /// Why.
        public var note: String?
    }

    /// The stream's number in this process.
    public var stream: UInt64
    /// The peer at the other end.
    public var peer: String
    /// What the stream is for.
    public var protocolID: String?
    /// Whether this side opened it.
    public var isOutbound: Bool
    /// Earlier events that made room for newer ones.
    public var droppedEvents: Int
    /// The leg that was read, and the one that was written, before the first of the events.
    public var readingBefore: Int?
    public var writingBefore: Int?
    /// The legs that events name.
    public var paths: [Path]
    /// In the order in which they happened.
    public var events: [Event]
}
