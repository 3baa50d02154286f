import OxbowCore
import OxbowProtocols
import Testing

@Suite struct LocalDiscoveryTests {
    fileprivate static func peer(_ number: UInt8) throws -> PeerID { try PeerID(multihash: [0, 1, number]) }

    /// A network on which all hear all, themselves too, at once.
    private struct Bus {
        var machines: [LocalDiscovery] = []
        var now = Instant.zero
        var sent = 0
        /// Who found whom where, and whether that was news.
        var found: [[PeerID: [Multiaddr]]] = []
        var news = 0

        mutating func add(_ number: UInt8, _ addresses: [String]) throws {
            var machine = LocalDiscovery(
                peer: try LocalDiscoveryTests.peer(number), name: String(repeating: "\(number)", count: 32),
                interval: .seconds(300), lifetime: .seconds(360),
                answerDelay: .milliseconds(20 + Int64(number)), at: now)
            machine.setAddresses(try addresses.map(Multiaddr.init), at: now)
            machines.append(machine)
            found.append([:])
        }

        mutating func deliver(_ actions: [LocalDiscovery.Action], from sender: Int) {
            for action in actions {
                switch action {
                case .send(let bytes, .everybody):
                    sent += 1
                    for index in machines.indices {
                        deliver(machines[index].received(bytes, isLegacy: false, at: now), from: index)
                    }
                case .send: break
                case .found(let peer, let addresses, let lifetime, let isNews):
                    found[sender][peer] = lifetime > .zero ? addresses : nil
                    news += isNews ? 1 : 0
                }
            }
        }

        mutating func run(until end: Instant) {
            while let due = machines.compactMap(\.nextWake).min(), due <= end {
                now = max(now, due)
                for index in machines.indices { deliver(machines[index].wake(at: now), from: index) }
            }
            now = end
        }
    }

    @Test("Hosts on one network find each other within a second, and the network is quiet then")
    func finds() throws {
        var bus = Bus()
        for number in UInt8(1)...5 {
            try bus.add(number, ["/ip4/192.168.1.\(number)/tcp/4001", "/ip4/127.0.0.1/tcp/1"])
        }
        bus.run(until: .zero + .seconds(1))
        for (index, found) in bus.found.enumerated() {
            let own = try Self.peer(UInt8(index + 1))
            #expect(found.count == 4 && found[own] == nil)
            #expect(found.values.allSatisfy { $0.count == 1 }, "loopback is nobody else's business")
        }
        #expect(bus.news == 20)
        bus.run(until: .zero + .seconds(3_600))
        #expect(bus.news == 20, "what is known already is no news")
        // Eleven and some questions each, and at most one answer a second for each of them.
        #expect(bus.sent < 5 * 25 * 6)
        let before = bus.sent
        bus.deliver(bus.machines[0].end(), from: 0)
        #expect(bus.sent == before + 1)
        let gone = try Self.peer(1)
        #expect(bus.found[1][gone] == nil && bus.found[4][gone] == nil, "a goodbye takes the addresses back")
        #expect(bus.machines[0].nextWake == nil)
    }

    @Test("A change of addresses is told at once; a host without any only listens")
    func changes() throws {
        var bus = Bus()
        try bus.add(1, [])
        try bus.add(2, ["/ip4/10.0.0.2/tcp/1"])
        bus.run(until: .zero + .seconds(2))
        #expect(bus.found[0].count == 1 && bus.found[1].isEmpty)
        bus.machines[0].setAddresses([try Multiaddr("/ip4/10.0.0.1/tcp/1")], at: bus.now)
        bus.run(until: bus.now + .milliseconds(1_100))
        #expect(bus.found[1].count == 1)
    }

    private func machine() throws -> LocalDiscovery {
        var machine = LocalDiscovery(
            peer: try Self.peer(1), name: String(repeating: "a", count: 32), interval: .seconds(300),
            lifetime: .seconds(360), answerDelay: .milliseconds(20), at: .zero)
        machine.setAddresses([try Multiaddr("/ip4/10.0.0.1/tcp/1")], at: .zero)
        return machine
    }

    private func question(_ name: DNSName, _ type: UInt16, known: [DNSRecord] = []) -> [UInt8] {
        DNSMessage(id: 7, isResponse: false, questions: [DNSQuestion(name: name, type: type)], answers: known).encoded()
    }

