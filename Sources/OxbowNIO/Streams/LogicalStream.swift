import DequeModule
import NIOCore
package import OxbowCore
package import OxbowMigration
import Synchronization

/// A stream as the application holds it: what stays the same while the connections under it change.
///
/// It is the one object that application tasks and event loops share, and it is small: two queues of buffers, the
/// migration machine, and the legs. Bytes to write wait here *unbound to any leg*; the connection of the leg on which
/// they are to go takes them when it frames them. So a migration re-points two references and costs nothing per byte.
///
/// It is also what a host has most of. So what few streams need is out of line and made when it is needed: the further
/// legs and the records of migrations (``MigrationBook``), errors, traces.
///
/// All state is behind one lock, held for a few instructions; nothing is called and nobody is resumed under it. Event
/// loops are told of changes by ``LegCarrier/wake(_:)`` and then ask for the whole of what is wanted, so that no order
/// of wake-ups on different loops can be wrong.
package final class LogicalStream: Sendable {
    package let key: StreamKey
    /// What this side asked for, where that is more than one protocol.
    private let severalCandidates: [ProtocolID]
    package let peer: PeerID
    /// Whether this side opened the stream.
    package let isOutbound: Bool
    private let sharedLimits: Shared<StreamLimits>
    /// Learns what concerns the peer's table of ids, the metrics and the application. Called without the lock.
    let observer: any LogicalStreamObserver
    let state: Mutex<State>
    /// What the reading task has taken and not used yet; only that task touches it, so nobody ever waits for it.
    let batch = Mutex(ReadBatch())

    struct State {
        var machine: MigrationMachine
        var legs = LegSet()
        /// What the stream is for: what the peer chose, or the one candidate.
        var protocolID: ProtocolID?
        var negotiationWaiters: [@Sendable () -> Void] = []

        var outbound = Deque<ByteBuffer>()
        var outboundBytes = 0
        /// All bytes that were framed, on any leg.
        var framedBytes: UInt64 = 0
        var writers: [WriterWaiter] = []

        var inbound = Deque<ByteBuffer>()
        /// Bytes that arrived for the application and whose window has not been given back.
        var unreturnedBytes = 0
        /// Of these, how many came on earlier legs: they owe nobody a window.
        var staleBytes = 0
        var credit = 0
        var reader: ReaderWaiter?

        var failure: StreamError?
        /// Ends a stream whose peer does not finish after the application has (SM-F8).
        var linger: Scheduled<Void>?
        /// What belongs to migrations; nil as long as there was none.
        var book: MigrationBook?
        /// How many records of migrations are kept.
        let migrationRecords: Int
        /// What happened to the stream; nil when nobody asked for it.
        var trace: TraceRing?
        /// How many legs it has had.
        var legCount = 0
        /// Of all bytes, those that the metrics have counted.
        var meteredBytesRead: UInt64 = 0
        var meteredBytesWritten: UInt64 = 0

        /// The write leg's loop knows that there are bytes: no need to wake it for each write.
        var isOutboundSignalled = false
        var isWriteClosed = false
        /// Nobody reads any more: what arrives is dropped, and its window goes back, until the peer's FIN.
        var isReadClosed = false
        var isAtEOF = false
        /// The application wants the stream where it is.
        var isPlaceChosen: Bool

        init(machine: MigrationMachine, protocolID: ProtocolID?, isPlaceChosen: Bool, limits: StreamLimits) {
            self.machine = machine
            self.isPlaceChosen = isPlaceChosen
            self.protocolID = protocolID
            migrationRecords = limits.migrationRecords
            if limits.traceEvents > 0 { trace = TraceRing(limit: limits.traceEvents) }
        }
    }

    init(
        key: StreamKey, candidates: [ProtocolID], peer: PeerID, isOutbound: Bool, machine: MigrationMachine,
        isPlaceChosen: Bool = true, limits: Shared<StreamLimits>, observer: any LogicalStreamObserver
    ) {
        precondition(!candidates.isEmpty, "a stream is for at least one protocol")
        self.key = key
        severalCandidates = candidates.count > 1 ? candidates : []
        self.peer = peer
        self.isOutbound = isOutbound
        sharedLimits = limits
        self.observer = observer
        state = Mutex(
            State(
                machine: machine, protocolID: candidates.count == 1 ? candidates[0] : nil,
                isPlaceChosen: isPlaceChosen, limits: limits.value))
    }

    var limits: StreamLimits { sharedLimits.value }

    /// What this side asked for, best first; for a stream of the peer's, what it is.
    var candidates: [ProtocolID] {
        severalCandidates.isEmpty ? protocolID.map { [$0] } ?? [] : severalCandidates
    }

    /// What the stream is for; nil while the peer chooses among several.
    package var protocolID: ProtocolID? { state.withLock { $0.protocolID } }
}

/// The bounds of one stream's queues.
public struct StreamLimits: Hashable, Sendable {
    /// Bytes that may wait to be framed before a writer has to wait.
    public var writeHighWatermark = 512 * 1_024
    /// A waiting writer goes on when no more than this many bytes wait. The distance to the other watermark is what one
    /// change of threads, which costs 20 µs, is spread over.
    public var writeLowWatermark = 128 * 1_024
    /// Window is given back to the peer in portions of at least this many bytes.
    public var creditPortion = 128 * 1_024

    /// How long a stream that the application is done with waits for the peer's end (SM-F8).
    public var lingerTimeout: Duration = .seconds(30)
    /// How many records of migrations a stream remembers: the newest ones.
    public var migrationRecords = 16
    /// How many events of its life a stream remembers for its trace: the newest ones; none by default, and then a trace
    /// costs nothing. With a trace nothing is added per frame either: an event carries sums that are kept anyway.
    public var traceEvents = 0

    public init() {}
}

/// What a logical stream tells the table of its peer. Calls come from any thread, never under the stream's lock.
protocol LogicalStreamObserver: AnyObject, Sendable {
    func stream(_ stream: LogicalStream, did event: LogicalStreamEvent)
}

enum LogicalStreamEvent: Sendable {
    /// The answer to the stream's own negotiation was read: it may migrate from now on (SM-M1).
    case negotiated
    /// An own attempt ended without a hand-off, or gave way: its target's id names nothing.
    case attemptEnded(AttemptOutcome, target: UInt64)
    /// The peer didn't take the label: the id names nothing.
    case labelRefused(id: UInt64)
    /// The machine has a deadline and no timer looks after it in time.
    case deadlineSet(any EventLoop)
    /// The application has read all that came before the last migration: a further one may be judged (SM-M6).
    case caughtUp
    /// The hand-off is complete: the id that the stream had is finished.
    case migrated(was: UInt64)
    /// A migration or an attempt is over, one way or the other.
    indirect case migrationEnded(MigrationRecord)
    /// The gap of a migration that was complete already has come to its end.
    case gapMeasured(Duration)
    /// The stream is over: cleanly, or with an error. All its ids are finished.
    case ended(StreamError?, ids: [UInt64], migrations: Int)
}

/// Who waits for bytes.
enum ReaderWaiter {
    case task(UnsafeContinuation<Void, Never>)
    case loop(@Sendable () -> Void)

    func resume() {
        switch self {
        case .task(let continuation): continuation.resume()
        case .loop(let callback): callback()
        }
    }
}

/// Who waits for room in the queue.
struct WriterWaiter {
    let ticket: UInt64
    let resume: @Sendable () -> Void
}

struct MigrationWaiter {
    let resume: @Sendable (Result<MigrationRecord, any Error>) -> Void
}
