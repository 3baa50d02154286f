import Oxbow
import OxbowCommandLine
import OxbowNIO

/// Counts of one end of a soak.
struct SoakTally: Codable, Hashable, Sendable {
    /// Migrations that are complete, whoever began them.
    var moves = 0
    /// Those that this end began.
    var initiated = 0
    /// Attempts that had to wait for a bound or for a migration under way.
    var postponed = 0
    /// Attempts that came to nothing; the stream stayed where it was.
    var failedAttempts = 0
    var lost = 0
    /// Why, and how many; other reasons past the first few are counted only.
    var reasons: [String: Int] = [:]
    /// How long the migrations that this end began took: how many fell into each slot of 5 ms, the last for all longer ones.
    /// Of a fixed size, so that counting takes no memory.
    private var durations = [Int](repeating: 0, count: 2_001)
    private(set) var longestMilliseconds = 0.0

    private static let slot = 5.0

    mutating func initiated(in duration: Duration) {
        initiated += 1
        let milliseconds = duration.milliseconds
        durations[min(Int(milliseconds / Self.slot), durations.count - 1)] += 1
        longestMilliseconds = max(longestMilliseconds, milliseconds)
    }

    mutating func lost(_ why: String) {
        lost += 1
        if reasons[why] != nil || reasons.count < 16 { reasons[why, default: 0] += 1 }
    }

    /// The time within which a share of the migrations was complete, to 5 ms.
    func milliseconds(quantile: Double) -> Double {
        var left = Double(initiated) * quantile
        for (index, count) in durations.enumerated() {
            left -= Double(count)
            if left <= 0, count > 0 { return Double(index + 1) * Self.slot }
        }
        return 0
    }
}

/// What is alive at one end.
struct SoakCensus: Codable, Hashable, Sendable {
    var streams = 0
    var labels = 0
    var heldMigrates = 0
    var migrations = 0
    var timers = 0

    init() {}

    /// All but the stream on which the ends talk.
    init(_ census: SwarmCensus, _ plan: SoakPlan) {
        (streams, labels) = (census.streams - 1, census.labels - (plan.isUpgrade ? 1 : 0))
        heldMigrates = census.heldMigrates
        (migrations, timers) = (census.migrations, census.timers)
    }

    var isZero: Bool { self == SoakCensus() }
}

/// Resident memory of one end, in bytes, each measured in the same condition but the last.
struct SoakMemory: Codable, Hashable, Sendable {
    /// Tells how much memory this process has now; nil where that can't be known.
    typealias Meter = @Sendable () async throws -> UInt64?

    /// All streams open, the first migrations done, data flowing.
    var start: UInt64?
    /// All migrations done, data flowing.
    var end: UInt64?
    /// All streams ended.
    var closed: UInt64?

    /// By which share it grew.
    var growth: Double? {
        guard let start, let end, start > 0 else { return nil }
        return Double(end) / Double(start) - 1
    }
}

/// What one end saw of a soak.
struct SoakSideReport: Codable, Hashable, Sendable {
    var tally: SoakTally
    var bytesSent: UInt64 = 0
    var bytesReceived: UInt64 = 0
    var ended = 0
    /// How often a stream that was not lost has moved, by the library's own count.
    var fewestMigrations = 0
    var mostMigrations = 0
    var left: SoakCensus
    var memory: SoakMemory
    /// Connections that ended before they were to.
    var connectionsLost = 0
    /// The longest time in which nothing came on a stream, in milliseconds: before streams moved, and while they did. None
    /// where that was not looked for.
    var gapMilliseconds: [Double] = []

    /// To be made before the connections are closed.
    init(_ session: SoakSession, left: SoakCensus, memory: SoakMemory) {
        tally = session.tally
        for stream in session.streams {
            bytesSent += stream.bytesSent
            bytesReceived += stream.bytesReceived
        }
        ended = session.ended.value
        // A stream that was lost stopped anywhere: then only the others, which are complete, say something.
        let counts = session.streams.map(\.stream.migrationCount).sorted()
        fewestMigrations = counts.dropFirst(tally.lost).first ?? 0
        mostMigrations = counts.last ?? 0
        connectionsLost = session.lostConnections
        gapMilliseconds = session.gaps.map(\.milliseconds)
        (self.left, self.memory) = (left, memory)
    }

