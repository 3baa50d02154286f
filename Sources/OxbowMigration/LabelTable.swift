public import OxbowCore

/// Names a logical stream inside this process. It has nothing to do with ids on the wire.
public struct StreamKey: Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// What a Label or Migrate that the peer sent means for its id.
public enum LabelVerdict: Hashable, Sendable {
    /// The id is registered.
    case registered
    /// The id has this side's parity: the stream serves the application but can't migrate (SM-L4).
    case wrongParity
    /// A live stream has the id: the new underlying stream is reset (SM-L4).
    case duplicate
    /// The bound on live streams is reached: the new underlying stream is refused (SM-F10).
    case full
}

/// What is known of the id that a Migrate names as `from`.
public enum FromLookup: Hashable, Sendable {
    case live(StreamKey)
    /// The id belonged to a stream that migrated on or ended: deny (SM-F6).
    case finished
    /// Perhaps its Label is still under way on a slower connection (SM-F6).
    case unknown
}

/// A Migrate that can't be judged yet (SM-F5, SM-F6). `ticket` is the driver's name for the underlying stream.
public struct HeldMigrate: Hashable, Sendable {
    public let ticket: UInt64
    public let id: UInt64
    public let from: UInt64
    /// When it is reset, if `from` is unknown until then; nil while it waits for a live stream's own progress.
    public var deadline: Instant?

    public init(ticket: UInt64, id: UInt64, from: UInt64, deadline: Instant?) {
        self.ticket = ticket
        self.id = id
        self.from = from
        self.deadline = deadline
    }
}

/// The ids of the labelled streams with one remote peer, over all connections to it.
///
/// One table for each authenticated peer: a peer can name no stream but its own (SM-L3).
public struct LabelTable: Hashable, Sendable {
    private let configuration: MigrationConfiguration
    /// Whether the local peer id is the lower one: then own ids are even (SM-L2).
    public let isLowerPeer: Bool
    package var counter: UInt64
    private var live: [UInt64: StreamKey] = [:]
    private var finished: Set<UInt64> = []
    private var finishedOrder: [UInt64] = []
    private var finishedHead = 0
    public private(set) var held: [HeldMigrate] = []
    /// Migrations under way, as initiator and as responder (SM-F10).
    public private(set) var migrations = 0

    /// - Parameter start: a random number; its low 39 bits start the counter, so that ids start below 2^40 and a
    ///   restarted process doesn't meet its former ids (SM-L2).
    public init(isLowerPeer: Bool, start: UInt64, configuration: MigrationConfiguration = .init()) {
        self.isLowerPeer = isLowerPeer
        self.configuration = configuration
        counter = start & ((1 << 39) - 1)
    }

    /// The number of ids in use: one for each labelled stream, one more for each target.
    public var liveCount: Int { live.count }
    public var isEmpty: Bool { live.isEmpty && held.isEmpty && migrations == 0 }

    // MARK: Own ids

    /// Takes the next own id and registers it for `key`: for a Label, or for the target of a migration.
    public mutating func assign(to key: StreamKey) throws(MigrationRefusal) -> UInt64 {
        guard live.count < configuration.maximumStreams else { throw .tooMany(limit: configuration.maximumStreams) }
        let id = counter << 1 | (isLowerPeer ? 0 : 1)
        guard counter < UInt64.max >> 1 else { throw .idsExhausted }
        counter += 1
        live[id] = key
        return id
    }

    // MARK: The peer's ids

    /// Judges and, when it passes, registers the id that the peer gave to an underlying stream.
    public mutating func register(_ id: UInt64, for key: StreamKey) -> LabelVerdict {
        guard live[id] == nil else { return .duplicate }
        guard (id & 1 == 0) != isLowerPeer else { return .wrongParity }
        guard live.count < configuration.maximumStreams else { return .full }
        live[id] = key
        return .registered
    }

    /// What the table knows of an id that a Migrate names as `from`, whichever side gave it (SM-L3, SM-F6).
    ///
    /// Only the newest ``MigrationConfiguration/maximumRemembered`` ended ids are still known as finished.
    public func lookup(from id: UInt64) -> FromLookup {
        if let key = live[id] { return .live(key) }
        return finished.contains(id) ? .finished : .unknown
    }

    /// The id's underlying stream has ended, or the logical stream has left it: a Migrate that names it is denied.
    public mutating func finish(_ id: UInt64) {
        guard live.removeValue(forKey: id) != nil, finished.insert(id).inserted else { return }
        guard configuration.maximumRemembered > 0 else { return finished = [] }
        if finishedOrder.count < configuration.maximumRemembered {
            finishedOrder.append(id)
        } else {
            finished.remove(finishedOrder[finishedHead])
            finishedOrder[finishedHead] = id
            finishedHead = (finishedHead + 1) % finishedOrder.count
        }
    }

    /// An id that never came to name anything for the peer is forgotten, as if it had not been given.
    public mutating func forget(_ id: UInt64) {
        live.removeValue(forKey: id)
    }

    // MARK: Bounds

    /// Whether one more migration may start or be accepted (SM-F10).
    public mutating func beginMigration() -> Bool {
        guard migrations < configuration.maximumConcurrent else { return false }
        migrations += 1
        return true
    }

    /// A migration that ``beginMigration()`` let start is over, however it went. One more end than begins is a precondition.
    public mutating func endMigration() {
        precondition(migrations > 0, "a migration ended that had not begun")
        migrations -= 1
    }

    // MARK: Migrates that wait

    /// Keeps a Migrate until it can be judged.
    ///
    /// - Returns: false when the bound is reached: the new underlying stream is refused (SM-F10).
    public mutating func hold(_ migrate: HeldMigrate) -> Bool {
        guard held.count < configuration.maximumHeld else { return false }
        held.append(migrate)
        return true
    }

    /// Gives a held Migrate that has no deadline this one.
    ///
    /// - Returns: whether it has it now, and had none before.
    public mutating func limitHeld(_ ticket: UInt64, until deadline: Instant?) -> Bool {
        guard let deadline, let index = held.firstIndex(where: { $0.ticket == ticket }),
            held[index].deadline == nil
        else { return false }
        held[index].deadline = deadline
        return true
    }

    /// Takes the deadline from a held Migrate: what it names is known by now.
    public mutating func unlimitHeld(_ ticket: UInt64) {
        guard let index = held.firstIndex(where: { $0.ticket == ticket }) else { return }
        held[index].deadline = nil
    }

    /// Takes back the held Migrates that pass `isDue`, oldest first.
    public mutating func release(where isDue: (HeldMigrate) -> Bool) -> [HeldMigrate] {
        var due: [HeldMigrate] = []
        held.removeAll { migrate in
            guard isDue(migrate) else { return false }
            due.append(migrate)
            return true
        }
        return due
    }

    /// The earliest deadline of a held Migrate.
    public var nextDeadline: Instant? { held.compactMap(\.deadline).min() }
}
