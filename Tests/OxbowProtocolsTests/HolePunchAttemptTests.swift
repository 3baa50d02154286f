import OxbowCore
import OxbowProtocols
import OxbowWire
import Testing

/// The initiator's attempt (libp2p/specs, relay/DCUtR.md, "The Protocol").
@Suite struct HolePunchAttemptTests {
    private let peer: PeerID
    private let own: Multiaddr
    private let theirs: Multiaddr
    private let other: Multiaddr
    private let configuration = HolePunchConfiguration()

    init() throws {
        peer = try Punch.peer(1)
        own = try Multiaddr("/ip4/1.2.3.4/tcp/4001")
        theirs = try Multiaddr("/ip4/5.6.7.8/tcp/4001")
        other = try Multiaddr("/ip4/5.6.7.9/tcp/4001")
    }

    private func attempt(_ own: [Multiaddr]? = nil) -> HolePunchAttempt {
        HolePunchAttempt(with: peer, own: own ?? [self.own], configuration: configuration)
    }

    private var open: [HolePunchAction] { [.open(Punch.connect([own]))] }
    private let synced: [HolePunchAction] = [.send(Punch.sync), .closeStream]

    private func failed(_ failure: HolePunchFailure) -> [HolePunchAction] { [.cancelDials, .finish(.failed(failure))] }

    @Test("SYNC goes out with the answer, the dials half a round trip later, as the server")
    func exchange() {
        var attempt = attempt()
        #expect(attempt.start(announced: [], at: Punch.at(0)) == open)
        #expect(attempt.receive(Punch.connect([theirs, other]), at: Punch.at(80)) == synced)
        #expect(attempt.roundTrip == .milliseconds(80))
        #expect(attempt.nextEvent == Punch.at(120))
        #expect(attempt.tick(at: Punch.at(119)).isEmpty)
        #expect(attempt.tick(at: Punch.at(120)) == [.punch(theirs, .server), .punch(other, .server)])
        #expect(attempt.connected() == [.cancelDials, .finish(.upgraded(.punch))])
        #expect(attempt.nextEvent == nil && attempt.connected().isEmpty)
    }

    @Test("The answer may come in any pieces")
    func pieces() {
        everySplit(Punch.connect([theirs])) { pieces in
            var attempt = attempt()
            _ = attempt.start(announced: [], at: .zero)
            var (input, actions): (ArraySlice<UInt8>, [HolePunchAction]) = ([], [])
            for piece in pieces {
                input += piece
                actions += attempt.receive(&input, at: .zero)
            }
            #expect(actions == synced)
        }
    }

    @Test("Public addresses that the peer announces are dialled first; the exchange follows when all have failed")
    func directDial() throws {
        var attempt = attempt()
        let announced = [theirs, try Multiaddr("/ip4/10.0.0.1/tcp/4001"), other]
        #expect(attempt.start(announced: announced, at: .zero) == [.dial(theirs), .dial(other)])
        #expect(attempt.dialFailed(theirs, .unreachable, at: Punch.at(10)).isEmpty)
        #expect(attempt.dialFailed(other, .collided, at: Punch.at(20)) == open)
        #expect(attempt.tries == 1)
    }

    @Test("A direct dial that hangs is given up after its time")
    func directDialHangs() {
        var attempt = attempt()
        _ = attempt.start(announced: [theirs], at: .zero)
        #expect(attempt.tick(at: Punch.at(4_999)).isEmpty)
        #expect(attempt.tick(at: Punch.at(5_000)) == [.cancelDials] + open)
    }

    @Test("A direct dial that leads to the peer is all it takes")
    func directDialSucceeds() {
        var attempt = attempt()
        _ = attempt.start(announced: [theirs], at: .zero)
        #expect(attempt.connected() == [.cancelDials, .finish(.upgraded(.directDial))])
    }

    @Test("A refused dial is repeated, each time twice as long after the one before")
    func redials() {
        var attempt = punching(at: 0)
        var (now, dials) = (0 as Int64, 1)
        for wait: Int64 in [100, 200, 400, 800, 1_600] {
            #expect(attempt.dialFailed(theirs, .unreachable, at: Punch.at(now)).isEmpty)
            #expect(attempt.nextEvent == Punch.at(now + wait))
            now += wait
            #expect(attempt.tick(at: Punch.at(now)) == [.punch(theirs, .server)])
            dials += 1
        }
        #expect(dials == configuration.dialsPerAddress)
        // No further dial; but the peer's own may still arrive.
        #expect(attempt.dialFailed(theirs, .unreachable, at: Punch.at(now)).isEmpty)
        #expect(attempt.nextEvent == Punch.at(5_000))
    }

    @Test("Three exchanges, each with a measurement of its own, then it gives up; the part stays the server's")
    func tries() {
        var attempt = attempt()
        var now: Int64 = 0
        var actions = attempt.start(announced: [], at: .zero)
        for number in 1...3 {
            #expect(actions.last == open[0] && attempt.tries == number)
            now += 20
            #expect(attempt.receive(Punch.connect([theirs]), at: Punch.at(now)) == synced)
            now += 10
            #expect(attempt.tick(at: Punch.at(now)) == [.punch(theirs, .server)])
            now += 5_000
            actions = attempt.tick(at: Punch.at(now))
        }
        #expect(actions == failed(.unreachable(tries: 3)))
        #expect(attempt.nextEvent == nil)
    }

