import OxbowCore
import OxbowProtocols
import OxbowWire
import Testing

/// The responder's side of a hole punch.
@Suite struct HolePunchAnswerTests {
    private let peer: PeerID
    private let own: Multiaddr
    private let theirs: Multiaddr
    private let configuration = HolePunchConfiguration()

    init() throws {
        peer = try Punch.peer(1)
        own = try Multiaddr("/ip4/1.2.3.4/tcp/4001")
        theirs = try Multiaddr("/ip4/5.6.7.8/tcp/4001")
    }

    private func answer(_ own: [Multiaddr]? = nil, part: HolePunchPart = .client) -> HolePunchAnswer {
        HolePunchAnswer(to: peer, own: own ?? [self.own], part: part, configuration: configuration, at: .zero)
    }

    private func failed(_ failure: HolePunchFailure) -> [HolePunchAction] { [.cancelDials, .finish(.failed(failure))] }

    @Test("CONNECT is answered by CONNECT, SYNC by dials at once, as the client")
    func exchange() {
        var answer = answer()
        #expect(answer.receive(Punch.connect([theirs]), at: .zero) == [.send(Punch.connect([own]))])
        #expect(answer.receive(Punch.sync, at: Punch.at(40)) == [.closeStream, .punch(theirs, .client)])
        #expect(answer.connected() == [.cancelDials, .finish(.upgraded(.punch))])
        #expect(!answer.hasCollided)
    }

    @Test("Both messages may come in any pieces")
    func pieces() {
        everySplit(Punch.connect([theirs]) + Punch.sync) { pieces in
            var answer = answer()
            var (input, actions): (ArraySlice<UInt8>, [HolePunchAction]) = ([], [])
            for piece in pieces {
                input += piece
                actions += answer.receive(&input, at: .zero)
            }
            #expect(actions == [.send(Punch.connect([own])), .closeStream, .punch(theirs, .client)])
        }
    }

    @Test("A flood of CONNECT on one stream ends with the second")
    func flood() {
        var answer = answer()
        var input = (Punch.connect([theirs]) + Punch.connect([theirs]))[...]
        #expect(answer.receive(&input, at: .zero) == [.resetStream] + failed(.exchange(.unexpectedMessage)))
        #expect(answer.nextEvent == nil)
    }

    @Test("A stall before CONNECT, before SYNC or in the dials ends at a deadline")
    func stalls() {
        var answer = answer()
        let timedOut = [.resetStream] + failed(.exchangeTimedOut(configuration.exchangeTimeout))
        #expect(answer.tick(at: Punch.at(10_000)) == timedOut)
        answer = self.answer()
        _ = answer.receive(Punch.connect([theirs]), at: Punch.at(9_000))
        #expect(answer.tick(at: Punch.at(10_000)) == timedOut)
        answer = self.answer()
        _ = answer.receive(Punch.connect([theirs]) + Punch.sync, at: .zero)
        #expect(answer.tick(at: Punch.at(5_000)) == failed(.unreachable(tries: 1)))
        #expect(!answer.hasCollided)
    }

    @Test("Without an own address a request is refused, and nothing is dialled")
    func noOwnAddress() {
        var answer = answer([])
        var input = Punch.connect([theirs])[...]
        #expect(answer.receive(&input, at: .zero) == [.resetStream] + failed(.noOwnAddress))
    }

    @Test("What is refused is dialled again, and a socket that connected without a connection is a collision")
    func redials() {
        var answer = answer()
        _ = answer.receive(Punch.connect([theirs]) + Punch.sync, at: .zero)
        let again = Instant.zero + configuration.firstRedial
        #expect(answer.dialFailed(theirs, .unreachable, at: .zero).isEmpty)
        #expect(answer.nextEvent == again)
        #expect(answer.tick(at: again) == [.punch(theirs, .client)])
        answer.socketConnected(theirs)
        #expect(answer.tick(at: Punch.at(5_000)) == failed(.unreachable(tries: 1)))
        #expect(answer.hasCollided)
    }

    @Test("Nothing moves an answer that is over, and only the initiator measures a round trip")
    func over() {
        var answer = answer()
        #expect(answer.abandon(.relayedConnectionLost) == [.resetStream] + failed(.relayedConnectionLost))
        #expect(answer.receive(Punch.connect([theirs]), at: .zero).isEmpty)
        answer.socketConnected(theirs)
        #expect(answer.dialFailed(theirs, .collided, at: .zero).isEmpty && answer.tick(at: Punch.at(20_000)).isEmpty)
        #expect(answer.streamEnded(nil, at: .zero).isEmpty && answer.connected().isEmpty)
        #expect(answer.abandon(.closed).isEmpty && answer.nextEvent == nil && !answer.hasCollided)
        #expect(answer.roundTrip == nil)
    }

    @Test("Each failure says something else, and what it knows of the cause")
    func failures() {
        let failures: [HolePunchFailure] = [
            .noOwnAddress, .exchange(.unexpectedMessage), .exchange(.endedEarly), .stream("reset by the peer"),
            .exchange(.noUsableAddress(received: 3)), .exchangeTimedOut(.seconds(10)), .unreachable(tries: 1),
            .unreachable(tries: 3), .relayedConnectionLost, .yielded, .closed,
        ]
        #expect(Set(failures.map(\.description)).count == failures.count)
        #expect(HolePunchFailure.stream("reset by the peer").description.contains("reset by the peer"))
        #expect(HolePunchFailure.unreachable(tries: 1).description.contains("1 try;"))
        #expect(HolePunchFailure.unreachable(tries: 3).description.contains("3 tries;"))
    }

    @Test("A first answer that collides changes the part of the later ones, a later one doesn't")
    func history() {
        var answer = answer()
        _ = answer.receive(Punch.connect([theirs]) + Punch.sync, at: .zero)
        #expect(answer.dialFailed(theirs, .collided, at: .zero) == failed(.unreachable(tries: 1)))
        #expect(answer.hasCollided)
        var history = HolePunchHistory()
        #expect(history.part == .client)
        history.answered(hasCollided: true)
        #expect(history.part == .server)
        history.answered(hasCollided: true)
        #expect(history.part == .server)
        var later = HolePunchHistory()
        later.answered(hasCollided: false)
        later.answered(hasCollided: true)
        #expect(later.part == .client)
    }

    @Test("Six punches at once, then one in ten seconds")
    func tokens() {
        var history = HolePunchHistory()
        var taken = (0..<7).map { _ in history.take(at: .zero) }
        #expect(taken == [true, true, true, true, true, true, false])
        taken = [9_999, 10_000, 10_000].map { history.take(at: Punch.at($0)) }
        #expect(taken == [false, true, false])
        #expect(!history.isForgettable(at: Punch.at(69_999)))
        #expect(history.isForgettable(at: Punch.at(70_000)))
    }

    @Test(
        "An initiator and a responder that both follow the rules never play the same part for good",
        arguments: [
            // Who begins by which rule: the specification's, or go-libp2p's before 0.41 (no change of parts at all).
            (HolePunchPart.server, true), (.client, false),
        ])
    func partsMeet(_ first: HolePunchPart, _ changes: Bool) {
        var history = HolePunchHistory()
        var initiator = first
        var isUpgraded = false
        for _ in 0..<3 where !isUpgraded {
            isUpgraded = initiator != history.part
            history.answered(hasCollided: !isUpgraded)
            if !isUpgraded, changes { initiator = initiator.other }
        }
        #expect(isUpgraded)
    }
}
