import NIOCore
import Oxbow
import OxbowNIO
import Synchronization
import Testing

@testable import OxbowCLI

/// Soaks with both hosts in this process.
@Suite struct SoakTests {
    /// - Parameters:
    ///   - memory: what each end is told of its memory, look by look.
    ///   - fault: what happens to the listener meanwhile.
    private func soak(
        _ plan: SoakPlan, memory: [UInt64] = [100, 100, 100],
        fault: @escaping @Sendable (OxbowHost) async -> Void = { _ in }
    ) async throws -> SoakResult {
        var configuration = HostConfiguration()
        configuration.prepareForSoak(keepAlive: nil, isUpgrade: plan.isUpgrade)
        let settings = configuration
        return try await withHost(identity: .generate(.ed25519), configuration: settings) { dialling in
            try await withHost(identity: .generate(.ed25519), configuration: settings) { listening in
                let listener = SoakListener(listening, memory: looks(memory))
                listener.serve()
                var addresses = try await listening.listen(on: Multiaddr("/memory/0"))
                // Better by the ranking of transports.
                if plan.isUpgrade { addresses += try await listening.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0")) }
                let dialer = SoakDialer(
                    plan: plan, host: dialling, peer: listening.id, addresses: addresses, limit: .seconds(120),
                    view: SoakView(isJSON: false), memory: looks(memory))
                async let faulty: Void = fault(listening)
                let result = try await dialer.run()
                await faulty
                var outcomes = listener.outcomes.makeAsyncIterator()
                guard case .done(let report)? = await outcomes.next() else {
                    throw SoakError.unexpectedMessage("a failure of the listener")
                }
                #expect(report == result.listener)
                #expect(await listening.soakIsOver().isZero)
                return result
            }
        }
    }

    private func looks(_ memory: [UInt64]) -> SoakMemory.Meter {
        let next = Mutex(0)
        return {
            next.withLock { next in
                defer { next += 1 }
                return memory.indices.contains(next) ? memory[next] : nil
            }
        }
    }

    @Test func everyStreamMovesAsOftenAsPlanned() async throws {
        var plan = SoakPlan()
        (plan.streams, plan.migrations, plan.connections, plan.pace) = (30, 12, 3, 0.02)
        let result = try await soak(plan, memory: [100, 109, 50])
        #expect(result.shortcomings == [])
        for side in [result.dialer, result.listener] {
            #expect(side.memory == SoakMemory(start: 100, end: 109, closed: 50))
        }
        #expect(result.migrations == 30 * 12)
        #expect(result.dialer.tally.initiated == 30 * 6 && result.listener.tally.initiated == 30 * 6)
        #expect(result.dialer.ended == 30 && result.listener.ended == 30)
        #expect(result.dialer.bytesSent > 0 && result.dialer.bytesSent == result.listener.bytesReceived)
        #expect(result.listener.bytesSent > 0 && result.listener.bytesSent == result.dialer.bytesReceived)
    }

    @Test func aPlanWithoutMigrationsIsOneToo() async throws {
        var plan = SoakPlan()
        (plan.streams, plan.migrations, plan.connections, plan.pace) = (5, 0, 2, 0.02)
        #expect(try await soak(plan).shortcomings == [])
    }

    @Test func everyStreamMovesByItselfToABetterConnection() async throws {
        var plan = SoakPlan()
        (plan.streams, plan.migrations, plan.connections, plan.pace) = (30, 0, 1, 0.02)
        plan.isUpgrade = true
        let result = try await soak(plan)
        #expect(result.shortcomings == [])
        #expect(result.migrations == 30)
        for side in [result.dialer, result.listener] {
            #expect(side.gapMilliseconds.count == 2 && side.gapMilliseconds.allSatisfy { $0 > 0 })
            #expect(side.tally.moves == 0, "nobody asked for it")
        }
    }

    @Test func anUpgradeHasItsOwnConnections() {
        var plan = SoakPlan()
        plan.isUpgrade = true
        #expect(plan.problem?.contains("--upgrade") == true)
        (plan.migrations, plan.connections) = (0, 1)
        #expect(plan.problem == nil)
        plan.isUpgrade = false
        #expect(plan.problem?.contains("--connections") == true)
    }

    @Test func memoryThatGrowsIsAShortcomingOfBothEnds() async throws {
        var plan = SoakPlan()
        (plan.streams, plan.migrations, plan.connections, plan.pace) = (5, 4, 2, 0.02)
        let shortcomings = try await soak(plan, memory: [100, 120, 100]).shortcomings
        #expect(shortcomings.count { $0.contains("memory grew by 20.0 %") } == 2)
    }

    @Test func theOthersGoOnWhenAConnectionIsLost() async throws {
        var plan = SoakPlan()
        (plan.streams, plan.migrations, plan.connections, plan.pace) = (40, 40, 4, 0.02)
        (plan.concurrent, plan.isSurviving) = (4, true)
        let result = try await soak(plan) { listening in
            for await event in listening.events() {
                guard case .streamMigrated(let dialer, _, _) = event else { continue }
                // Not the first one, on which the ends talk.
                listening.peer(dialer)?.connections.max { $0.id < $1.id }?.abort()
                break
            }
        }
        #expect(result.shortcomings == [])
        for side in [result.dialer, result.listener] {
            #expect(side.ended == 40 && side.connectionsLost == 1)
            #expect((1..<40).contains(side.tally.lost), "some streams were on it, and some were not")
            #expect(side.tally.reasons.values.reduce(0, +) == side.tally.lost)
        }
    }

    @Test func aLostConnectionEndsASoakThatMustNotLoseOne() async throws {
        var plan = SoakPlan()
        (plan.streams, plan.migrations, plan.connections, plan.pace, plan.concurrent) = (40, 40, 4, 0.02, 4)
        await #expect(throws: SoakError.self) {
            try await soak(plan) { listening in
                for await event in listening.events() {
                    guard case .streamMigrated(let dialer, _, _) = event else { continue }
                    listening.peer(dialer)?.connections.max { $0.id < $1.id }?.abort()
                    break
                }
            }
        }
    }