    @Test(
        "After a try in which TCP connected and nothing came of it, it dials as the other part (go-libp2p before 0.41)")
    func collisions() {
        var attempt = punching(at: 0)
        #expect(attempt.dialFailed(theirs, .collided, at: Punch.at(50)) == [.cancelDials] + open)
        _ = attempt.receive(Punch.connect([theirs]), at: Punch.at(50))
        #expect(attempt.tick(at: Punch.at(50)) == [.punch(theirs, .client)])
        #expect(attempt.dialFailed(theirs, .collided, at: Punch.at(60)) == [.cancelDials] + open)
        _ = attempt.receive(Punch.connect([theirs]), at: Punch.at(60))
        #expect(attempt.tick(at: Punch.at(60)) == [.punch(theirs, .server)])
        #expect(attempt.dialFailed(theirs, .collided, at: Punch.at(70)) == failed(.unreachable(tries: 3)))
    }

    @Test("A socket that is cut off is dialled again in the same try, and counts as a collision when that fails, too")
    func cutOff() {
        var attempt = punching(at: 0)
        #expect(attempt.dialFailed(theirs, .cutOff, at: .zero).isEmpty)
        #expect(attempt.tick(at: Punch.at(100)) == [.punch(theirs, .server)])
        #expect(attempt.tick(at: Punch.at(5_000)) == [.cancelDials] + open)
        _ = attempt.receive(Punch.connect([theirs]), at: Punch.at(5_000))
        #expect(attempt.tick(at: Punch.at(5_000)) == [.punch(theirs, .client)])
    }

    @Test("Two servers wait for each other: a socket that stands at the end of a try is a collision, too")
    func twoServers() {
        var attempt = punching(at: 0)
        attempt.socketConnected(theirs)
        #expect(attempt.tick(at: Punch.at(5_000)) == [.cancelDials] + open)
        _ = attempt.receive(Punch.connect([theirs]), at: Punch.at(5_000))
        #expect(attempt.tick(at: Punch.at(5_000)) == [.punch(theirs, .client)])
    }

    @Test("Without an own address there is a direct dial and nothing else")
    func noOwnAddress() throws {
        let useless = [try Multiaddr("/ip4/10.0.0.1/tcp/4001")]
        var attempt = attempt(useless)
        #expect(attempt.start(announced: [], at: .zero) == failed(.noOwnAddress))
        attempt = self.attempt(useless)
        #expect(attempt.start(announced: [theirs], at: .zero) == [.dial(theirs)])
        #expect(attempt.dialFailed(theirs, .unreachable, at: .zero) == failed(.noOwnAddress))
    }

    @Test("A stall ends at each step's deadline")
    func stalls() {
        var attempt = attempt()
        _ = attempt.start(announced: [], at: .zero)
        #expect(attempt.nextEvent == Punch.at(10_000))
        #expect(
            attempt.tick(at: Punch.at(10_000)) == [.resetStream]
                + failed(.exchangeTimedOut(configuration.exchangeTimeout)))
    }

    @Test("What is wrong in an exchange ends the attempt and resets its stream, nothing else")
    func wrongAnswers() throws {
        let lies: [([UInt8], DCUtRError)] = [
            (Punch.sync, .unexpectedMessage),
            (Punch.connect([]), .noUsableAddress(received: 0)),
            (Punch.connect([own]), .noUsableAddress(received: 1)),
            (Punch.connect([try Multiaddr("/ip4/192.168.0.1/tcp/80")]), .noUsableAddress(received: 1)),
            ([0x81, 0x20], .message(.tooLarge(message: "HolePunch", size: 4_097, limit: 4_096))),
            ([0x01, 0xff], .message(.malformed(message: "HolePunch"))),
        ]
        for (bytes, error) in lies {
            var attempt = attempt()
            _ = attempt.start(announced: [], at: .zero)
            var input = bytes[...]
            #expect(attempt.receive(&input, at: .zero) == [.resetStream] + failed(.exchange(error)))
        }
    }

    @Test("The end of the stream, of the relayed connection, or a direct connection from elsewhere ends the attempt")
    func ends() {
        var attempt = attempt()
        _ = attempt.start(announced: [], at: .zero)
        #expect(attempt.streamEnded(nil, at: .zero) == failed(.exchange(.endedEarly)))
        attempt = self.attempt()
        _ = attempt.start(announced: [], at: .zero)
        #expect(attempt.streamEnded("reset", at: .zero) == failed(.stream("reset")))
        attempt = self.attempt()
        _ = attempt.start(announced: [], at: .zero)
        #expect(attempt.abandon(.relayedConnectionLost) == [.resetStream] + failed(.relayedConnectionLost))
        attempt = self.attempt()
        _ = attempt.start(announced: [], at: .zero)
        #expect(attempt.connected() == [.resetStream, .cancelDials, .finish(.upgraded(.elsewhere))])
        // Late news are no news.
        #expect(attempt.streamEnded(nil, at: .zero).isEmpty && attempt.abandon(.closed).isEmpty)
        #expect(attempt.dialFailed(theirs, .unreachable, at: .zero).isEmpty && attempt.tick(at: .zero).isEmpty)
    }

    /// An attempt that dials ``theirs`` from `milliseconds` on, with a round trip of nothing.
    private func punching(at milliseconds: Int64) -> HolePunchAttempt {
        var attempt = attempt()
        _ = attempt.start(announced: [], at: Punch.at(milliseconds))
        _ = attempt.receive(Punch.connect([theirs]), at: Punch.at(milliseconds))
        #expect(attempt.tick(at: Punch.at(milliseconds)) == [.punch(theirs, .server)])
        return attempt
    }
}
