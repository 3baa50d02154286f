import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowWire
import Testing

/// AutoNAT v1, both sides.
@Suite struct AutoNATv1Tests {
    private let me: PeerID
    private let other: PeerID

    init() throws {
        me = try PrivateKey.generate(.ed25519).publicKey.peerID
        other = try PrivateKey.generate(.ed25519).publicKey.peerID
    }

    private func server(observed: String? = "/ip4/1.2.3.4/tcp/40000") throws -> AutoNATv1Server {
        AutoNATv1Server(peer: me, observed: try observed.map { try Multiaddr($0) }, policy: ReachableAddressPolicy())
    }

    private func status(_ step: AutoNATv1Server.Step) throws -> AutoNATv1Status? {
        guard case .respond(let bytes) = step else { return nil }
        var input = bytes[...]
        guard case .response(let status, _) = try AutoNATv1Message.decodeDelimited(from: &input) else { return nil }
        return AutoNATv1Status(rawValue: status)
    }

    private func asked(
        _ addresses: [String], peer: PeerID? = nil, _ server: AutoNATv1Server
    ) throws -> AutoNATv1Server.Step {
        var server = server
        var input = AutoNATv1Message.dial(
            peer: peer?.multihash, addresses: try addresses.map { try Multiaddr($0).binary }
        ).encodedDelimited()[...]
        return try server.receive(&input)
    }

    @Test("RFC 3489, section 12.1.1: only the host that asks is dialled, at most eight times")
    func dialsRequesterOnly() throws {
        let mixed = [
            "/ip4/9.9.9.9/tcp/1", "/ip4/1.2.3.4/tcp/2", "/ip6/2600::1/tcp/3", "/ip4/1.2.3.4/tcp/2",
            "/dns4/example.com/tcp/4", "/ip4/1.2.3.4/tcp/5/p2p/\(other)", "/ip4/1.2.3.4/tcp/6/p2p/\(me)",
        ]
        #expect(
            try asked(mixed, peer: me, try server())
                == .dial([try Multiaddr("/ip4/1.2.3.4/tcp/2"), try Multiaddr("/ip4/1.2.3.4/tcp/6/p2p/\(me)")]))
        #expect(try status(try asked(["/ip4/9.9.9.9/tcp/1"], try server())) == .dialRefused)
        #expect(try status(try asked([], try server())) == .dialRefused)
        let many = (1...20).map { "/ip4/1.2.3.4/tcp/\($0)" }
        guard case .dial(let dialled) = try asked(many, try server()) else {
            Issue.record("nothing is dialled")
            return
        }
        #expect(dialled.count == AutoNAT.maximumDials)
    }

    @Test("Through a relay, from nowhere and from a private address nobody is dialled")
    func refusals() throws {
        let relayed = "/ip4/1.2.3.4/tcp/9/p2p/\(other)/p2p-circuit"
        #expect(try status(try asked(["/ip4/1.2.3.4/tcp/2"], try server(observed: relayed))) == .dialRefused)
        #expect(try status(try asked(["/ip4/1.2.3.4/tcp/2"], try server(observed: nil))) == .dialRefused)
        #expect(
            try status(try asked(["/ip4/10.0.0.1/tcp/2"], try server(observed: "/ip4/10.0.0.1/tcp/1"))) == .dialRefused)
    }

    @Test("Who asks in another's name makes a bad request; a second request and a response are errors")
    func violations() throws {
        #expect(try status(try asked(["/ip4/1.2.3.4/tcp/2"], peer: other, try server())) == .badRequest)
        var server = try server()
        var bytes = AutoNATv1Message.response(status: 0, address: nil).encodedDelimited()[...]
        #expect(throws: AutoNATError.unexpectedMessage) { try server.receive(&bytes) }
        let request = AutoNATv1Message.dial(peer: nil, addresses: []).encodedDelimited()
        var first = request[...]
        _ = try server.receive(&first)
        var second = request[...]
        #expect(throws: AutoNATError.unexpectedMessage) { try server.receive(&second) }
    }

    @Test("What a response makes of a request")
    func verdicts() throws {
        let (mine, theirs) = (try Multiaddr("/ip4/1.2.3.4/tcp/2"), try Multiaddr("/ip4/9.9.9.9/tcp/2"))
        let cases: [(UInt64, [UInt8]?, AutoNATAnswer)] = [
            (0, mine.binary, .reachable(mine, isProved: false)),
            (0, try mine.appending(peer: me).binary, .reachable(mine, isProved: false)),
            // A success at an address that was not asked about, or at none, tells nothing of this one.
            (0, theirs.binary, .void), (0, nil, .void), (0, [0xff], .void),
            (100, nil, .unreachable([mine])), (101, nil, .refused), (200, nil, .void), (300, nil, .void),
            (7, nil, .void), (.max, nil, .void), (1 << 32, mine.binary, .void),
        ]
        for (status, address, answer) in cases {
            var client = AutoNATv1Client(peer: me, addresses: [mine])
            #expect(throws: AutoNATError.endedEarly) { try client.receiveEnd() }
            var input = AutoNATv1Message.response(status: status, address: address).encodedDelimited()[...]
            #expect(try client.receive(&input) == answer, "\(status)")
            try client.receiveEnd()
        }
    }

    @Test("A client and a server talk to each other")
    func bothSides() throws {
        let mine = try Multiaddr("/ip4/1.2.3.4/tcp/2")
        var client = AutoNATv1Client(peer: me, addresses: [mine])
        var server = try server()
        var request = client.start()[...]
        #expect(try server.receive(&request) == .dial([mine]))
        var yes = server.dialled(mine)[...]
        #expect(try client.receive(&yes) == .reachable(mine, isProved: false))
        client = AutoNATv1Client(peer: me, addresses: [mine])
        var no = server.dialled(nil)[...]
        #expect(try client.receive(&no) == .unreachable([mine]))
        client = AutoNATv1Client(peer: me, addresses: [mine])
        var busy = server.reject()[...]
        #expect(try client.receive(&busy) == .refused)
    }
}

