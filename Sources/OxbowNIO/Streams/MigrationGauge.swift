import OxbowCore
public import OxbowMigration

/// What one migration of a stream did, as this side saw it.
public struct MigrationRecord: Hashable, Sendable {
    /// The stream's id before and after.
    public internal(set) var fromID: UInt64 = 0
    public internal(set) var toID: UInt64 = 0
    /// Which side asked.
    public internal(set) var role = MigrationRole.initiator
    /// From the Migrate (sent or accepted) until both FINs had passed on the source.
    public internal(set) var duration = Duration.zero
    /// The longest time in which nothing arrived for the application, from the last delivery before the migration to
    /// the first one on the new leg; zero when nothing arrived at all.
    public internal(set) var longestGap = Duration.zero
    /// Application bytes that came and went on the leg that was left, while the stream lived on it.
    public internal(set) var bytesRead: UInt64 = 0
    public internal(set) var bytesWritten: UInt64 = 0
    /// From where, and to where.
    public internal(set) var from: ConnectionPath?
    public internal(set) var to: ConnectionPath?

    public init() {}
}

/// Measures the migrations of a stream. A settled stream pays one comparison for each delivery.
struct MigrationGauge {
    /// The newest migrations that are complete, oldest first; bounded, so that a stream that moves for days stays small.
    private(set) var records: [MigrationRecord] = []
    private(set) var count = 0
    private let maximumRecords: Int

    private var began: Instant?
    private var lastDelivery: Instant?
    private var gap = Duration.zero
    /// The last record still waits for the first delivery on its new leg.
    private var isRecordOpen = false

    init(maximumRecords: Int) {
        precondition(maximumRecords >= 0, "a number of records")
        self.maximumRecords = maximumRecords
    }

    var isMeasuring: Bool { began != nil || isRecordOpen }

    mutating func begin(at now: Instant) {
        guard began == nil else { return }
        began = now
        if !isRecordOpen { (lastDelivery, gap) = (now, .zero) }
        isRecordOpen = false
    }

    mutating func cancel() {
        began = nil
    }

    /// Bytes reached the application's queue: on arrival, or from where they were parked.
    mutating func delivered(at now: Instant) {
        guard isMeasuring, let last = lastDelivery else { return }
        gap = max(gap, now - last)
        lastDelivery = now
        guard isRecordOpen, let index = records.indices.last else { return }
        records[index].longestGap = gap
        isRecordOpen = false
    }

    mutating func complete(_ record: MigrationRecord, hasDelivered: Bool, at now: Instant) -> MigrationRecord {
        var record = record
        record.duration = began.map { now - $0 } ?? .zero
        record.longestGap = gap
        began = nil
        count += 1
        guard maximumRecords > 0 else { return record }
        isRecordOpen = !hasDelivered
        if records.count == maximumRecords { records.removeFirst() }
        records.append(record)
        return record
    }
}
