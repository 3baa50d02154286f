import OxbowCore
import OxbowSwarm
import Testing

@Suite struct DialPlanTests {
    private let surroundings = DialSurroundings(
        networks: [IPNetwork(IPv4Address("192.168.1.7")!, prefixLength: 24)],
        hosts: [.ip4(IPv4Address("192.168.1.7")!)], listening: [testAddress("/ip4/192.168.1.7/tcp/4001")])

    private func plan(
        _ texts: [String], origin: AddressOrigin? = .identify, goal: DialGoal = .any, limit: Int = 32
    ) -> DialPlan {
        let candidates = texts.map { DialCandidate(testAddress($0), isExplicit: origin == nil, origin: origin) }
        return DialPlan(candidates, goal: goal, surroundings: surroundings, limit: limit) {
            $0.tcpEndpoint == nil && !$0.isRelayed && !$0.contains(.memory) ? "no transport" : nil
        }
    }

    private func order(_ plan: DialPlan) -> [String] { plan.attempts.map(\.address.description) }

    @Test("In reach first, relays last; a private network leads only where both are in it")
    func ranks() {
        let relay = "/ip4/1.2.3.4/tcp/1/p2p/\(testPeer(7))/p2p-circuit"
        let plan = plan([
            relay, "/ip4/10.0.0.1/tcp/1", "/ip4/8.8.8.8/tcp/1", "/ip4/192.168.1.9/tcp/1", "/memory/4",
            "/dns4/example.org/tcp/1",
        ])
        #expect(
            order(plan) == [
                "/memory/4", "/ip4/192.168.1.9/tcp/1", "/ip4/8.8.8.8/tcp/1", "/dns4/example.org/tcp/1",
                "/ip4/10.0.0.1/tcp/1", relay,
            ])
        #expect(plan.attempts.map(\.isRelayed) == [false, false, false, false, false, true])
    }

    @Test("The families alternate, beginning with the first (RFC 8305, section 4)")
    func families() {
        #expect(
            order(plan(["/ip6/2600::1/tcp/1", "/ip6/2600::2/tcp/1", "/ip4/8.8.8.8/tcp/1", "/ip4/8.8.4.4/tcp/1"]))
                == ["/ip6/2600::1/tcp/1", "/ip4/8.8.8.8/tcp/1", "/ip6/2600::2/tcp/1", "/ip4/8.8.4.4/tcp/1"])
    }

    @Test("What can't be dialled is told, not dropped")
    func omissions() {
        let relay = "/ip4/1.2.3.4/tcp/1/p2p/\(testPeer(7))/p2p-circuit"
        let plan = plan(
            [
                "/ip4/8.8.8.8/udp/1/quic-v1", "/ip4/127.0.0.1/tcp/1", "/ip4/0.0.0.0/tcp/1", "/ip4/224.0.0.1/tcp/1",
                "/ip4/192.168.1.7/tcp/4001", relay,
            ], goal: .direct)
        #expect(order(plan) == ["/ip4/127.0.0.1/tcp/1"])
        // The host's own address is there: the peer is taken to be on this host, and so loopback has its turn.
        #expect(
            plan.omitted.map(\.why) == [
                .unsupported("no transport"), .notAHost, .notAHost, .ownAddress, .relayed,
            ])
    }

    @Test("Loopback counts when the peer is on this host, or the application said so")
    func loopback() {
        let loopback = "/ip4/127.0.0.1/tcp/1"
        #expect(plan([loopback]).omitted.map(\.why) == [.loopback])
        #expect(order(plan([loopback, "/ip4/192.168.1.7/tcp/9"])) == [loopback, "/ip4/192.168.1.7/tcp/9"])
        #expect(order(plan([loopback], origin: nil)) == [loopback])
        #expect(order(plan([loopback], origin: .dialled)) == [loopback])
    }

    @Test("Past the limit addresses are told as such; repetitions count once")
    func limit() {
        let texts = (1...40).map { "/ip4/8.8.8.8/tcp/\($0)" }
        let plan = plan(texts + texts)
        #expect(plan.attempts.count == 32)
        #expect(plan.omitted.map(\.why) == Array(repeating: .overLimit(32), count: 8))
    }

    @Test("What led to the peer last leads; what failed lately waits, unless the application names it")
    func history() {
        let (first, second) = (testAddress("/ip4/8.8.8.8/tcp/1"), testAddress("/ip4/8.8.4.4/tcp/1"))
        let plan = DialPlan([
            DialCandidate(first, origin: .identify), DialCandidate(second, origin: .dialled, lastSuccess: seconds(1)),
        ])
        #expect(plan.attempts.map(\.address) == [second, first])
        let waiting = DialPlan([DialCandidate(first, origin: .identify, backOff: .seconds(3))])
        #expect(waiting.omitted.map(\.why) == [.backingOff(.seconds(3))])
        let named = DialPlan([DialCandidate(first, isExplicit: true, backOff: .seconds(3))])
        #expect(named.attempts.map(\.address) == [first])
    }

    @Test("Networks hold what shares their bits, at every length")
    func networks() {
        let host = EndpointHost.ip4(IPv4Address("10.1.2.3")!)
        for length in 0...32 {
            #expect(IPNetwork(IPv4Address("10.1.2.3")!, prefixLength: length).contains(host))
            let other = IPNetwork(IPv4Address("245.1.2.3")!, prefixLength: length)
            #expect(other.contains(host) == (length == 0))
        }
        let six = EndpointHost.ip6(IPv6Address("fe80::1")!, zone: "eth0")
        #expect(IPNetwork(IPv6Address("fe80::2")!, prefixLength: 64).contains(six))
        #expect(!IPNetwork(IPv6Address("fe80::2")!, prefixLength: 128).contains(six))
        #expect(!IPNetwork(IPv4Address("0.0.0.0")!, prefixLength: 0).contains(six))
    }
}

