import OxbowCore
import OxbowMux
import Testing

@Suite struct YamuxStreamTests {
    // MARK: Opening

    @Test func clientsCountOddServersEven() throws {
        var client = YamuxSession.quiet(.client)
        var server = YamuxSession.quiet(.server)
        #expect(try [client.open(at: .zero), client.open(at: .zero)] == [1, 3])
        #expect(try [server.open(at: .zero), server.open(at: .zero)] == [2, 4])
        #expect(client.streamCount == 2 && client.outboundStreamCount == 2 && client.inboundStreamCount == 0)
        #expect(!client.isIdle && client.isOpen(1) && !client.isOpen(5))
    }

    @Test func synGoesOutBeforeDataInAFrameOfItsOwn() throws {
        var session = YamuxSession.quiet(.client)
        let id = try session.open(at: .zero)
        session.setPending(id, bytes: 10)
        #expect(session.hasOutput)
        #expect(session.allFrames() == [update(1, 0, .syn), data(1, 10)])
        #expect(session.sendWindow(id) == initialWindow - 10)
    }

    @Test func ackGoesOutOnceTheApplicationTakesTheStream() throws {
        var session = YamuxSession.quiet(.server)
        #expect(try session.take(update(1, 0, .syn)) == [.streamOpened(1)])
        #expect(session.allFrames() == [])
        session.accept(1)
        session.accept(1)
        #expect(session.allFrames() == [update(1, 0, .ack)])
        #expect(session.statistics.streamsAccepted == 1)
    }

    @Test(arguments: ["write", "finish", "abandon", "credit"]) func useAccepts(_ use: String) throws {
        var session = YamuxSession.quiet(.server)
        try session.take(data(1, initialWindow, .syn))
        switch use {
        case "write": session.setPending(1, bytes: 1)
        case "finish": session.finish(1)
        case "abandon": session.abandon(1, at: .zero)
        default: session.consumed(1, bytes: initialWindow, at: .zero)
        }
        let frames = session.allFrames()
        #expect(frames.first?.flags == .ack && frames.first?.type == .windowUpdate)
        #expect(frames.count { $0.flags.contains(.ack) } == 1)
    }

    @Test(arguments: [update(1, 0, .ack), data(1, 0, .ack), data(1, 5), update(1, 7), data(1, 0, .fin)])
    func anyAnswerAcknowledges(_ header: YamuxFrameHeader) throws {
        var session = YamuxSession.quiet(.client) { $0.acceptBacklog = 1 }
        _ = try session.open(at: .zero)
        #expect(session.isBacklogFull)
        #expect(throws: YamuxOpenError.backlogFull) { try session.open(at: .zero) }
        _ = session.allFrames()
        #expect(try session.take(header).first == .acknowledged(1))
        #expect(!session.isBacklogFull)
        #expect(try session.take(update(1, 0, .ack)) == [])
        #expect(try session.open(at: .zero) == 3)
    }

    @Test func aFullBacklogIsNothingToWaitForBehindAGoAway() throws {
        var session = YamuxSession.quiet(.client) { $0.acceptBacklog = 1 }
        _ = try session.open(at: .zero)
        #expect(session.isBacklogFull)
        _ = try session.take(YamuxFrameHeader(type: .goAway, streamID: .session, length: 0))
        #expect(!session.isBacklogFull)
        #expect(throws: YamuxOpenError.remoteGoAway(0)) { try session.open(at: .zero) }
    }

    @Test func openingIsBounded() throws {
        var session = YamuxSession.quiet(.client) { $0.maximumOutboundStreams = 2 }
        _ = try session.open(at: .zero)
        let second = try session.open(at: .zero)
        #expect(throws: YamuxOpenError.tooManyStreams) { try session.open(at: .zero) }
        session.reset(second)
        #expect(try session.open(at: .zero) == 5)
    }

