import OxbowCore
import OxbowMux
import Testing

@Suite struct YamuxClockTests {
    @Test func aPingGoesOutAtOnceAndMeasures() throws {
        var session = YamuxSession(role: .client, now: .seconds(5))
        #expect(session.hasOutput && session.roundTrip == nil)
        #expect(session.allFrames(at: .seconds(6)) == [ping(0, .syn)])
        session.ping(at: .seconds(6))
        #expect(session.allFrames() == [], "one is on its way")
        #expect(try session.take(ping(1, .ack), at: .seconds(7)) == [], "not our value")
        #expect(try session.take(ping(0, .ack), at: .seconds(8)) == [.roundTrip(.seconds(2))])
        #expect(try session.take(ping(0, .ack), at: .seconds(8)) == [], "answered already")
        #expect(session.nextDeadline == .seconds(35))
        try session.tick(at: .seconds(34))
        #expect(!session.hasOutput)
        try session.tick(at: .seconds(35))
        #expect(session.allFrames(at: .seconds(35)) == [ping(1, .syn)])
        #expect(try session.take(ping(1, .ack), at: .seconds(36)) == [.roundTrip(.seconds(1))])
        #expect(session.roundTrip == .milliseconds(1500))
    }

    @Test func silenceEndsTheSession() throws {
        var session = YamuxSession(role: .server, now: .zero)
        _ = session.allFrames()
        #expect(session.nextDeadline == .seconds(10))
        // What arrives shows that the peer lives, though its answer is late.
        try session.take(data(1, 100, .syn), at: .seconds(4))
        #expect(session.nextDeadline == .seconds(14))
        try session.receive(data(1, 100), at: .seconds(5))
        _ = session.receiveBody(100, at: .seconds(6))
        try session.tick(at: .seconds(15))
        #expect(session.nextDeadline == .seconds(16))
        #expect(throws: YamuxError.pingTimeout) { try session.tick(at: .seconds(16)) }
        #expect(session.failure == .pingTimeout && session.nextDeadline == nil)
        #expect(session.allFrames() == [goAway(YamuxGoAwayCode.internalError)])
    }

    /// A driver that can't write for so long has a peer that doesn't read.
    @Test func aPingThatCannotBeWrittenTimesOutToo() {
        var session = YamuxSession(role: .server, now: .zero)
        #expect(session.nextDeadline == .seconds(10))
        #expect(throws: YamuxError.pingTimeout) { try session.tick(at: .seconds(10)) }
    }

    @Test func withoutKeepAliveNothingIsDue() throws {
        var session = YamuxSession.quiet(.client)
        #expect(session.nextDeadline == nil && !session.hasOutput)
        session.ping(at: .seconds(1))
        #expect(session.allFrames(at: .seconds(2)) == [ping(0, .syn)])
        #expect(session.nextDeadline == .seconds(12))
        try session.take(ping(0, .ack), at: .seconds(1))
        #expect(session.roundTrip == .zero, "a clock that went back measures nothing")
        #expect(session.nextDeadline == nil)
    }

    @Test func theirPingsAreAnswered() throws {
        var session = YamuxSession.quiet(.client)
        try session.take(ping(7, .syn))
        try session.take(ping(8, [.syn, .ack]))
        try session.take(ping(9, []))
        #expect(session.allFrames() == [ping(7, .ack), ping(8, .ack)])
    }

    @Test func waitingAnswersAreBounded() throws {
        var session = YamuxSession.quiet(.client) { $0.maximumQueuedPongs = 2 }
        for value: UInt32 in 1...5 { try session.take(ping(value, .syn)) }
        #expect(session.allFrames() == [ping(4, .ack), ping(5, .ack)])
    }
}