@Suite struct BackOffTests {
    @Test("Each failure doubles the wait up to the bound, a success ends it, quiet forgives")
    func doubles() {
        var backOff = BackOff()
        let key = BackOff.Key.peer(testPeer(1))
        var now = Instant.zero
        var waits: [Duration] = []
        for _ in 0..<8 {
            backOff.failed(key, at: now)
            let wait = backOff.remaining(key, at: now) ?? .zero
            waits.append(wait)
            now = now + wait
        }
        #expect(waits == [5, 10, 20, 40, 80, 160, 300, 300].map { .seconds($0) })
        #expect(backOff.remaining(key, at: now) == nil)
        backOff.failed(key, at: now + .seconds(300))
        #expect(backOff.remaining(key, at: now + .seconds(300)) == .seconds(5))
        backOff.succeeded(key)
        #expect(backOff.count == 0)
    }

    @Test("Failures that ended together count once; the table is bounded")
    func bounded() {
        var backOff = BackOff()
        let key = BackOff.Key.address(testAddress("/memory/1"), of: testPeer(1))
        for _ in 0..<100 { backOff.failed(key, at: .zero) }
        #expect(backOff.remaining(key, at: .zero) == .seconds(5))
        for number in 0..<10_000 { backOff.failed(.peer(testPeer(number)), at: seconds(Int64(number / 100))) }
        #expect(backOff.count <= backOff.configuration.entries)
        #expect(backOff.remaining(.peer(testPeer(9_999)), at: seconds(99)) == .seconds(5))
    }
}

@Suite struct BootstrapTests {
    @Test("All are dialled at the start; then one is enough, and none is mended")
    func keepsOne() {
        var machine = Bootstrap(peers: [testPeer(1), testPeer(2), testPeer(1)])
        #expect(machine.advance(at: .zero) == [.dial(testPeer(1)), .dial(testPeer(2))])
        machine.dialled(testPeer(1), succeeded: true, at: .zero)
        machine.dialled(testPeer(2), succeeded: false, at: .zero)
        #expect(machine.nextWake == nil && machine.advance(at: seconds(1_000)) == [])
        machine.disconnected(testPeer(1), at: seconds(1_000))
        #expect(machine.nextWake == seconds(5))
        #expect(machine.advance(at: seconds(1_000)) == [.dial(testPeer(2))])
        machine.dialled(testPeer(2), succeeded: false, at: seconds(1_001))
        #expect(machine.nextWake == seconds(1_005))
        #expect(machine.advance(at: seconds(1_005)) == [.dial(testPeer(1))])
        machine.connected(testPeer(2))
        machine.dialled(testPeer(1), succeeded: false, at: seconds(1_006))
        #expect(machine.connected == 1 && machine.nextWake == nil)
        machine.end()
        machine.disconnected(testPeer(2), at: seconds(2_000))
        #expect(machine.nextWake == nil && machine.advance(at: .distantFuture) == [])
    }

    @Test("Peers that never answer are dialled less and less often, and for ever")
    func bounded() {
        var machine = Bootstrap(peers: [testPeer(1)])
        var dials = 0
        var now = Instant.zero
        while now < seconds(86_400) {
            dials += machine.advance(at: now).count
            machine.dialled(testPeer(1), succeeded: false, at: now)
            guard let next = machine.nextWake else { break }
            now = max(next, now + .seconds(1))
        }
        #expect((280...300).contains(dials))
    }
}