    @Test func aPlanThatCannotBeTakenIsRefusedWithItsReason() async throws {
        var plan = SoakPlan()
        plan.streams = SoakPlan.maximumStreams + 1
        do {
            _ = try await soak(plan)
            Issue.record("it was taken")
        } catch let error as SoakError {
            guard case .peerFailed(let why) = error else { throw error }
            #expect(why.contains("--streams"))
        }
    }

    // MARK: What a result has to show

    private func sides(_ plan: SoakPlan) async throws -> SoakResult {
        let session = SoakSession(
            plan, .dialer, peer: try PrivateKey.generate(.ed25519).publicKey.peerID,
            host: try OxbowHost(identity: .generate(.ed25519)))
        var side = SoakSideReport(session, left: SoakCensus(), memory: SoakMemory())
        (side.ended, side.fewestMigrations, side.mostMigrations) = (plan.streams, plan.migrations, plan.migrations)
        (side.bytesSent, side.bytesReceived) = (7, 7)
        side.memory = SoakMemory(start: 100, end: 109, closed: 90)
        return SoakResult(plan: plan, dialer: side, listener: side, seconds: 1)
    }

    @Test func aShortcomingOfEitherSideIsNamed() async throws {
        let good = try await sides(SoakPlan())
        #expect(good.shortcomings == [])
        func expect(_ text: String, _ change: (inout SoakSideReport) -> Void) {
            var result = good
            change(&result.dialer)
            #expect(result.shortcomings.contains { $0.contains(text) }, "\(result.shortcomings)")
        }
        expect("999 streams have ended") { $0.ended = 999 }
        expect("1 streams were lost") { $0.tally.lost("why") }
        expect("99 to 100 times") { $0.fewestMigrations = 99 }
        expect("100 to 101 times") { $0.mostMigrations = 101 }
        expect("something is left") { $0.left.timers = 1 }
        expect("memory grew by 11.0 %") { $0.memory.end = 111 }
        expect("different numbers of bytes") { $0.bytesSent = 8 }
        expect("different numbers of bytes") { $0.bytesReceived = 6 }
    }