    @Test func resetFreesTheBacklog() throws {
        var session = YamuxSession.quiet(.client) { $0.acceptBacklog = 1 }
        let id = try session.open(at: .zero)
        _ = session.allFrames()
        session.reset(id)
        #expect(try session.open(at: .zero) == 3)
        _ = session.allFrames()
        try session.take(update(3, 0, .rst))
        #expect(try session.open(at: .zero) == 5)
    }

    @Test func aStreamResetBeforeItsSYNLeavesNoTrace() throws {
        var session = YamuxSession.quiet(.client)
        let id = try session.open(at: .zero)
        session.setPending(id, bytes: 5)
        session.reset(id, code: 9)
        #expect(session.allFrames() == [])
        #expect(session.isIdle)
    }

    // MARK: Ending

    @Test func finRidesOnTheLastData() throws {
        var session = YamuxSession.quiet(.client)
        let id = try session.openAcknowledged()
        session.setPending(id, bytes: 30)
        session.finish(id)
        #expect(session.allFrames(maximumPayload: 20) == [data(id, 20), data(id, 10, .fin)])
        session.finish(id)
        session.setPending(id, bytes: 0)
        #expect(session.allFrames() == [])
    }

    @Test func finWithNothingPendingIsAnEmptyFrame() throws {
        var session = YamuxSession.quiet(.client)
        let id = try session.openAcknowledged()
        session.finish(id)
        #expect(session.allFrames() == [data(id, 0, .fin)])
    }

    /// A migration takes the writes away and ends the source (SM-M4): it may never wait for the source's window.
    @Test func finGoesAtOnceWhenPendingIsTakenAwayFromAClosedWindow() throws {
        var session = YamuxSession.quiet(.client)
        let id = try session.openAcknowledged()
        session.setPending(id, bytes: initialWindow + 1000)
        _ = session.allFrames()
        #expect(session.sendWindow(id) == 0 && !session.hasOutput)
        session.setPending(id, bytes: 0)
        session.finish(id)
        #expect(session.hasOutput)
        #expect(session.allFrames() == [data(id, 0, .fin)])
    }

    @Test func finWaitsForWhatIsPendingBehindAClosedWindow() throws {
        var session = YamuxSession.quiet(.client)
        let id = try session.openAcknowledged()
        session.setPending(id, bytes: initialWindow + 10)
        session.finish(id)
        let frames = session.allFrames()
        #expect(frames.allSatisfy { !$0.flags.contains(.fin) })
        try session.take(update(id, 100))
        #expect(session.allFrames() == [data(id, 10, .fin)])
        #expect(session.sendWindow(id) == 90)
    }

    @Test func pendingMayBeLowered() throws {
        var session = YamuxSession.quiet(.client)
        let id = try session.openAcknowledged()
        session.setPending(id, bytes: 100)
        session.setPending(id, bytes: 0)
        #expect(!session.hasOutput)
        session.setPending(id, bytes: 7)
        #expect(session.allFrames() == [data(id, 7)])
    }

    @Test func bothFINsCloseOursFirst() throws {
        var session = YamuxSession.quiet(.client)
        let id = try session.openAcknowledged()
        session.finish(id)
        _ = session.allFrames()
        #expect(session.allEvents() == [])
        // Half-closed: it still reads, and gives credit for it.
        try session.take(data(id, initialWindow))
        session.consumed(id, bytes: initialWindow, at: .zero)
        #expect(session.allFrames() == [update(id, UInt32(initialWindow))])
        #expect(try session.take(data(id, 3, .fin)) == [.finRead(id), .streamClosed(id)])
        #expect(session.isIdle)
    }

    @Test func bothFINsCloseTheirsFirst() throws {
        var session = YamuxSession.quiet(.client)
        let id = try session.openAcknowledged()
        #expect(try session.take(update(id, 0, .fin)) == [.finRead(id)])
        session.setPending(id, bytes: 5)
        #expect(session.allFrames() == [data(id, 5)])
        try session.take(update(id, 5))
        session.finish(id)
        #expect(session.allFrames() == [data(id, 0, .fin)])
        #expect(session.allEvents() == [.streamClosed(id)])
        #expect(session.isIdle)
    }

