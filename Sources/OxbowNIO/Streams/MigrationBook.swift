import NIOCore
import OxbowCore

/// What a stream has for its migrations alone, guarded by the stream's lock. Most streams never have one.
final class MigrationBook {
    var gauge: MigrationGauge
    var waiters: [MigrationWaiter] = []
    /// Who wants to know when the stream's own negotiation is over.
    var answerWaiters: [AnswerWaiter] = []
    /// Migrations that the table of ids counts as under way.
    var counted = 0
    /// For when a timer looks after the machine's deadlines, set or about to be.
    var watchedUntil: Instant?
    var watch: Scheduled<Void>?
    /// Bytes that passed on legs that are gone.
    var formerBytesRead: UInt64 = 0
    var formerBytesWritten: UInt64 = 0

    init(maximumRecords: Int) {
        gauge = MigrationGauge(maximumRecords: maximumRecords)
    }
}

extension LogicalStream.State {
    /// The book, to write in it.
    mutating func openBook() -> MigrationBook {
        if let book { return book }
        let new = MigrationBook(maximumRecords: migrationRecords)
        book = new
        return new
    }

    /// The application bytes of all legs, those that are gone too.
    var allBytes: (read: UInt64, written: UInt64) {
        var sum = (read: book?.formerBytesRead ?? 0, written: book?.formerBytesWritten ?? 0)
        legs.forEach { leg in sum = (sum.read &+ leg.bytesRead, sum.written &+ leg.bytesWritten) }
        return sum
    }
}