    @Test func quantilesAreOfTheMigrationsThatWereCounted() {
        var tally = SoakTally()
        #expect(tally.milliseconds(quantile: 0.5) == 0)
        for number in 1...100 { tally.initiated(in: .milliseconds(number * 10)) }
        #expect(tally.milliseconds(quantile: 0.5) == 505)
        #expect(tally.milliseconds(quantile: 0.99) == 995)
        #expect(tally.longestMilliseconds == 1_000)
        tally.initiated(in: .seconds(100))
        #expect(tally.milliseconds(quantile: 1) == 10_005)
    }

    @Test func reasonsAreCountedWithoutEnd() {
        var tally = SoakTally()
        for number in 0..<1_000 { tally.lost("reason \(number)") }
        #expect(tally.lost == 1_000 && tally.reasons.count == 16)
    }
}

/// The bytes of a soak's stream: whatever isn't exactly what must come is found.
@Suite struct SoakStreamTests {
    /// Lets one side write what it likes, and the other judge it.
    private func judge(_ write: @escaping @Sendable (OxbowStream, SoakPlan) async throws -> Void) async throws {
        var plan = SoakPlan()
        (plan.streams, plan.bytes) = (1, 100)
        let agreed = plan
        try await withHost(identity: .generate(.ed25519)) { left in
            try await withHost(identity: .generate(.ed25519)) { right in
                let (verdicts, verdict) = AsyncStream<Result<Void, any Error>>.makeStream()
                right.handle(Soak.data) { stream in
                    let soaked = SoakStream(0, stream, plan: agreed, party: .listener)
                    do {
                        try await soaked.receive { _ in }
                        verdict.yield(.success(()))
                    } catch { verdict.yield(.failure(error)) }
                }
                let peer = try await left.connect(to: right.id, at: right.listen(on: Multiaddr("/memory/0")))
                try await peer.withStream([Soak.data]) { stream in
                    try await write(stream, agreed)
                    stream.outbound.finish()
                    var iterator = verdicts.makeAsyncIterator()
                    try await iterator.next()?.get()
                }
            }
        }
    }

    private func frames(_ plan: SoakPlan) -> [SoakFrame] {
        var pattern = plan.pattern(stream: 0, from: .dialer)
        return (0..<3).map { _ in .data(pattern.next(100)) }
    }

    @Test func whatIsRightPasses() async throws {
        try await judge { stream, plan in
            let soaked = SoakStream(0, stream, plan: plan, party: .dialer)
            for _ in 0..<3 { #expect(soaked.sendPortion()) }
            try await soaked.sendMoved(1)
            try await soaked.end()
            #expect(!soaked.sendPortion(), "behind the end comes nothing")
        }
    }

    @Test(arguments: ["lost", "doubled", "swapped", "changed"])
    func wrongBytesAreFound(_ fault: String) async throws {
        await #expect(throws: SoakError.wrongBytes(stream: 0, offset: fault == "doubled" ? 100 : 0)) {
            try await judge { stream, plan in
                var frames = frames(plan)
                switch fault {
                case "lost": frames.remove(at: 0)
                case "doubled": frames.insert(frames[0], at: 1)
                case "swapped": frames.swapAt(0, 1)
                default:
                    guard case .data(var bytes) = frames[0] else { return }
                    bytes.setInteger(UInt8(1) ^ (bytes.getInteger(at: bytes.readerIndex) ?? 0), at: bytes.readerIndex)
                    frames[0] = .data(bytes)
                }
                for frame in frames { try await stream.outbound.write(frame.encoded) }
            }
        }
    }