    @Test("However many ask, one answer goes out in a second; who has the answer gets none")
    func answersSparingly() throws {
        var machine = try machine()
        _ = machine.wake(at: .zero + .milliseconds(20))
        var answers = 0
        for step in 0..<3_000 {
            let now = Instant.zero + .milliseconds(100 + step)
            _ = machine.received(question(LocalDiscovery.service, 12), isLegacy: false, at: now)
            for case .send(let bytes, _) in machine.wake(at: now) where try DNSMessage(decoding: bytes).isResponse {
                answers += 1
            }
        }
        #expect((2...3).contains(answers))
        var quiet = try self.machine()
        _ = quiet.wake(at: .zero + .seconds(1))
        let own = DNSName([String(repeating: "a", count: 32), "_p2p", "_udp", "local"])
        let known = DNSRecord(name: LocalDiscovery.service, lifetime: 300, content: .pointer(own))
        let before = quiet.nextWake
        _ = quiet.received(
            question(LocalDiscovery.service, 12, known: [known]), isLegacy: false, at: .zero + .seconds(5))
        #expect(quiet.nextWake == before)
    }

    @Test("An asker from another port gets its id and question back, and no more than ten at once")
    func legacy() throws {
        var machine = try machine()
        let replies = (0..<100).flatMap { _ in
            machine.received(question(LocalDiscovery.service, 12), isLegacy: true, at: .zero)
        }
        #expect(replies.count == 10)
        guard case .send(let bytes, to: .asker)? = replies.first else { throw DNSError.truncated }
        let reply = try DNSMessage(decoding: bytes)
        #expect(reply.id == 7 && reply.isResponse && reply.questions.count == 1 && reply.additional.count == 1)
        // DNS-SD's own question, and the one for a peer's text alone.
        var other = try self.machine()
        let services = DNSName(["_services", "_dns-sd", "_udp", "local"])
        #expect(other.received(question(services, 12), isLegacy: true, at: .zero).count == 1)
        let own = DNSName([String(repeating: "a", count: 32), "_p2p", "_udp", "local"])
        #expect(other.received(question(own, 16), isLegacy: true, at: .zero).count == 1)
        #expect(other.received(question(DNSName(["other", "local"]), 12), isLegacy: true, at: .zero).count == 0)
    }

    private func answer(_ strings: [String], lifetime: UInt32 = 120) -> [UInt8] {
        let name = DNSName([String(repeating: "z", count: 32), "_p2p", "_udp", "local"])
        let text = DNSRecord(name: name, lifetime: lifetime, content: .text(strings.map { Array($0.utf8) }))
        return DNSMessage(isResponse: true, additional: [text]).encoded()
    }

    @Test("Names, relays, loopback, this host itself and what is no address are left out")
    func negatives() throws {
        var machine = try machine()
        let (own, other) = (try Self.peer(1), try Self.peer(2))
        let strings = [
            "/dns4/example.org/tcp/1/p2p/\(other)", "/ip4/10.0.0.9/tcp/1/p2p/\(other)/p2p-circuit/p2p/\(other)",
            "/ip4/127.0.0.1/tcp/1/p2p/\(other)", "/ip4/0.0.0.0/tcp/1/p2p/\(other)", "/ip4/224.0.0.1/tcp/1/p2p/\(other)",
            "/ip4/10.0.0.9/tcp/1/p2p/\(own)", "/ip4/10.0.0.9/tcp/1", "/nonsense", "",
        ].map { "dnsaddr=" + $0 }
        let bytes = answer(strings + ["other=1", "/ip4/10.0.0.9/tcp/1/p2p/\(other)"])
        #expect(machine.received(bytes, isLegacy: false, at: .zero) == [])
        let good = "dnsaddr=/ip4/10.0.0.9/tcp/1/p2p/\(other)"
        #expect(machine.received(answer([good]), isLegacy: true, at: .zero) == [], "an answer comes from port 5353")
        #expect(
            machine.received(answer([good], lifetime: .max), isLegacy: false, at: .zero) == [
                .found(
                    other, [try Multiaddr("/ip4/10.0.0.9/tcp/1")], lifetime: .seconds(Int64(UInt32.max)), isNews: true)
            ])
    }

    @Test("A flood of datagrams, peers and addresses is cut: 50 datagrams a second, 8 peers each, 32 addresses each")
    func floods() throws {
        var machine = try machine()
        let peers = try (2...20).map { try Self.peer($0) }
        let many = answer(peers.map { "dnsaddr=/ip4/10.0.0.9/tcp/1/p2p/\($0)" })
        #expect(machine.received(many, isLegacy: false, at: .zero).count == 8)
        let addresses = answer((1...100).map { "dnsaddr=/ip4/10.0.0.9/tcp/\($0)/p2p/\(peers[0])" })
        guard case .found(_, let kept, _, _)? = machine.received(addresses, isLegacy: false, at: .zero).first
        else { throw DNSError.truncated }
        #expect(kept.count == 32)
        let taken = (0..<1_000).count { _ in !machine.received(many, isLegacy: false, at: .zero).isEmpty }
        #expect(taken == 98)
        #expect(!machine.received(many, isLegacy: false, at: .zero + .milliseconds(20)).isEmpty)
    }
}
