import NIOCore
import OxbowCore
import OxbowMigration

/// Measures the migrations of a stream. A settled stream pays one comparison for each delivery.
struct MigrationGauge {
    /// The newest records, oldest first; bounded, so that a stream that moves for days stays small.
    private(set) var records: [MigrationRecord] = []
    private(set) var totals = MigrationTotals()
    private let maximumRecords: Int

    /// The migration that is under way; behind it the peer's, while the own attempt that gives way to that has no record
    /// yet (SM-F4). A list, since a settled stream is to pay no more than an empty one for it.
    private var running: [MigrationRecord] = []
    private var lastDelivery: Instant?
    private var gap = Duration.zero
    /// The number of the completed record that waits for the first delivery on its target.
    private var openGap: Int?
    /// The clock, for ends that no event loop reports.
    private var eventLoop: (any EventLoop)?

    init(maximumRecords: Int) {
        self.maximumRecords = max(0, maximumRecords)
    }

    var isMeasuring: Bool { !running.isEmpty || openGap != nil }
    /// Whether the migration under way has its answer: a hand-off.
    var isAnswered: Bool { running.first?.timeToAnswer != nil }
    /// Whether a migration is under way.
    var isOpen: Bool { !running.isEmpty }
    var clockNow: Instant { eventLoop.map { Instant($0.now) } ?? .zero }

    /// A migration begins, of which `record` says who asked, when, and from where to where.
    mutating func begin(_ record: MigrationRecord, on eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        running.append(record)
        if running.count == 1 { measure(from: record.started) }
    }

    private mutating func measure(from start: Instant) {
        // A gap of the migration before goes on in this one.
        if openGap == nil { (lastDelivery, gap) = (start, .zero) }
        if let index = openGapIndex { records[index].isGapFinal = true }
        openGap = nil
    }

    private var openGapIndex: Int? {
        openGap.flatMap { number in records.lastIndex { $0.number == number } }
    }

    /// The answer was read, or given, to the migration that began last.
    mutating func answered(at now: Instant) {
        guard let last = running.indices.last else { return }
        running[last].timeToAnswer = now - running[last].started
    }

    /// Bytes reached the application's queue: on arrival, or from where they were parked.
    ///
    /// - Returns: the gap of the last migration, when these are the bytes that end it.
    mutating func delivered(at now: Instant) -> Duration? {
        guard isMeasuring, let last = lastDelivery else { return nil }
        gap = max(gap, now - last)
        lastDelivery = now
        guard openGap != nil else { return nil }
        if let index = openGapIndex {
            records[index].longestGap = gap
            records[index].isGapFinal = true
        }
        openGap = nil
        return gap
    }

    /// A leg is gone before the migration under way has its record.
    mutating func left(_ leg: Leg, _ binding: LegBinding) {
        guard !running.isEmpty else { return }
        switch leg {
        case .source:
            running[0].bytesRead = binding.bytesRead
            running[0].bytesWritten = binding.bytesWritten
        case .target:
            running[0].bytesReadOnTarget = binding.bytesRead
            running[0].bytesWrittenOnTarget = binding.bytesWritten
        case .yielded: break
        }
    }

    /// The migration under way is over.
    ///
    /// - Parameter hasDelivered: whether the application has got bytes of the target, so that the gap is final.
    /// - Returns: its record; nil when none was under way.
    mutating func end(
        _ outcome: MigrationOutcome, legs: LegSet, hasDelivered: Bool = true, at now: Instant
    ) -> MigrationRecord? {
        if let source = legs.source { left(.source, source) }
        // The target of an attempt without consent has carried nothing, and in a glare it is the peer's.
        if let target = legs.target, isAnswered { left(.target, target) }
        guard !running.isEmpty else { return nil }
        var record = running.removeFirst()
        record.outcome = outcome
        record.ended = now
        record.longestGap = gap
        record.isGapFinal = hasDelivered
        keep(&record)
        openGap = hasDelivered ? nil : record.number
        if let next = running.first { measure(from: next.started) }
        return record
    }

    /// A Migrate of the peer's that this stream denies at once.
    mutating func deny(_ record: MigrationRecord, legs: LegSet, at now: Instant) -> MigrationRecord {
        var record = record
        (record.outcome, record.ended, record.timeToAnswer) = (.denied, now, now - record.started)
        if let source = legs.source {
            (record.bytesRead, record.bytesWritten) = (source.bytesRead, source.bytesWritten)
        }
        keep(&record)
        return record
    }

    private mutating func keep(_ record: inout MigrationRecord) {
        totals.count(record.outcome)
        record.number = totals.all
        guard maximumRecords > 0 else { return }
        if records.count == maximumRecords { records.removeFirst() }
        records.append(record)
    }
}