    @Test func aCleanEndTooEarlyIsATruncation() async throws {
        await #expect(throws: SoakError.truncated(stream: 0, offset: 300)) {
            try await judge { stream, plan in
                for frame in frames(plan) { try await stream.outbound.write(frame.encoded) }
            }
        }
    }

    @Test func otherTotalsAreFound() async throws {
        await #expect(throws: SoakError.wrongTotals(stream: 0, sent: 400, received: 300)) {
            try await judge { stream, plan in
                for frame in frames(plan) { try await stream.outbound.write(frame.encoded) }
                let end = SoakFrame.end(bytes: 400, digest: [UInt8](repeating: 0, count: 32))
                try await stream.outbound.write(end.encoded)
            }
        }
    }

    @Test func anotherDigestIsFound() async throws {
        await #expect(throws: SoakError.wrongTotals(stream: 0, sent: 300, received: 300)) {
            try await judge { stream, plan in
                for frame in frames(plan) { try await stream.outbound.write(frame.encoded) }
                let end = SoakFrame.end(bytes: 300, digest: [UInt8](repeating: 0, count: 32))
                try await stream.outbound.write(end.encoded)
            }
        }
    }

    // MARK: Frames

    @Test func framesAreCutAnyhow() throws {
        let frames: [SoakFrame] = [
            .hello(stream: 4_095), .data(ByteBuffer(repeating: 7, count: 16_384)), .moved(100_000),
            .end(bytes: .max, digest: [UInt8](0..<32)),
        ]
        var whole = ByteBuffer()
        for frame in frames { whole.writeImmutableBuffer(frame.encoded) }
        for size in [1, 2, 3, 1_000, whole.readableBytes] {
            var (reader, rest, read) = (SoakFrameReader(), whole, [SoakFrame]())
            while let piece = rest.readSlice(length: min(size, rest.readableBytes)), piece.readableBytes > 0 {
                reader.append(piece)
                while let frame = try reader.next() { read.append(frame) }
            }
            #expect(read == frames && reader.isEmpty)
        }
    }

    @Test(arguments: [[0, 0, 3, 1, 1, 1], [1, 0, 0], [2, 0, 0], [3, 0, 1, 9], [9, 0, 0]] as [[UInt8]])
    func whatIsNoFrameIsRefused(_ bytes: [UInt8]) {
        var reader = SoakFrameReader()
        reader.append(ByteBuffer(bytes: bytes))
        #expect(throws: SoakError.self) { try reader.next() }
    }

    // MARK: The plan

    @Test func patternsDiffer() {
        let plan = SoakPlan()
        var seen: Set<[UInt8]> = []
        for index in 0..<1_000 {
            for party in [SoakParty.dialer, .listener] {
                var pattern = plan.pattern(stream: index, from: party)
                seen.insert(Array(pattern.next(16).readableBytesView))
            }
        }
        #expect(seen.count == 2_000)
    }

    @Test func targetsAreElsewhereAndSpread() {
        let plan = SoakPlan()
        var counts: [Int: Int] = [:]
        for number in 1...400 {
            let target = plan.target(of: number, stream: 3, attempt: 1, among: [0, 1, 2, 3], from: 2)
            counts[target ?? -1, default: 0] += 1
        }
        #expect(counts.keys.sorted() == [0, 1, 3])
        #expect(counts.values.allSatisfy { $0 > 80 })
        #expect(plan.target(of: 1, stream: 0, attempt: 1, among: [5], from: 5) == nil)
        let tries = Set((1...20).map { plan.target(of: 1, stream: 0, attempt: $0, among: [0, 1, 2], from: 0) })
        #expect(tries == [1, 2], "another attempt may lead elsewhere")
    }

    @Test func problemsAreNamed() {
        #expect(SoakPlan().problem == nil)
        for (change, word) in [
            ({ $0.streams = 0 }, "--streams"), ({ $0.migrations = -1 }, "--migrations"),
            ({ $0.connections = 1 }, "--connections"), ({ $0.concurrent = 0 }, "--concurrent"),
            ({ $0.bytes = 16_385 }, "--bytes"), ({ $0.pace = 0 }, "--pace"),
        ] as [((inout SoakPlan) -> Void, String)] {
            var plan = SoakPlan()
            change(&plan)
            #expect(plan.problem?.contains(word) == true)
        }
    }
}
