import DequeModule
package import NIOCore
import OxbowCore
import OxbowMux
import OxbowProtocols
import OxbowSecurity
import OxbowUpgrade
import Synchronization

/// Drives one connection: its upgrade, then its encrypted channel and its multiplexer, all on one event loop and in
/// one object, so that between two layers there is no queue and no place to lose a byte.
///
/// Isolation: the stored state below "On the event loop" is touched on ``eventLoop`` only; every method says so by
/// being called from one that checks. ``wake(_:)``, ``release(_:resetCode:)``, ``path`` and ``onLoop(_:)`` are for
/// any thread. That is what makes the class `@unchecked Sendable`.
package final class ConnectionDriver: LegCarrier, @unchecked Sendable {
    // For any thread.
    package let id: ConnectionID
    let role: ConnectionRole
    package let eventLoop: any EventLoop
    /// Runs tasks on ``eventLoop``.
    package let taskExecutor: EventLoopTaskExecutor
    let limits: ConnectionLimits
    private let sharedPath: Mutex<ConnectionPath>
    private let mailbox = Mutex(Mailbox())
    private let usable = Atomic(true)

    // On the event loop.
    //
    // What each frame touches is checked for overlapping accesses in debug builds, which all tests are; release builds
    // are spared that: the checks are a tenth of a small message's way. None can overlap: an access lasts as long as a
    // call of a method of the value itself, and those call nothing of this class.
    let owner: any ConnectionOwner
    let transport: any ByteTransport
    let muxerConfiguration: YamuxConfiguration
    let expectedPeer: PeerID?
    private(set) var peer: AuthenticatedPeer?
    #if !DEBUG
    @exclusivity(unchecked)
    #endif
    var upgrade: ConnectionUpgrade?
    var upgradeInput: ArraySlice<UInt8> = []
    #if !DEBUG
    @exclusivity(unchecked)
    #endif
    var secure = RecordLayer()
    #if !DEBUG
    @exclusivity(unchecked)
    #endif
    var session: YamuxSession?
    /// What the relay under the connection still lets through; nil when nothing bounds its bytes.
    var circuitBudget: CircuitBudget?
    #if !DEBUG
    @exclusivity(unchecked)
    #endif
    var header = ByteBuffer()
    #if !DEBUG
    @exclusivity(unchecked)
    #endif
    var streams: [YamuxStreamID: UnderlyingStream] = [:]
    #if !DEBUG
    @exclusivity(unchecked)
    #endif
    var streamIDs = CompactDictionary<LegToken, YamuxStreamID>()
    /// How much of the receive windows, past what each stream begins with, is in the ledger's books; in bytes.
    var bookedWindow = 0
    var waitingOpens = Deque<@Sendable (ConnectionDriver) -> Void>()
    /// When the negotiations that are running have to be over: in the order in which they began, which is the order
    /// of their ends.
    var negotiationDeadlines = Deque<(deadline: Instant, token: LegToken)>()
    /// Room for messages, used again.
    private var taken: [MailboxItem] = []
    var handshakeDeadline: Instant?
    var closeDeadline: Instant?
    var timer: (deadline: Instant, task: Scheduled<Void>)?
    private var isProcessing = false
    /// What waits to be flushed waits for the tasks that this turn has started.
    private var isAwaitingTasks = false
    /// Why the connection is ending or has ended.
    var failure: ConnectionError?
    private(set) var isTransportClosed = false
    /// It is being closed in order: what the application has finished with leaves before the goodbye.
    private(set) var isDraining = false
    /// It is being given up without a loss, in its own time.
    var retirement: Retirement?
    var remoteGoAway: UInt32? {
        didSet { giveUpNewStreams() }
    }

    /// What other threads want done.
    struct Mailbox {
        var items: [MailboxItem] = []
        var isScheduled = false
    }

    enum MailboxItem {
        case wake(LegToken)
        case release(LegToken, resetCode: UInt32?)
        case run(@Sendable (ConnectionDriver) -> Void)
    }

    init(
        transport: any ByteTransport, path: ConnectionPath, upgrade: consuming ConnectionUpgrade,
        expectedPeer: PeerID?, muxer: YamuxConfiguration, limits: ConnectionLimits, owner: any ConnectionOwner
    ) {
        id = path.id
        role = path.role
        eventLoop = transport.eventLoop
        taskExecutor = EventLoopTaskExecutor(transport.eventLoop)
        sharedPath = Mutex(path)
        self.transport = transport
        self.upgrade = consume upgrade
        self.expectedPeer = expectedPeer
        muxerConfiguration = muxer
        self.limits = limits
        self.owner = owner
    }

    package var path: ConnectionPath { sharedPath.withLock { $0 } }

    /// Whether new streams may be opened on it: neither side has begun to close it.
    package var isUsable: Bool { usable.load(ordering: .relaxed) }

    /// Whether its transport is closed. On the event loop.
    package var isClosed: Bool { isTransportClosed }

    /// Streams of the connection's multiplexer, and what is kept for them: none once nothing lives on the connection.
    /// On the event loop.
    package var underlyingStreams: Int {
        eventLoop.preconditionInEventLoop()
        return max(streams.count, isTransportClosed ? 0 : session?.streamCount ?? 0)
    }

    /// The time of the connection's clock, which is the event loop's.
    var now: Instant { Instant(eventLoop.now) }

    /// Sends the first bytes. To be called once, on the event loop, before the transport delivers any.
    func start() {
        process {
            handshakeDeadline = now + limits.handshakeTimeout
            if let flight = upgrade?.start() { writeRaw(flight) }
        }
    }

    // MARK: Any thread

    func wake(_ token: LegToken) {
        post(.wake(token))
    }

    func release(_ token: LegToken, resetCode: UInt32?) {
        post(.release(token, resetCode: resetCode))
    }

    /// Runs `body` on the event loop, between two steps of the connection.
    func onLoop(_ body: @escaping @Sendable (ConnectionDriver) -> Void) {
        post(.run(body))
    }

    /// Closes the connection: at once, or in order with a goodbye. Its streams end with
    /// ``StreamError/connectionLost(_:)``; in order, those whose write side the application has ended get time to send
    /// what is queued first.
    package func close(abruptly: Bool = false) {
        onLoop { abruptly ? $0.end(.closedLocally, abruptly: true) : $0.drain() }
    }

    /// Gives the connection up unless it stands already.
    func cancelUpgrade() {
        onLoop { if $0.session == nil { $0.end(.closedLocally, abruptly: true) } }
    }

    private func post(_ item: MailboxItem) {
        let isFirst = mailbox.withLock { box in
            box.items.append(item)
            defer { box.isScheduled = true }
            return !box.isScheduled
        }
        // While the loop is inside `process`, it looks into the mailbox again before it leaves.
        guard isFirst, !(eventLoop.inEventLoop && isProcessing) else { return }
        eventLoop.execute { self.process {} }
    }

    // MARK: The event loop's turn

    /// For how many messages the room is kept.
    private static let mailRoom = 16
    /// How many records one turn may write before other connections of the loop get theirs.
    private static let recordsPerTurn = 16

    /// Runs `body`, then everything that it caused: messages to this connection, frames, timers.
    func process(_ body: () -> Void) {
        eventLoop.preconditionInEventLoop()
        guard !isProcessing else { return body() }
        isProcessing = true
        body()
        var records = 0
        repeat {
            drainMailbox()
            guard !isAwaitingTasks else { break }
            records += flush(maximumRecords: Self.recordsPerTurn - records)
            endDrained()
        } while hasMail && records < Self.recordsPerTurn
        isProcessing = false
        let turnsAgain = isAwaitingTasks || hasMail || (records >= Self.recordsPerTurn && canFlush)
        isAwaitingTasks = false
        if turnsAgain { eventLoop.execute { self.process {} } }
        scheduleTimer()
    }

    /// A handler was handed a stream. If its task runs on this loop, that is queued by now: the frames of this turn wait
    /// behind it, so that the answer to a stream's negotiation and the handler's first bytes are one record and one write.
    func awaitTasks() {
        isAwaitingTasks = isProcessing
    }

    private var hasMail: Bool {
        mailbox.withLock { box in
            if box.items.isEmpty { box.isScheduled = false }
            return !box.items.isEmpty
        }
    }

    private func drainMailbox() {
        while true {
            // The mailbox gets back the room of what was taken out of it before.
            nonisolated(unsafe) var items: [MailboxItem] = []
            swap(&items, &taken)
            mailbox.withLock { swap(&$0.items, &items) }
            guard !items.isEmpty else { return swap(&items, &taken) }
            for item in items {
                switch item {
                case .wake(let token): refresh(token)
                case .release(let token, let code): released(token, resetCode: code)
                case .run(let body): body(self)
                }
            }
            items.removeAll(keepingCapacity: items.count <= Self.mailRoom)
            swap(&items, &taken)
        }
    }

    // MARK: The life of the connection

    /// The upgrade is complete.
    func opened(_ peer: AuthenticatedPeer, security: ProtocolID, isMuxerEarly: Bool) {
        self.peer = peer
        handshakeDeadline = nil
        sharedPath.withLock {
            $0.security = security
            $0.isMuxerEarly = isMuxerEarly
        }
        session = YamuxSession(
            role: role == .dialer ? .client : .server, configuration: muxerConfiguration, now: now)
        do {
            try owner.connection(self, opened: peer)
        } catch {
            end(error)
        }
    }

    /// Ends the connection from this side. The reason that comes first counts.
    func end(_ error: ConnectionError, abruptly: Bool = false) {
        guard failure == nil else {
            if abruptly { transport.close(discarding: true) }
            return
        }
        failure = error
        usable.store(false, ordering: .relaxed)
        if error == .closedLocally, !abruptly { session?.goAway() }
        dropStreams()
        if !abruptly {
            _ = flush(maximumRecords: .max)
            sayGoodbye()
        }
        closeDeadline = closeDeadline ?? now + limits.closeTimeout
        transport.close(discarding: abruptly)
    }

    /// From now on, new streams go elsewhere.
    func giveUpNewStreams() {
        usable.store(false, ordering: .relaxed)
    }

    /// Begins to close in order. Streams that the application still uses are lost at once; those whose write side it
    /// has ended stay until their bytes and FIN are out, at most for the close timeout.
    private func drain() {
        guard failure == nil, !isDraining else { return }
        guard session != nil else { return end(.closedLocally) }
        isDraining = true
        usable.store(false, ordering: .relaxed)
        closeDeadline = now + limits.closeTimeout
        for stream in streamsInOrder where !stream.owesBytes {
            session?.setPending(stream.id, bytes: 0)
            remove(stream)
            streamLost(stream, cause: .connectionLost(.closedLocally))
        }
        refuseWaitingOpens()
    }

    /// In the order of their ids: what happens to many at once happens in the same order in each run.
    private var streamsInOrder: [UnderlyingStream] { streams.values.sorted { $0.id.rawValue < $1.id.rawValue } }

    private func endDrained() {
        guard isDraining, failure == nil, transport.isWritable, !streams.values.contains(where: \.owesBytes)
        else { return }
        end(.closedLocally)
    }

    private func refuseWaitingOpens() {
        let opens = waitingOpens
        waitingOpens = []
        for open in opens { open(self) }
    }

    private func dropStreams() {
        guard let failure else { return }
        let lost = streamsInOrder
        owner.ledger.close(lost.map(\.token))
        streams = [:]
        streamIDs.removeAll()
        negotiationDeadlines = []
        for stream in lost {
            // The multiplexer may have been asked for a FIN behind bytes that will never be framed now: alone, it would
            // read as a clean end. A reset says what is true.
            if !stream.hasFramedFIN { session?.reset(stream.id, code: YamuxResetCode.shutdown) }
            streamLost(stream, cause: .connectionLost(failure))
        }
        refuseWaitingOpens()
    }
}

// MARK: - Transport

extension ConnectionDriver: ByteTransportDelegate {
    package func transport(_ transport: any ByteTransport, received buffer: ByteBuffer) {
        process { received(buffer) }
    }

    package func transportBecameWritable(_ transport: any ByteTransport) {
        process {}
    }

    package func transportClosed(_ transport: any ByteTransport, error: (any Error)?) {
        process {
            isTransportClosed = true
            usable.store(false, ordering: .relaxed)
            timer?.task.cancel()
            timer = nil
            closeDeadline = nil
            handshakeDeadline = nil
            if failure == nil, isDraining { failure = .closedLocally }
            if failure == nil {
                failure = error.map { .transportFailed(networkErrorText($0)) } ?? plainEnd
            }
            dropStreams()
            owner.connection(self, closed: failure ?? .transportEnded)
        }
    }

    /// What the end of the transport means when nothing was wrong with it: an end only if the peer announced it.
    private var plainEnd: ConnectionError {
        remoteGoAway.map { .closedByPeer(code: $0) } ?? .transportEnded
    }
}
