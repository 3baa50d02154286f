import OxbowCore
import OxbowSeeds
import Testing

@testable import OxbowMux

/// What a hostile peer can do a million times (a hundred thousand in a slow debug build): it is cut off, or it costs
/// nothing that stays.
@Suite struct YamuxFloodTests {
    #if DEBUG
    static let many = 100_000
    #else
    static let many = 1_000_000
    #endif

    /// Feeds headers until the session fails, ``many`` at most.
    private func flood(
        _ session: inout YamuxSession, _ step: Duration = .zero, _ header: (Int) -> YamuxFrameHeader
    ) -> (count: Int, error: YamuxError?) {
        var now = Instant.zero
        for count in 0..<Self.many {
            do throws(YamuxError) {
                try session.receive(header(count), at: now)
            } catch {
                return (count, error)
            }
            if let body = session.pendingBody { _ = session.receiveBody(body.remaining, at: now) }
            while session.nextEvent() != nil {}
            now = now + step
        }
        return (Self.many, nil)
    }

    private func inbound(_ index: Int) -> YamuxStreamID {
        YamuxStreamID(rawValue: UInt32(2 * index + 1))
    }

    private func expectSmall(_ session: YamuxSession, sourceLocation: SourceLocation = #_sourceLocation) {
        session.assertInvariants()
        #expect(session.streams.isEmpty, sourceLocation: sourceLocation)
        #expect(session.inboundIDs.skipped.count <= 256, sourceLocation: sourceLocation)
        #expect(session.resets.count <= 10_000 && session.pongs.count <= 64, sourceLocation: sourceLocation)
        let queued =
            session.controlQueue.ring.count + session.dataQueue.ring.count + session.abandonedQueue.ring.count
        #expect(queued <= 100, sourceLocation: sourceLocation)
    }

    /// CVE-2023-44487 in one frame.
    @Test func openedAndResetAtOnce() {
        var session = YamuxSession.quiet(.server)
        let result = flood(&session) { update(inbound($0), 0, [.syn, .rst]) }
        #expect(result.count == 200 && result.error == .tooMany(.resets))
        expectSmall(session)
    }

    /// CVE-2023-44487 in two frames.
    @Test func openedThenReset() {
        var session = YamuxSession.quiet(.server)
        let result = flood(&session) { update(inbound($0 / 2), 0, $0 % 2 == 0 ? .syn : .rst) }
        #expect(result.count == 401 && result.error == .tooMany(.resets))
        expectSmall(session)
    }

    @Test func resetsAtABearablePaceLeaveNothing() {
        var session = YamuxSession.quiet(.server)
        let result = flood(&session, .milliseconds(150)) { update(inbound($0), 0, [.syn, .rst]) }
        #expect(result.count == Self.many)
        expectSmall(session)
        #expect(!session.hasOutput && session.strayBytes == 0)
    }

    /// CVE-2025-8671: we are made to send the resets.
    @Test func refusedStreams() {
        var session = YamuxSession.quiet(.server) { $0.maximumInboundStreams = 0 }
        let result = flood(&session) { update(inbound($0), 0, .syn) }
        #expect(result.count == 200 && result.error == .tooMany(.streamErrors))
        expectSmall(session)
    }

    @Test func windowsThatOverflow() {
        var session = YamuxSession.quiet(.server)
        let result = flood(&session) { update(inbound($0 / 2), $0 % 2 == 0 ? 0 : .max, $0 % 2 == 0 ? .syn : []) }
        #expect(result.count == 401 && result.error == .tooMany(.streamErrors))
        expectSmall(session)
    }

    /// CVE-2024-32984: refusals that the peer doesn't read.
    @Test func refusedStreamsAtABearablePaceUnread() {
        var session = YamuxSession.quiet(.server) {
            $0.maximumInboundStreams = 0
            $0.maximumQueuedResets = 1000
        }
        let result = flood(&session, .milliseconds(150)) { update(inbound($0), 0, .syn) }
        #expect(result.count == 1000 && result.error == .tooMany(.unreadResets))
    }

    @Test func emptyData() throws {
        var session = YamuxSession.quiet(.server)
        try session.take(update(1, 0, .syn))
        for header in [data(1), update(1), data(1, 0, .ack), goAway(0)] {
            var one = session
            let result = flood(&one) { _ in header }
            #expect(result.count <= 65 && result.error == .tooMany(.emptyFrames))
        }
        // A frame of use in between, and they are forgiven.
        let mixed = flood(&session) { $0 % 64 == 63 ? update(1, 1) : data(1) }
        #expect(mixed.count == Self.many)
    }

    @Test func emptyDataForClosedStreams() {
        var session = YamuxSession.quiet(.server)
        let result = flood(&session) { _ in data(1) }
        #expect(result.count == 200 && result.error == .tooMany(.streamErrors))
    }

    @Test func dataForStreamsThatNeverWere() {
        var session = YamuxSession.quiet(.server)
        let result = flood(&session) { data(inbound($0), 1000) }
        #expect(result.count == 200 && result.error == .tooMany(.streamErrors))
        #expect(session.statistics.bytesDiscarded == 200_000)
    }

    /// What was on the way when we reset a stream is nobody's fault, in however small frames it comes.
    @Test func dataOnTheWayToAResetStreamIsFree() throws {
        var session = YamuxSession.quiet(.server)
        try session.take(update(1, 0, .syn))
        session.reset(1)
        for _ in 0..<initialWindow / 64 { try session.take(data(1, 64)) }
        for _ in 0..<64 { try session.take(update(1, 100)) }
        #expect(session.strayBytes == 0 && session.strayFrames == 0)
        let result = flood(&session) { _ in data(1, 64) }
        #expect(result.count == 200 && result.error == .tooMany(.streamErrors))
    }

