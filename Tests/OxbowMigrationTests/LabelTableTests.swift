import OxbowCore
import OxbowMigration
import Testing

/// Labels, their bounds, and Migrates that wait (SM-L2 to SM-L4, SM-F5, SM-F6, SM-F10).
@Suite struct LabelTableTests {
    private let a = StreamKey(rawValue: 1)
    private let b = StreamKey(rawValue: 2)

    private func table(lower: Bool = true, start: UInt64 = 0, _ set: (inout MigrationConfiguration) -> Void = { _ in })
        -> LabelTable
    {
        var configuration = MigrationConfiguration()
        set(&configuration)
        return LabelTable(isLowerPeer: lower, start: start, configuration: configuration)
    }

    // MARK: Ids

    @Test func ownIDsHaveOwnParityAndAreNeverReused() throws {
        var lower = table(lower: true, start: 7)
        var higher = table(lower: false, start: 7)
        #expect(try lower.assign(to: a) == 14)
        #expect(try higher.assign(to: a) == 15)
        lower.forget(14)
        #expect(try lower.assign(to: a) == 16)
        lower.finish(16)
        #expect(try lower.assign(to: a) == 18)
    }

    @Test func idsStartBelowTwoToTheFortieth() throws {
        var table = table(lower: false, start: .max)
        #expect(try table.assign(to: a) == (1 << 40) - 1)
        #expect(try table.assign(to: a) == (1 << 40) + 1)
    }

    @Test func runningOutIsAnError() throws {
        var table = table(lower: false)
        table.counter = (UInt64.max >> 1) - 1
        #expect(try table.assign(to: a) == .max - 2)
        for _ in 0..<2 {
            #expect(throws: MigrationRefusal.idsExhausted) { try table.assign(to: a) }
        }
        #expect(table.liveCount == 1)
    }

    // MARK: Labels

    @Test(arguments: [true, false]) func thePeersParity(lower: Bool) {
        var table = table(lower: lower)
        #expect(table.register(lower ? 4 : 5, for: a) == .wrongParity)
        #expect(table.isEmpty)
        #expect(table.register(lower ? 5 : 4, for: a) == .registered)
        #expect(table.lookup(from: lower ? 5 : 4) == .live(a))
    }

    @Test func aLiveIDIsADuplicateWhoeverGaveIt() throws {
        var table = table()
        #expect(table.register(5, for: a) == .registered)
        #expect(table.register(5, for: b) == .duplicate)
        let own = try table.assign(to: a)
        #expect(table.register(own, for: b) == .duplicate)
        #expect(table.lookup(from: 5) == .live(a) && table.lookup(from: own) == .live(a))
    }

    @Test func theBoundOnLiveStreams() throws {
        var table = table { $0.maximumStreams = 2 }
        _ = try table.assign(to: a)
        #expect(table.register(5, for: a) == .registered)
        #expect(table.register(7, for: b) == .full)
        #expect(throws: MigrationRefusal.tooMany(limit: 2)) { try table.assign(to: b) }
        table.finish(5)
        #expect(table.register(7, for: b) == .registered)
    }

    // MARK: Finished ids

    @Test func aFinishedIDIsRemembered() {
        var table = table()
        _ = table.register(5, for: a)
        table.finish(5)
        #expect(table.lookup(from: 5) == .finished)
        #expect(table.isEmpty)
        table.finish(9)
        #expect(table.lookup(from: 9) == .unknown)
    }

    @Test func theOldestFinishedIDIsForgotten() {
        var table = table { $0.maximumRemembered = 3 }
        let ids: [UInt64] = [1, 3, 5, 7, 9, 11, 13]
        for id in ids {
            _ = table.register(id, for: a)
            table.finish(id)
        }
        #expect(
            ids.map(table.lookup(from:)) == Array(repeating: .unknown, count: 4) + Array(repeating: .finished, count: 3)
        )
    }

    @Test func aBoundOfNoneRemembersNone() {
        var table = table { $0.maximumRemembered = 0 }
        _ = table.register(5, for: a)
        table.finish(5)
        #expect(table.lookup(from: 5) == .unknown)
    }

    @Test func aForgottenIDWasNeverThere() {
        var table = table()
        _ = table.register(5, for: a)
        table.forget(5)
        #expect(table.lookup(from: 5) == .unknown)
        #expect(table.register(5, for: b) == .registered)
    }

    /// A peer that gives a finished id again against the rule (SM-L2) gets no second place in the memory.
    @Test func aReusedIDIsFinishedOnce() {
        var table = table { $0.maximumRemembered = 2 }
        for id: UInt64 in [5, 5, 7] {
            #expect(table.register(id, for: a) == .registered)
            #expect(table.lookup(from: id) == .live(a))
            table.finish(id)
        }
        #expect(table.lookup(from: 5) == .finished && table.lookup(from: 7) == .finished)
    }

    // MARK: Bounds on migrations

    @Test func theBoundOnMigrations() {
        var table = table { $0.maximumConcurrent = 2 }
        let isBegun = (0..<3).map { _ in table.beginMigration() }
        #expect(isBegun == [true, true, false])
        #expect(table.migrations == 2 && !table.isEmpty)
        table.endMigration()
        #expect(table.beginMigration() == true)
    }

    @Test func theBoundOnHeldMigrates() {
        var table = table { $0.maximumHeld = 2 }
        let migrates = (0..<3).map { HeldMigrate(ticket: $0, id: 2 * $0 + 1, from: 0, deadline: nil) }
        let isHeld = migrates.map { table.hold($0) }
        #expect(isHeld == [true, true, false])
        #expect(!table.isEmpty)
        #expect(table.release { $0.ticket == 1 } == [migrates[1]])
        #expect(table.held == [migrates[0]])
        #expect(table.hold(migrates[2]) == true)
    }

    @Test func heldMigratesAreReleasedOldestFirstAndAskedOnce() {
        var table = table()
        let migrates = (0..<4).map { ticket in
            HeldMigrate(
                ticket: ticket, id: 2 * ticket + 1, from: 0, deadline: ticket == 0 ? nil : .seconds(Int(9 - ticket)))
        }
        for migrate in migrates { #expect(table.hold(migrate) == true) }
        #expect(table.nextDeadline == .seconds(6))
        var asked: [UInt64] = []
        let due = table.release { migrate in
            asked.append(migrate.ticket)
            return asked.count > 1
        }
        #expect(due == Array(migrates[1...]) && asked == [0, 1, 2, 3])
        #expect(table.held == [migrates[0]] && table.nextDeadline == nil)
    }
}