    var fields: [(String, JSON)] {
        func number(_ value: UInt64?) -> JSON { value.map(JSON.uint) ?? .null }
        return [
            ("bytes_sent", .uint(bytesSent)), ("bytes_received", .uint(bytesReceived)),
            ("streams_ended", .int(Int64(ended - tally.lost))), ("streams_lost", .int(Int64(tally.lost))),
            ("lost_by_reason", .object(tally.reasons.sorted { $0.key < $1.key }.map { ($0, .int(Int64($1))) })),
            ("initiated", .int(Int64(tally.initiated))), ("postponed", .int(Int64(tally.postponed))),
            ("failed_attempts", .int(Int64(tally.failedAttempts))),
            ("fewest_migrations", .int(Int64(fewestMigrations))), ("most_migrations", .int(Int64(mostMigrations))),
            ("migration_ms_median", .rounded(tally.milliseconds(quantile: 0.5))),
            ("migration_ms_99", .rounded(tally.milliseconds(quantile: 0.99))),
            ("migration_ms_longest", .rounded(tally.longestMilliseconds)),
            ("streams_left", .int(Int64(left.streams))), ("labels_left", .int(Int64(left.labels))),
            ("held_left", .int(Int64(left.heldMigrates))), ("migrations_left", .int(Int64(left.migrations))),
            ("timers_left", .int(Int64(left.timers))), ("connections_lost", .int(Int64(connectionsLost))),
            ("memory_start", number(memory.start)), ("memory_end", number(memory.end)),
            ("memory_closed", number(memory.closed)), ("memory_growth", memory.growth.map(JSON.rounded) ?? .null),
            ("gaps_ms", .array(gapMilliseconds.map(JSON.rounded))),
        ]
    }
}

/// What a soak showed.
struct SoakResult: Sendable {
    /// By how much memory may grow.
    static let mayGrow = 0.1

    let plan: SoakPlan
    var dialer: SoakSideReport
    let listener: SoakSideReport
    /// How long the migrations took, from the first to the last.
    let seconds: Double

    var migrations: Int { plan.isUpgrade ? plan.streams * dialer.fewestMigrations : dialer.tally.moves }
    var perSecond: Double { Double(migrations) / max(seconds, 1e-9) }

    /// What is not as it should be; empty when the soak showed what it promised.
    var shortcomings: [String] {
        var list: [String] = []
        for (name, side) in [("dialer", dialer), ("listener", listener)] {
            if side.ended != plan.streams { list.append("\(side.ended) streams have ended at the \(name)") }
            if side.tally.lost > 0, !plan.isSurviving { list.append("\(side.tally.lost) streams were lost") }
            let counts = (side.fewestMigrations, side.mostMigrations)
            if side.tally.lost < side.ended, counts != (plan.expectedMigrations, plan.expectedMigrations) {
                list.append("streams have moved \(counts.0) to \(counts.1) times, as the \(name) counts")
            }
            if !side.left.isZero { list.append("something is left at the \(name): \(side.left)") }
            // The first move of a stream takes what later ones take again.
            if let growth = side.memory.growth, growth > Self.mayGrow, !plan.isSurviving, !plan.isUpgrade {
                list.append("the \(name)'s memory grew by \(decimal(growth * 100, 1)) %")
            }
        }
        guard dialer.tally.lost == 0, listener.tally.lost == 0 else { return list }
        if dialer.bytesSent != listener.bytesReceived || listener.bytesSent != dialer.bytesReceived {
            list.append("the ends count different numbers of bytes")
        }
        return list
    }

    var fields: [(String, JSON)] {
        [
            ("streams", .int(Int64(plan.streams))), ("migrations_each", .int(Int64(plan.migrations))),
            ("connections", .int(Int64(plan.connections))), ("migrations", .int(Int64(migrations))),
            ("seconds", .rounded(seconds)), ("migrations_per_second", .rounded(perSecond)),
            ("shortcomings", .array(shortcomings.map(JSON.string))), ("dialer", .object(dialer.fields)),
            ("listener", .object(listener.fields)),
        ]
    }

    var text: String {
        let sides = [("dialer", dialer), ("listener", listener)].map { name, side in
            let sizes = [side.memory.start, side.memory.end, side.memory.closed]
                .map { $0.map { ByteCount.text($0) } ?? "unknown" }
            let growth = side.memory.growth.map { " (\(decimal($0 * 100, 1)) %)" } ?? ""
            return """
                \(name)  sent \(ByteCount.text(side.bytesSent)), received \(ByteCount.text(side.bytesReceived)); \
                \(side.ended - side.tally.lost) streams ended, \(side.tally.lost) lost; \
                a migration took \(decimal(side.tally.milliseconds(quantile: 0.5), 0)) ms (median), \
                \(decimal(side.tally.milliseconds(quantile: 0.99), 0)) ms (99 %), \
                \(decimal(side.tally.longestMilliseconds, 0)) ms (longest); \
                memory \(sizes[0]) at the start, \(sizes[1]) at the end\(growth), \(sizes[2]) closed
                """
        }
        let head =
            plan.isUpgrade
            ? """
            \(plan.streams) streams moved to a better connection within \(decimal(seconds, 2)) s; longest gap on a stream before and \
            meanwhile, in ms: \(gaps(dialer)) to the dialer, \(gaps(listener)) to the listener
            """
            : """
            \(plan.streams) streams moved \(plan.migrations) times among \(plan.connections) connections: \
            \(migrations) migrations in \(decimal(seconds, 1)) s, \(decimal(perSecond, 1)) a second
            """
        return ([head] + sides).joined(separator: "\n")
    }

    private func gaps(_ side: SoakSideReport) -> String {
        side.gapMilliseconds.map { decimal($0, 0) }.joined(separator: " and ")
    }
}