/// Who is served by a server of AutoNAT.
@Suite struct AutoNATLimiterTests {
    private let peers: [PeerID]

    init() throws {
        peers = try (0..<24).map { _ in try PrivateKey.generate(.ed25519).publicKey.peerID }
    }

    private func time(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    @Test("A client, its network and all together have a rate each; it comes back with time")
    func rates() {
        var limits = AutoNATServerLimits()
        limits.requestsPerMinutePerPeer = 3
        limits.requestsPerMinute = 5
        var limiter = AutoNATLimiter(limits)
        func served(_ peer: Int, _ network: UInt32, at seconds: Int64) -> Bool {
            guard limiter.begin(peers[peer], from: .ip4(network), at: time(seconds)) else { return false }
            limiter.end(peers[peer])
            return true
        }
        #expect((0..<4).map { _ in served(0, 1, at: 0) } == [true, true, true, false])
        #expect(!served(1, 1, at: 0), "another name from the same network")
        #expect(served(2, 2, at: 0))
        #expect(served(3, 3, at: 0))
        #expect(!served(4, 4, at: 0), "the sum is reached")
        #expect(served(0, 1, at: 20))
    }

    @Test("Requests at once are bounded, for each client and in all")
    func concurrency() {
        var limits = AutoNATServerLimits()
        limits.concurrentRequests = 3
        limits.concurrentRequestsPerPeer = 2
        var limiter = AutoNATLimiter(limits)
        func begin(_ peer: Int) -> Bool { limiter.begin(peers[peer], from: nil, at: .zero) }
        #expect([begin(0), begin(0), begin(0), begin(1), begin(2)] == [true, true, false, true, false])
        limiter.end(peers[0])
        #expect(begin(2))
        #expect(limiter.runningRequests == 3)
        for peer in [0, 1, 2] { limiter.end(peers[peer]) }
        #expect(limiter.runningRequests == 0)
    }

    @Test("A flood of names fills no memory: what isn't remembered isn't served until there is room")
    func memory() {
        var limits = AutoNATServerLimits()
        limits.rememberedClients = 16
        var limiter = AutoNATLimiter(limits)
        func served(_ peer: Int, at seconds: Int64) -> Bool {
            guard limiter.begin(peers[peer], from: nil, at: time(seconds)) else { return false }
            limiter.end(peers[peer])
            return true
        }
        #expect((0..<16).allSatisfy { served($0, at: 0) })
        #expect(!served(16, at: 0))
        #expect(served(16, at: 60), "those that were full again are forgotten")
    }

    @Test("Dials of other hosts have a rate of their own")
    func foreignDials() {
        var limits = AutoNATServerLimits()
        limits.foreignDialsPerMinute = 2
        var limiter = AutoNATLimiter(limits)
        let taken = [0, 0, 0, 30].map { limiter.takeForeignDial(at: time($0)) }
        #expect(taken == [true, true, false, true])
        limits.foreignDialsPerMinute = 0
        #expect(limits.problem != nil && AutoNATServerLimits().problem == nil)
    }
}
