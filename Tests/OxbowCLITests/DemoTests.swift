import Oxbow
import Testing

@testable import OxbowCLI

@Suite struct DemoTests {
    static func plan(
        size: Int = 2 << 20, migrations: Int = 24, connections: Int = 4, security: String = "noise"
    ) -> DemoPlan {
        DemoPlan(size: size, migrations: migrations, connections: connections, security: security)
    }

    /// The demo with both hosts in this process, over TCP.
    static func run(_ plan: DemoPlan, board: DemoBoard? = nil, path: String? = nil) async throws -> DemoResult {
        let (left, right) = DemoLink.pair()
        async let guest: Void = DemoGuest(link: right, process: 2).run()
        // A run that fails leaves the guest to wait for words that don't come.
        defer { left.close() }
        let result = try await DemoRun(plan, over: left, board: board ?? DemoBoard(plan), path: path).run()
        try await guest
        return result
    }

    @Test(arguments: ["noise", "tls"])
    func showsWhatItPromises(_ security: String) async throws {
        let plan = Self.plan(security: security)
        let board = DemoBoard(plan)
        let result = try await Self.run(plan, board: board)
        #expect(result.shortcomings.isEmpty)
        #expect(result.isEqual)
        #expect(result.migrations == 24)
        #expect(result.initiated(by: .a) == 12)
        #expect(result.initiated(by: .b) == 12)
        #expect(result.connectionsLeft == 1)
        #expect(result.paths.count == 25)
        #expect(result.bytesByPath.map(\.toB).reduce(0, +) == UInt64(plan.size))
        #expect(result.bytesByPath.map(\.toA).reduce(0, +) == UInt64(plan.size))
        #expect(result.b.moves.map(\.bytesRead) == result.bytesByPath.dropLast().map(\.toB), "both sides count alike")
        #expect(result.a.sentDigest != result.b.sentDigest)
        #expect((board.state.movesByA, board.state.movesByB) == (12, 12))
        #expect(board.state.arrivedAtB == plan.size)
    }

    @Test(arguments: [1, 7, 1_000, 100_001], [0, 1, 21])
    func smallFilesWaitForTheirMoves(_ size: Int, _ migrations: Int) async throws {
        let plan = Self.plan(size: size, migrations: migrations, connections: 2 + size % 3)
        let result = try await Self.run(plan)
        #expect(result.shortcomings.isEmpty)
        #expect(result.migrations == migrations)
    }

    @Test func endsWhenThePeerVanishes() async throws {
        let (left, right) = DemoLink.pair()
        let plan = Self.plan()
        let run = Task { try await DemoRun(plan, over: left, board: DemoBoard(plan)).run() }
        var messages = right.messages.makeAsyncIterator()
        #expect(await messages.next() == .start(plan))
        right.close()
        await #expect(throws: DemoError.peerVanished) { try await run.value }
    }

    @Test func tellsWhyThePeerGaveUp() async throws {
        let (left, right) = DemoLink.pair()
        try right.send(.failed("no more room"))
        let plan = Self.plan()
        await #expect(throws: DemoError.peerFailed("no more room")) {
            try await DemoRun(plan, over: left, board: DemoBoard(plan)).run()
        }
    }

    @Test func theGuestEndsWithoutItsHost() async throws {
        let (left, right) = DemoLink.pair()
        try left.send(.start(Self.plan()))
        left.close()
        await #expect(throws: DemoError.peerVanished) { try await DemoGuest(link: right, process: 2).run() }
    }

    @Test func findsWhatFellShort() {
        var side = DemoSideReport(
            sentDigest: "1", receivedDigest: "2", bytesSent: 10, bytesReceived: 10, migrations: 3, moves: [],
            heldBackSeconds: 0, connectionsLeft: 1)
        var other = side
        (other.sentDigest, other.receivedDigest) = ("2", "1")
        func shortcomings() -> Int {
            let plan = Self.plan(size: 10, migrations: 3)
            return DemoResult(plan: plan, a: side, b: other, label: 1, seconds: 1, paths: []).shortcomings.count
        }
        #expect(shortcomings() == 0)
        side.receivedDigest = "3"
        #expect(shortcomings() == 1)
        other.receivedDigest = ""
        #expect(shortcomings() == 2)
        other.migrations = 2
        #expect(shortcomings() == 3)
        side.connectionsLeft = 0
        #expect(shortcomings() == 4)
    }
}
