import OxbowCore
import OxbowMux
import Testing

@Suite struct YamuxFlowTests {
    // MARK: Sending

    @Test func neverMoreThanTheWindow() throws {
        var session = YamuxSession.quiet(.client)
        let id = try session.openAcknowledged()
        session.setPending(id, bytes: 10 * initialWindow)
        #expect(session.allFrames().reduce(0) { $0 + Int($1.length) } == initialWindow)
        #expect(!session.hasOutput)
        try session.take(update(id, 1))
        #expect(session.allFrames() == [data(id, 1)])
        try session.take(update(id, 0))
        #expect(!session.hasOutput)
    }

    @Test func framesKeepToTheRoomAndTheirBound() throws {
        var session = YamuxSession.quiet(.client) { $0.maximumFramePayload = 1000 }
        let id = try session.openAcknowledged()
        session.setPending(id, bytes: 2600)
        #expect(session.nextFrame(maximumPayload: 0, at: .zero) == nil)
        #expect(session.hasOutput)
        #expect(session.nextFrame(maximumPayload: 100, at: .zero)?.header == data(id, 100))
        let frame = session.nextFrame(maximumPayload: .max, at: .zero)
        #expect(frame?.header == data(id, 1000) && frame?.payload == 1000)
        #expect(session.allFrames() == [data(id, 1000), data(id, 500)])
        #expect(session.statistics.bytesSent == 2600)
    }

    @Test func theDefaultFrameFillsARecord() {
        #expect(YamuxConfiguration().maximumFramePayload + YamuxFrameHeader.size == 65_408)
    }

    @Test func readyStreamsTakeTurns() throws {
        var session = YamuxSession.quiet(.client) { $0.maximumFramePayload = 100 }
        var ids: [YamuxStreamID] = []
        for _ in 0..<10 { ids.append(try session.open(at: .zero)) }
        for id in ids { session.setPending(id, bytes: 100_000) }
        #expect((0..<10).compactMap { _ in session.nextFrame(maximumPayload: 0, at: .zero)?.header.streamID } == ids)
        for round in 0..<50 {
            // One that comes and goes costs the others nothing, and gets its turn.
            if round % 5 == 4 { session.setPending(ids[3], bytes: round % 2 == 0 ? 0 : 50_000) }
            let turn = (0..<10).compactMap { _ in session.nextFrame(maximumPayload: 100, at: .zero)?.header.streamID }
            let counts = Dictionary(turn.map { ($0, 1) }, uniquingKeysWith: +)
            #expect(counts.values.allSatisfy { $0 <= 2 })
            #expect(ids.filter { $0 != ids[3] }.allSatisfy { counts[$0, default: 0] >= 1 })
        }
    }