    @Test func oneFrameMayOpenAndEnd() throws {
        var session = YamuxSession.quiet(.server)
        #expect(try session.take(data(1, 4, [.syn, .fin])) == [.streamOpened(1), .finRead(1)])
        #expect(try session.take(data(3, 0, [.syn, .fin])) == [.streamOpened(3), .finRead(3)])
        #expect(session.streamCount == 2)
    }

    @Test func finIsReadBehindTheBody() throws {
        var session = YamuxSession.quiet(.server)
        try session.receive(data(1, 10, [.syn, .fin]), at: .zero)
        #expect(session.allEvents() == [.streamOpened(1)])
        #expect(session.pendingBody == YamuxBody(disposition: .deliver(1), remaining: 10))
        #expect(session.receiveBody(0, at: .zero) == .deliver(1, count: 0, endOfFrame: false))
        #expect(session.receiveBody(4, at: .zero) == .deliver(1, count: 4, endOfFrame: false))
        #expect(session.allEvents() == [])
        #expect(session.receiveBody(400, at: .zero) == .deliver(1, count: 6, endOfFrame: true))
        #expect(session.allEvents() == [.finRead(1)])
        #expect(session.pendingBody == nil)
    }

    @Test func noCreditBehindAFIN() throws {
        var session = YamuxSession.quiet(.server)
        try session.take(data(1, initialWindow, [.syn, .fin]))
        session.accept(1)
        _ = session.allFrames()
        session.consumed(1, bytes: initialWindow, at: .zero)
        #expect(session.allFrames() == [])
    }

    // MARK: Reset

    @Test(arguments: [
        (YamuxResetCode.none, data(1, 0, .rst)),
        (YamuxResetCode.protocolViolation, update(1, YamuxResetCode.protocolViolation, .rst)),
    ]) func ourResetGoesOutOnce(_ code: UInt32, _ frame: YamuxFrameHeader) throws {
        var session = YamuxSession.quiet(.client)
        let id = try session.openAcknowledged()
        session.setPending(id, bytes: 500)
        session.reset(id, code: code)
        session.reset(id, code: code)
        #expect(session.hasOutput && session.isIdle)
        #expect(session.allFrames() == [frame])
        #expect(session.allEvents() == [])
        #expect(session.statistics.resetsSent == 1)
    }

    @Test func aResetEndsTheDeliveryOfABody() throws {
        var session = YamuxSession.quiet(.server)
        try session.receive(data(1, 10, [.syn, .fin]), at: .zero)
        _ = session.receiveBody(4, at: .zero)
        session.reset(1)
        #expect(session.pendingBody == YamuxBody(disposition: .discard, remaining: 6))
        #expect(session.receiveBody(6, at: .zero) == .discard(count: 6, endOfFrame: true))
        #expect(session.allEvents() == [.streamOpened(1)])
        #expect(session.statistics.bytesDiscarded == 6)
    }

    @Test(arguments: [
        (update(1, 77, .rst), UInt32?(77)), (update(1, 0, .rst), UInt32?(0)), (data(1, 0, .rst), nil),
        (data(1, 9, .rst), nil), (update(1, .max, [.rst, .fin, .ack]), UInt32?(.max)),
    ]) func theirResetEndsTheStream(_ header: YamuxFrameHeader, _ code: UInt32?) throws {
        var session = YamuxSession.quiet(.client)
        let id = try session.open(at: .zero)
        session.setPending(id, bytes: 9)
        #expect(session.nextFrame(maximumPayload: 100, at: .zero)?.header == update(1, 0, .syn))
        #expect(try session.take(header) == [.streamReset(id, code: code, byPeer: true)])
        #expect(session.isIdle && session.allFrames() == [])
    }

    @Test func callsWithADeadStreamDoNothing() throws {
        var session = YamuxSession.quiet(.client)
        let id = try session.openAcknowledged()
        try session.take(update(id, 0, .rst))
        session.setPending(id, bytes: 5)
        session.finish(id)
        session.accept(id)
        session.consumed(id, bytes: 5, at: .zero)
        session.abandon(id, at: .zero)
        session.reset(id)
        #expect(session.allFrames() == [])
        #expect(session.sendWindow(id) == 0 && session.receiveWindow(id) == 0)
    }