    @Test func pings() {
        var session = YamuxSession.quiet(.server)
        let result = flood(&session) { ping(UInt32($0), .syn) }
        #expect(result.count == 1000 && result.error == .tooMany(.pings))
        var slow = YamuxSession.quiet(.server)
        let tolerated = flood(&slow, .milliseconds(30)) { ping(UInt32($0), $0 % 2 == 0 ? .syn : .ack) }
        #expect(tolerated.count == Self.many && slow.pongs.count == 64)
    }

    @Test func lateStreamsAfterGoAway() {
        var session = YamuxSession.quiet(.server)
        session.goAway()
        let result = flood(&session) { update(inbound($0), 0, .syn) }
        #expect(result.count == 456 && result.error == .tooMany(.streamErrors))
    }

    @Test func manyStreamsOfOursLeaveNothing() throws {
        var session = YamuxSession.quiet(.client)
        for index in 0..<Self.many {
            let id = try session.open(at: .zero)
            session.finish(id)
            if index % 3 == 0 { session.abandon(id, at: .zero) }
            while session.nextFrame(maximumPayload: 100, at: .zero) != nil {}
            try session.receive(update(id, 0, [.ack, .fin]), at: .zero)
            while session.nextEvent() != nil {}
        }
        expectSmall(session)
        #expect(session.isIdle && session.statistics.streamsOpened == Self.many)
        #expect(session.strayFrames <= YamuxSession.maximumStrayFrames && session.strayBytes == 0)
    }

    @Test func streamsThatEndUnsentLeaveNothing() throws {
        var session = YamuxSession.quiet(.server)
        let lasting = try session.openAcknowledged()
        session.setPending(lasting, bytes: 10)
        for index in 0..<Self.many / 10 {
            let id = try session.open(at: .zero)
            session.setPending(id, bytes: 5)
            if index % 2 == 0 { session.abandon(id, at: .zero) }
            session.reset(id)
        }
        session.assertInvariants()
        #expect(session.streams.count == 1)
        #expect(session.controlQueue.ring.count <= 34 && session.dataQueue.ring.count <= 34)
        #expect(session.allFrames() == [data(lasting, 10)])
    }

    @Test func idsRunOutWithAnError() throws {
        var session = YamuxSession.quiet(.client)
        session.nextID = UInt64(UInt32.max)
        #expect(try session.open(at: .zero).rawValue == .max)
        #expect(throws: YamuxOpenError.streamIDsExhausted) { try session.open(at: .zero) }
        var server = YamuxSession.quiet(.server)
        server.nextID = UInt64(UInt32.max) - 1
        _ = try server.open(at: .zero)
        #expect(throws: YamuxOpenError.streamIDsExhausted) { try server.open(at: .zero) }
    }
}

@Suite struct YamuxPartsTests {
    @Test func aRingIsAQueueHoweverItTurns() {
        var ring = Ring<Int>()
        var model: [Int] = []
        var randomness = SplitMix64(seed: 3)
        for step in 0..<5000 {
            if Int.random(in: 0..<100, using: &randomness) < 52 {
                ring.append(step)
                model.append(step)
            } else {
                #expect(ring.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
            }
            #expect(ring.count == model.count && ring.first == model.first)
        }
        var fresh = Ring<Int>()
        for element in model { fresh.append(element) }
        #expect(fresh == ring && fresh.hashValue == ring.hashValue)
        ring.filter { $0 % 2 == 0 }
        #expect(ring != fresh)
        var kept: [Int] = []
        ring.forEach { kept.append($0) }
        #expect(kept == model.filter { $0 % 2 == 0 })
        ring.append(-1)
        fresh.removeAll()
        #expect(fresh.isEmpty && fresh.first == nil)
    }

    @Test func ringsOfOneLengthDifferByTheirElements() {
        var first = Ring<Int>()
        var second = Ring<Int>()
        first.append(1)
        second.append(2)
        #expect(first != second)
    }

    @Test func aRateLimitAllowsABurstAndThenItsRate() {
        var limiter = RateLimiter(YamuxRateLimit(count: 10, period: .seconds(10)), at: .zero)
        let seconds = Array(repeating: 1, count: 11) + [2, 2] + Array(repeating: 100, count: 11)
        let admitted = seconds.map { limiter.admit(at: .seconds($0)) }
        let tenAndOneMore = Array(repeating: true, count: 10) + [false]
        #expect(admitted == tenAndOneMore + [true, false] + tenAndOneMore)
    }

    @Test func usedIDsAgreeWithASet() {
        var ids = InboundIDs(bound: 50)
        var used: Set<UInt32> = []
        var randomness = SplitMix64(seed: 4)
        for _ in 0..<2000 {
            let lowest = max(0, Int(ids.highest) / 2 - 20)
            let id = UInt32(2 * Int.random(in: lowest...Int(ids.highest) / 2 + 3, using: &randomness) + 1)
            // In this range nothing was forgotten, so that the bounded memory knows all.
            #expect(ids.isUnused(id) == !used.contains(id))
            if ids.isUnused(id) {
                ids.use(id)
                used.insert(id)
            }
            #expect(ids.skipped.count <= 50 && ids.skipped == ids.skipped.sorted())
        }
    }
}
