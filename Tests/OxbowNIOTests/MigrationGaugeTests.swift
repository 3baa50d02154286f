import OxbowCore
import Testing

@testable import OxbowNIO

/// How many migrations a stream remembers: one that moves for days must stay as small as it was.
@Suite struct MigrationGaugeTests {
    private func move(_ gauge: inout MigrationGauge, _ numbers: ClosedRange<UInt64>) {
        for number in numbers {
            let now = Instant(nanoseconds: Int64(number))
            gauge.begin(at: now)
            var record = MigrationRecord()
            record.toID = number
            #expect(gauge.complete(record, hasDelivered: true, at: now).toID == number)
        }
    }

    @Test func theNewestAreRemembered() {
        var gauge = MigrationGauge(maximumRecords: 3)
        move(&gauge, 1...2)
        #expect(gauge.records.map(\.toID) == [1, 2])
        move(&gauge, 3...1_000)
        #expect(gauge.records.map(\.toID) == [998, 999, 1_000])
        #expect(gauge.count == 1_000, "the count goes on")
    }

    @Test func aStreamCanRememberNone() {
        var gauge = MigrationGauge(maximumRecords: 0)
        move(&gauge, 1...5)
        gauge.delivered(at: Instant(nanoseconds: 9))
        #expect(gauge.records.isEmpty)
        #expect(gauge.count == 5)
    }

    @Test func theDefaultIsSmall() {
        #expect(StreamLimits().migrationRecords <= 16, "records of a thousand streams take 4 MB at most")
    }
}