    // MARK: GoAway

    @Test func theirGoAwayEndsOpening() throws {
        var session = YamuxSession.quiet(.client)
        let known = try session.openAcknowledged()
        let unheard = try session.open(at: .zero)
        session.setPending(unheard, bytes: 4)
        #expect(
            try session.take(goAway(2)) == [.goAway(2), .streamUnopened(unheard)])
        #expect(throws: YamuxOpenError.remoteGoAway(2)) { try session.open(at: .zero) }
        #expect(session.remoteGoAway == 2)
        session.setPending(known, bytes: 5)
        #expect(session.allFrames() == [data(known, 5)])
        #expect(try session.take(goAway(0)) == [])
    }

    @Test func ourGoAwayRefusesNewStreamsAndKeepsOldOnes() throws {
        var session = YamuxSession.quiet(.server)
        try session.take(update(1, 0, .syn))
        session.goAway()
        session.goAway(code: 2)
        #expect(session.allFrames() == [goAway(0)])
        #expect(throws: YamuxOpenError.localGoAway) { try session.open(at: .zero) }
        #expect(try session.take(data(3, 100, .syn)) == [])
        #expect(session.allFrames() == [update(3, YamuxResetCode.shutdown, .rst)])
        session.setPending(1, bytes: 5)
        #expect(session.allFrames() == [update(1, 0, .ack), data(1, 5)])
        #expect(session.localGoAway == 0)
    }

    // MARK: Abandoned streams

    @Test func anAbandonedStreamFlushesDiscardsAndTimesOut() throws {
        var session = YamuxSession.quiet(.client)
        let id = try session.openAcknowledged()
        session.setPending(id, bytes: 10)
        session.abandon(id, at: .zero)
        session.abandon(id, at: .seconds(100))
        #expect(session.allFrames() == [data(id, 10, .fin)])
        try session.receive(data(id, initialWindow), at: .zero)
        #expect(session.pendingBody?.disposition == .discard)
        _ = session.receiveBody(initialWindow, at: .zero)
        session.consumed(id, bytes: initialWindow, at: .zero)
        #expect(session.allFrames() == [], "what nobody reads earns no credit")
        #expect(session.nextDeadline == .seconds(300))
        try session.tick(at: .seconds(299))
        #expect(session.isOpen(id))
        try session.tick(at: .seconds(300))
        #expect(session.allEvents() == [.streamClosed(id)])
        #expect(session.allFrames() == [data(id, 0, .rst)])
        #expect(session.nextDeadline == nil)
    }

    @Test func anAbandonedStreamClosesOnThePeersFIN() throws {
        var session = YamuxSession.quiet(.client)
        let first = try session.openAcknowledged()
        let second = try session.openAcknowledged()
        session.abandon(first, at: .seconds(1))
        session.abandon(second, at: .seconds(2))
        _ = session.allFrames()
        #expect(try session.take(data(first, 10, .fin)) == [.finRead(first), .streamClosed(first)])
        #expect(session.nextDeadline == .seconds(302))
        #expect(try session.take(update(second, 0, .rst)).count == 1)
        #expect(session.nextDeadline == nil)
    }

    @Test func abandoningInTheMiddleOfABodyDiscardsTheRest() throws {
        var session = YamuxSession.quiet(.server)
        try session.receive(data(1, 10, [.syn, .fin]), at: .zero)
        #expect(session.receiveBody(4, at: .zero) == .deliver(1, count: 4, endOfFrame: false))
        session.abandon(1, at: .zero)
        #expect(session.receiveBody(6, at: .zero) == .discard(count: 6, endOfFrame: true))
        _ = session.allFrames()
        #expect(session.allEvents() == [.streamOpened(1), .finRead(1), .streamClosed(1)])
    }
}