    @Test func controlFramesComeBeforeData() throws {
        var session = YamuxSession.quiet(.server)
        try session.take(data(1, initialWindow, .syn))
        session.setPending(1, bytes: 10)
        let ours = try session.open(at: .zero)
        try session.take(ping(9, .syn))
        try session.take(data(3, 0, .syn))
        session.reset(3)
        session.consumed(1, bytes: initialWindow, at: .zero)
        session.ping(at: .zero)
        session.goAway()
        #expect(
            session.allFrames(maximumPayload: 5) == [
                ping(9, .ack), ping(0, .syn), goAway(0), data(3, 0, .rst), update(1, UInt32(initialWindow), .ack),
                update(ours, 0, .syn), data(1, 5), data(1, 5),
            ])
    }

    // MARK: Receiving

    @Test func creditComesAtHalfTheWindow() throws {
        var session = YamuxSession.quiet(.client)
        let id = try session.openAcknowledged()
        try session.take(data(id, initialWindow))
        session.consumed(id, bytes: initialWindow / 2 - 1, at: .zero)
        #expect(!session.hasOutput)
        session.consumed(id, bytes: 1, at: .zero)
        #expect(session.hasOutput)
        // What is taken before the frame is built goes with it.
        session.consumed(id, bytes: 10, at: .zero)
        #expect(session.allFrames() == [update(id, UInt32(initialWindow / 2 + 10))])
        #expect(session.statistics.windowUpdatesSent == 1)
        try session.take(data(id, initialWindow / 2 + 10))
        #expect(throws: YamuxError.self) { try session.take(data(id, 1)) }
    }

    /// A session whose round trip is 100 ms, with a stream that the peer opened.
    private func tuned(_ configure: (inout YamuxConfiguration) -> Void = { _ in }) throws -> YamuxSession {
        var session = YamuxSession.quiet(.server, configure)
        session.ping(at: .zero)
        _ = session.allFrames()
        try session.take(ping(0, .ack), at: .zero + .milliseconds(100))
        #expect(session.roundTrip == .milliseconds(100))
        return session
    }

    /// Sends and reads a whole window, and gives the credit for it.
    private func cycle(_ session: inout YamuxSession, _ id: YamuxStreamID, at now: Instant) throws -> Int {
        let window = session.receiveWindow(id)
        var rest = window
        while rest > 0 {
            try session.take(data(id, min(rest, 1 << 20)), at: now)
            session.consumed(id, bytes: min(rest, 1 << 20), at: now)
            rest -= min(rest, 1 << 20)
        }
        return session.allFrames(at: now).reduce(0) { $0 + Int($1.length) }
    }

    @Test func aWindowReadWithinFourRoundTripsDoublesToItsBound() throws {
        var session = try tuned { $0.maximumWindow = 3 * initialWindow }
        try session.take(update(1, 0, .syn))
        var now = Instant.zero + .milliseconds(399)
        #expect(try cycle(&session, 1, at: now) == 2 * initialWindow)
        #expect(session.receiveWindow(1) == 2 * initialWindow)
        now = now + .milliseconds(400)
        #expect(try cycle(&session, 1, at: now) == 2 * initialWindow, "a reader this slow needs no more")
        now = now + .milliseconds(100)
        _ = try cycle(&session, 1, at: now)
        #expect(session.receiveWindow(1) == 3 * initialWindow)
        _ = try cycle(&session, 1, at: now)
        #expect(session.receiveWindow(1) == 3 * initialWindow)
    }

    @Test func windowsGrowAsFarAsTheDriverAllows() throws {
        var session = try tuned { $0.asksBeforeGrowth = true }
        for id: YamuxStreamID in [1, 3] { try session.take(update(id, 0, .syn)) }
        #expect(try cycle(&session, 1, at: .zero) == initialWindow)
        #expect(session.allEvents() == [.growthWanted(initialWindow)])
        // It is asked once; the streams go on meanwhile.
        for id: YamuxStreamID in [1, 3, 1, 3] { #expect(try cycle(&session, id, at: .zero) == initialWindow) }
        #expect(session.allEvents().isEmpty && session.windowGrowth == 0)
        // A part of a doubling is taken, and the rest asked for.
        session.allowGrowth(to: 100_000)
        _ = try cycle(&session, 1, at: .zero)
        #expect(session.receiveWindow(1) == initialWindow + 100_000 && session.windowGrowth == 100_000)
        guard case .growthWanted(let more)? = session.allEvents().first else {
            Issue.record("no more was asked for")
            return
        }
        #expect(more >= initialWindow - 100_000)
        // After a no there is a pause.
        session.refuseGrowth(until: .seconds(5))
        for _ in 0..<4 { _ = try cycle(&session, 3, at: .seconds(4)) }
        #expect(session.allEvents().isEmpty && session.receiveWindow(3) == initialWindow)
        _ = try cycle(&session, 3, at: .seconds(5))
        _ = try cycle(&session, 3, at: .seconds(5))
        #expect(session.allEvents() == [.growthWanted(initialWindow)])
        session.reset(1)
        #expect(session.windowGrowth == 0)
    }

    @Test func withoutARoundTripWindowsStay() throws {
        var session = YamuxSession.quiet(.server)
        try session.take(update(1, 0, .syn))
        #expect(try cycle(&session, 1, at: .zero) == initialWindow)
        #expect(session.receiveWindow(1) == initialWindow)
    }

    @Test func theSessionBoundsGrowth() throws {
        var session = try tuned { $0.sessionWindow = 5 * initialWindow }
        for id: YamuxStreamID in [1, 3] { try session.take(update(id, 0, .syn)) }
        for _ in 0..<4 {
            _ = try cycle(&session, 1, at: .zero)
            _ = try cycle(&session, 3, at: .zero)
        }
        #expect(session.receiveWindow(1) + session.receiveWindow(3) == 5 * initialWindow)
        #expect(session.receiveWindow(3) >= 2 * initialWindow)

        // New streams get theirs all the same, and the grown ones give way.
        for id: YamuxStreamID in [5, 7, 9] { try session.take(update(id, 0, .syn)) }
        #expect(session.receiveWindow(9) == initialWindow)
        for _ in 0..<4 {
            _ = try cycle(&session, 1, at: .zero)
            _ = try cycle(&session, 3, at: .zero)
        }
        let sum = [1, 3, 5, 7, 9].reduce(0) { $0 + session.receiveWindow(YamuxStreamID(rawValue: $1)) }
        #expect(sum <= 5 * initialWindow)
        // Each still moves.
        for id: YamuxStreamID in [1, 3, 5, 7, 9] { #expect(try cycle(&session, id, at: .zero) > 0) }
    }

    // MARK: Hashing

    @Test func equalHistoriesAreEqualStates() throws {
        var first = YamuxSession.quiet(.client)
        var second = first
        for _ in 0..<20 {
            let id = try first.openAcknowledged()
            first.reset(id)
            _ = first.allFrames()
            let same = try second.openAcknowledged()
            #expect(first != second)
            second.reset(same)
            _ = second.allFrames()
            #expect(first == second && first.hashValue == second.hashValue)
        }
    }
}
