import OxbowCore
import OxbowMux
import Testing

@Suite struct YamuxViolationTests {
    /// A session in which each kind of stream exists: 1 and 3 are the peer's, 2 and 4 ours; 3 and 4 are half-closed by
    /// the peer and by us; 5 and 6 are gone; 7 was never open.
    static func populated() throws -> YamuxSession {
        var session = YamuxSession.quiet(.server)
        let opened = try [session.open(at: .zero), session.open(at: .zero), session.open(at: .zero)]
        #expect(opened == [2, 4, 6])
        session.finish(4)
        try session.take(update(1, 0, .syn))
        try session.take(update(3, 0, [.syn, .fin]))
        try session.take(update(5, 0, .syn))
        _ = session.allFrames()
        session.reset(5)
        session.reset(6)
        _ = session.allFrames()
        return session
    }

    /// CVE-2026-32314, CVE-2026-31814: nothing traps, books stay right, and a refused header changes nothing else.
    @Test(arguments: [0, 1] as [UInt8], [0, 1, 2, 3, 4, 255] as [UInt8])
    func everyFlagsAndLengthAreJudged(_ version: UInt8, _ type: UInt8) throws {
        let start = try Self.populated()
        let ids: [YamuxStreamID] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xffff_ffff, 0xffff_fffe]
        let lengths: [UInt32] = [0, 1, 1 << 18, 1 << 18 + 1, 1 << 24, 1 << 24 + 1, .max - 1 << 18, .max]
        for flags in (0..<16 as Range<UInt16>).flatMap({ [$0, $0 | 0xfff0] }) {
            for id in ids {
                for length in lengths {
                    let header = YamuxFrameHeader(
                        version: version, type: YamuxFrameType(rawValue: type), flags: YamuxFlags(rawValue: flags),
                        streamID: id, length: length)
                    judge(header, from: start)
                }
            }
        }
    }

    private func judge(_ header: YamuxFrameHeader, from start: YamuxSession) {
        var session = start
        do throws(YamuxError) {
            try session.receive(header, at: .zero)
            session.assertInvariants()
        } catch {
            session.assertInvariants()
            #expect(session.failure == error && session.isIdle && session.pendingBody == nil)
            #expect(session.allEvents() == [], "\(header) was refused after it did something")
            #expect(session.allFrames() == [goAway(error.goAwayCode)])
            #expect(!error.description.isEmpty)
            return
        }
        #expect(header.version == 0 && header.type.rawValue < 4)
        if let body = session.pendingBody {
            #expect(header.type == .data && body.remaining == Int(header.length))
            if case .deliver = body.disposition { #expect(body.remaining <= initialWindow) }
            #expect(body.remaining <= YamuxConfiguration.maximumDataLength)
            _ = session.receiveBody(body.remaining, at: .zero)
        } else {
            #expect(header.type != .data || header.length == 0)
        }
        #expect(session.allEvents().count <= 4)
        #expect(session.allFrames().count <= 1)
    }

    private func expect(
        _ error: YamuxError, _ header: YamuxFrameHeader, code: UInt32 = YamuxGoAwayCode.protocolError,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var session = try Self.populated()
        #expect(throws: error, sourceLocation: sourceLocation) { try session.take(header) }
        #expect(throws: error, sourceLocation: sourceLocation) { try session.take(ping(1, .syn)) }
        #expect(session.allFrames() == [goAway(code)], sourceLocation: sourceLocation)
        #expect(throws: YamuxOpenError.failed(error), sourceLocation: sourceLocation) { try session.open(at: .zero) }
        session.goAway()
        session.ping(at: .zero)
        try session.tick(at: .seconds(1000))
        #expect(session.nextDeadline == nil && !session.hasOutput, sourceLocation: sourceLocation)
    }

    @Test func connectionErrors() throws {
        try expect(
            .unsupportedVersion(1), YamuxFrameHeader(version: 1, type: .data, streamID: 1, length: 0))
        try expect(
            .unknownFrameType(4),
            YamuxFrameHeader(type: YamuxFrameType(rawValue: 4), streamID: 1, length: 0))
        try expect(.wrongScope(data(0, 1)), data(0, 1))
        try expect(.wrongScope(update(0, 1, .syn)), update(0, 1, .syn))
        let strangePing = YamuxFrameHeader(type: .ping, flags: .syn, streamID: 1, length: 0)
        try expect(.wrongScope(strangePing), strangePing)
        let strangeGoAway = YamuxFrameHeader(type: .goAway, streamID: 1, length: 0)
        try expect(.wrongScope(strangeGoAway), strangeGoAway)
        try expect(.wrongParity(8), update(8, 0, .syn))
        try expect(.wrongParity(2), data(2, 0, .syn))
        try expect(.duplicateStream(1), update(1, 0, .syn))
        try expect(.reusedStream(5), update(5, 0, [.syn, .rst]))
        try expect(.frameTooLong(1 << 24 + 1), data(9, 1 << 24 + 1))
        try expect(
            .windowExceeded(7, length: 1 << 18 + 1, window: initialWindow), data(7, 1 << 18 + 1, .syn))
        try expect(.windowExceeded(1, length: 1 << 18 + 1, window: initialWindow), data(1, 1 << 18 + 1))
        try expect(
            .windowExceeded(1, length: 1 << 18 + 1, window: initialWindow), data(1, 1 << 18 + 1, .rst))
    }

    @Test func theWindowCountsWhatIsUnread() throws {
        var session = YamuxSession.quiet(.server)
        try session.take(data(1, 100_000, .syn))
        try session.take(data(1, initialWindow - 100_000))
        #expect(throws: YamuxError.windowExceeded(1, length: 1, window: 0)) { try session.take(data(1, 1)) }
    }

    @Test func unknownFlagsAreIgnored() throws {
        var session = try Self.populated()
        #expect(try session.take(data(1, 5, YamuxFlags(rawValue: 0xfff0))) == [])
        #expect(session.statistics.bytesReceived == 5 && session.statistics.bytesDiscarded == 0)
    }

    @Test func aWindowThatOverflowsResetsItsStream() throws {
        var session = try Self.populated()
        try session.take(update(1, .max - UInt32(initialWindow)))
        #expect(session.sendWindow(1) == Int(UInt32.max))
        let code = YamuxResetCode.protocolViolation
        #expect(try session.take(update(1, 1)) == [.streamReset(1, code: code, byPeer: false)])
        #expect(session.allFrames() == [update(1, code, .rst)])
        #expect(session.isOpen(2))
        #expect(try session.take(update(7, .max, .syn)) == [])
        #expect(session.allFrames() == [update(7, code, .rst)])
    }

    @Test func dataBehindAFINResetsItsStream() throws {
        var session = try Self.populated()
        let code = YamuxResetCode.protocolViolation
        try session.receive(data(3, 10, .fin), at: .zero)
        #expect(session.pendingBody == YamuxBody(disposition: .discard, remaining: 10))
        _ = session.receiveBody(10, at: .zero)
        #expect(session.allEvents() == [.streamReset(3, code: code, byPeer: false)])
        #expect(session.allFrames() == [update(3, code, .rst)])
    }

    // MARK: Too many streams

    @Test func aFullBacklogRefusesAndHarmsNobody() throws {
        var session = YamuxSession.quiet(.server) { $0.acceptBacklog = 2 }
        try session.take(update(1, 0, .syn))
        try session.take(update(3, 0, .syn))
        #expect(try session.take(data(5, 10, .syn)) == [])
        let code = YamuxResetCode.resourceLimitExceeded
        #expect(session.allFrames() == [update(5, code, .rst)])
        #expect(session.statistics.streamsRefused == 1 && session.statistics.bytesDiscarded == 10)
        // What was on the way to it is discarded.
        try session.take(data(5, initialWindow - 10))
        try session.take(update(5, 0, .fin))
        session.accept(1)
        #expect(try session.take(update(7, 0, .syn)) == [.streamOpened(7)])
        #expect(try session.take(data(1, 10)) == [])
        #expect(session.inboundStreamCount == 3)
    }

    @Test func tooManyInboundStreamsAreRefused() throws {
        var session = YamuxSession.quiet(.server) { $0.maximumInboundStreams = 1 }
        try session.take(update(1, 0, .syn))
        session.accept(1)
        #expect(try session.take(update(3, 0, .syn)) == [])
        #expect(session.allFrames().first == update(3, YamuxResetCode.resourceLimitExceeded, .rst))
        #expect(throws: YamuxError.reusedStream(3)) { try session.take(update(3, 0, .syn)) }
    }

    // MARK: SYNs out of order

    @Test func skippedIDsMayComeLaterOnce() throws {
        var session = YamuxSession.quiet(.server)
        #expect(try session.take(update(7, 0, .syn)) == [.streamOpened(7)])
        #expect(try session.take(update(3, 0, .syn)) == [.streamOpened(3)])
        #expect(try session.take(update(1, 0, .syn)) == [.streamOpened(1)])
        #expect(try session.take(update(5, 0, [.syn, .rst])) == [])
        #expect(throws: YamuxError.reusedStream(5)) { try session.take(update(5, 0, .syn)) }
    }

    @Test func onlySoManySkippedIDsAreRemembered() throws {
        var session = YamuxSession.quiet(.client) { $0.maximumSkippedIDs = 3 }
        try session.take(update(0xffff_fffe, 0, .syn))
        var other = session
        #expect(try session.take(update(0xffff_fff8, 0, .syn)) == [.streamOpened(0xffff_fff8)])
        #expect(throws: YamuxError.reusedStream(0xffff_fff6)) { try other.take(update(0xffff_fff6, 0, .syn)) }
    }

    @Test func errorsTellWhatHappened() {
        let openErrors: [YamuxOpenError] = [
            .backlogFull, .tooManyStreams, .streamIDsExhausted, .localGoAway, .remoteGoAway(2), .failed(.pingTimeout),
        ]
        #expect(Set(openErrors.map(\.description)).count == openErrors.count)
        #expect(openErrors.filter(\.isGoAway) == [.localGoAway, .remoteGoAway(2)], "another connection may take these")
        #expect(YamuxError.pingTimeout.description.contains("ping"))
        #expect(YamuxError.tooMany(.resets).description.contains("resets"))
        #expect(YamuxError.tooMany(.pings).goAwayCode == YamuxGoAwayCode.rateLimited)
        #expect(YamuxError.pingTimeout.goAwayCode == YamuxGoAwayCode.internalError)
    }
}
