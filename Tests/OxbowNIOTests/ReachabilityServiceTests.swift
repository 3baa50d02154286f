import NIOCore
import OxbowCore
import OxbowProtocols
import OxbowSwarm
import OxbowTesting
import OxbowWire
import Synchronization
import Testing

@testable import OxbowNIO

/// Hosts that find out on virtual time where they can be reached.
@Suite struct ReachabilityServiceTests {
    private static func settings(
        _ server: ReachabilityConfiguration.ServerMode, _ change: (inout ReachabilityConfiguration) -> Void = { _ in }
    ) -> (inout SwarmConfiguration) -> Void {
        var settings = ReachabilityConfiguration()
        settings.addresses = ReachableAddressPolicy(allowsMemory: true)
        settings.observations.requiredObservers = 1
        settings.server = server
        change(&settings)
        let result = settings
        return { $0.reachability = result }
    }

    /// A client that listens, and servers that are connected with it.
    ///
    /// - Parameter isDialledByServers: then these see where the client listens, and dial it for nothing; else they see
    ///   nothing, and want to be paid.
    private func scene(
        servers: Int = 1, isDialledByServers: Bool,
        client change: (inout ReachabilityConfiguration) -> Void = { _ in },
        server changeServer: (inout ReachabilityConfiguration) -> Void = { _ in }
    ) -> (world: SimulatedWorld, client: SimulatedHost, servers: [SimulatedHost]) {
        let world = SimulatedWorld()
        world.dialDelay = .milliseconds(20)
        let client = world.makeHost(Self.settings(.never, change))
        client.listen()
        let servers = (0..<servers).map { _ in world.makeHost(Self.settings(.always, changeServer)) }
        for server in servers {
            server.listen()
            if isDialledByServers {
                server.dial(client.address, of: client.id)
            } else {
                client.dial(server.address, of: server.id)
            }
        }
        world.run(for: .milliseconds(500))
        return (world, client, servers)
    }

    private func server(of host: SimulatedHost) throws -> AutoNATServer {
        try #require(host.swarm.reachabilityService).server
    }

    private func expectNothingLeft(_ world: SimulatedWorld, servers: [SimulatedHost]) throws {
        for host in servers { #expect(try server(of: host).runningRequests == 0) }
        world.expectNothingLeft()
        for host in servers { #expect(try server(of: host).census.isZero) }
    }

    @Test("A host is found to be public: dialled for nothing, or for dial data", arguments: [true, false])
    func becomesPublic(isDialledByServers: Bool) throws {
        let (world, client, servers) = scene(isDialledByServers: isDialledByServers)
        #expect(client.swarm.reachability == .unknown)
        world.expect(within: .seconds(200)) { client.swarm.reachability == .public }
        #expect(client.swarm.reachableAddresses == [client.address])
        #expect(client.swarm.holePunchAddresses == [client.address])
        let changes = client.events.filter { if case .reachabilityChanged(.public) = $0 { true } else { false } }
        #expect(changes.count == 1)
        #expect(try server(of: servers[0]).census.connections == 0, "each dial ends with its question")
        world.run(for: .seconds(1))
        world.expectOnlyConnections()
        try expectNothingLeft(world, servers: servers)
    }

    @Test("Two servers tell a host sooner than one that is asked twice")
    func twoServers() throws {
        let (world, client, servers) = scene(servers: 2, isDialledByServers: true)
        world.expect(within: .seconds(20)) { client.swarm.reachability == .public }
        try expectNothingLeft(world, servers: servers)
    }

    @Test("A host that can't be reached is private: in version 2, two servers' word", arguments: [true, false])
    func becomesPrivate(hasVersion2: Bool) throws {
        let (world, client, servers) = scene(servers: 2, isDialledByServers: true)
        if !hasVersion2 { withoutVersion2(servers) }
        world.hide(client)
        world.expect(within: .seconds(60)) { client.swarm.reachability == .private }
        #expect(client.swarm.reachableAddresses.isEmpty)
        try expectNothingLeft(world, servers: servers)
    }

    private func withoutVersion2(_ servers: [SimulatedHost]) {
        for server in servers {
            server.swarm.setHandler(AutoNAT.dialRequestProtocolID, nil)
            server.swarm.pushIdentify()
        }
    }

    @Test("Old peers are asked in version 1; two of their words make a host public")
    func version1() throws {
        let (world, client, servers) = scene(servers: 2, isDialledByServers: true)
        withoutVersion2(servers)
        world.expect(within: .seconds(60)) { client.swarm.reachability == .public }
        #expect(try server(of: servers[0]).census.connections == 0)
        try expectNothingLeft(world, servers: servers)
    }

    @Test("A single old peer's word isn't enough, and it isn't asked for ever more often")
    func version1Alone() throws {
        let (world, client, servers) = scene(isDialledByServers: true)
        withoutVersion2(servers)
        servers[0].serve(AutoNAT.protocolID) { $0.reset() }
        world.run(for: .seconds(3_600))
        #expect(client.swarm.reachability == .unknown)
        let questions = servers[0].accepted.count
        #expect((2...8).contains(questions), "\(questions) questions in an hour")
        try expectNothingLeft(world, servers: servers)
    }

    @Test(
        "A server that claims success without a dial is not believed; nor one that shows the nonce on a connection of ours"
    )
    func lyingServer() throws {
        let world = SimulatedWorld()
        let client = world.makeHost(Self.settings(.never))
        let liar = world.makeHost(Self.settings(.never))
        client.listen()
        liar.listen()
        liar.serve(AutoNAT.dialRequestProtocolID) { stream in
            stream.write(
                AutoNATv2Message.dialResponse(AutoNATv2Response(status: 200, index: 0, dialStatus: 200))
                    .encodedDelimited())
        }
        client.dial(liar.address, of: liar.id)
        world.run(for: .seconds(1_000))
        #expect(liar.accepted.count >= 1)
        #expect(client.swarm.reachability == .unknown && client.swarm.reachableAddresses.isEmpty)
        // The client dialled that connection: a nonce there proves nothing, whatever it is.
        let connection = try #require(liar.swarm.peer(client.id)?.usableConnections.first)
        let shown = liar.open([AutoNAT.dialBackProtocolID], to: client, on: connection, isMigratable: false)
        shown.write(AutoNATDialBack(nonce: 1).encodedDelimited())
        world.expect { shown.end != nil }
        #expect(shown.end != .clean)
        world.expectNothingLeft()
    }

    @Test("A server without limits on its demands gets nothing; one that floods is cut off")
    func greedyServer() throws {
        let world = SimulatedWorld()
        let client = world.makeHost(Self.settings(.never))
        let greedy = world.makeHost(Self.settings(.never))
        client.listen()
        greedy.serve(AutoNAT.dialRequestProtocolID) { stream in
            stream.write(AutoNATv2Message.dialDataRequest(index: 0, count: .max).encodedDelimited())
        }
        greedy.listen()
        client.dial(greedy.address, of: greedy.id)
        world.expect(within: .seconds(10)) { greedy.accepted.first?.end != nil }
        #expect((greedy.accepted.first?.received.readableBytes ?? 0) < 200)
        #expect(client.swarm.reachability == .unknown)
        world.expectNothingLeft()
    }

    @Test("A reflected dial costs its price; the victim gets one connection, and no more than the rate")
    func reflectedDial() throws {
        let world = SimulatedWorld()
        let attacker = world.makeHost(Self.settings(.never))
        let server = world.makeHost(Self.settings(.always) { $0.serverLimits.foreignDialsPerMinute = 2 })
        let victim = world.makeHost(Self.settings(.never))
        server.listen()
        victim.listen()
        attacker.dial(server.address, of: server.id)
        world.run(for: .milliseconds(500))
        let connection = try #require(attacker.swarm.peer(server.id)?.usableConnections.first)
        func ask() -> SimulatedStream {
            let stream = attacker.open(
                [AutoNAT.dialRequestProtocolID], to: server, on: connection, isMigratable: false)
            stream.write(
                AutoNATv2Message.dialRequest(addresses: [victim.address.binary], nonce: 1).encodedDelimited())
            return stream
        }
        let refuses = ask()
        world.run(for: .seconds(1))
        #expect(refuses.answers.map(\.isDemand) == [true])
        world.run(for: .seconds(60))
        #expect(refuses.end != nil, "who doesn't pay is given up")
        #expect(victim.events.isEmpty)
        let pays = ask()
        world.run(for: .seconds(1))
        let data = AutoNATv2Message.dialData([UInt8](repeating: 0, count: 4_096)).encodedDelimited()
        guard case .dialDataRequest(0, let count)? = pays.answers.first else {
            Issue.record("no demand")
            return
        }
        for _ in 0..<(count + 4_095) / 4_096 { pays.write(data) }
        world.expect(within: .seconds(20)) { pays.end != nil }
        // It led to the victim, who isn't the attacker: an error of the dial.
        #expect(pays.answers.last == .dialResponse(AutoNATv2Response(status: 200, index: 0, dialStatus: 100)))
        #expect(victim.events.count == 1, "a connection that failed, for thirty thousand bytes and more")
        let many = (0..<4).map { _ in ask() }
        world.run(for: .seconds(1))
        #expect(many.contains { $0.answers == [.dialResponse(AutoNATv2Response(status: 100))] })
        world.run(for: .seconds(60))
        try expectNothingLeft(world, servers: [server])
    }

    @Test("A client that goes away, that says nothing and that says too much is forgotten")
    func badClients() throws {
        let (world, client, servers) = scene(isDialledByServers: true)
        let connection = try #require(client.swarm.peer(servers[0].id)?.usableConnections.first)
        func open(_ id: ProtocolID, _ bytes: [UInt8]) -> SimulatedStream {
            let stream = client.open([id], to: servers[0], on: connection, isMigratable: false)
            stream.write(bytes)
            return stream
        }
        let bad = [
            open(AutoNAT.dialRequestProtocolID, [0xff, 0xff, 0x7f]), open(AutoNAT.protocolID, [0x02, 0xff, 0xff]),
        ]
        world.expect(within: .seconds(1)) { bad.allSatisfy { $0.end != nil } }
        let silent = [open(AutoNAT.dialRequestProtocolID, [0x20]), open(AutoNAT.protocolID, [0x20])]
        world.expect(within: .seconds(60)) { silent.allSatisfy { $0.end != nil } }
        let request = AutoNATv2Message.dialRequest(addresses: [client.address.binary], nonce: 1).encodedDelimited()
        _ = open(AutoNAT.dialRequestProtocolID, request)
        world.run(for: .milliseconds(50))
        connection.close(abruptly: true)
        world.run(for: .seconds(60))
        try expectNothingLeft(world, servers: servers)
    }

    @Test("Who is known to be public serves at once; who finds out serves from then on")
    func automaticServer() throws {
        let (world, client, servers) = scene(
            isDialledByServers: true, client: { $0.server = .automatic }, server: { $0.known = .public })
        #expect(servers[0].swarm.reachability == .public)
        #expect(servers[0].swarm.supports(AutoNAT.dialRequestProtocolID))
        #expect(!client.swarm.supports(AutoNAT.dialRequestProtocolID))
        world.expect(within: .seconds(200)) { client.swarm.supports(AutoNAT.dialRequestProtocolID) }
        #expect(client.swarm.supports(AutoNAT.protocolID))
        // Now both are servers for each other: their questions are rare, and dial nothing in a circle.
        world.run(for: .seconds(7_200))
        #expect(client.events.count < 100 && servers[0].events.count < 100)
        try expectNothingLeft(world, servers: servers + [client])
    }

    /// A port that a router forwards to the host: peers that come by it see the host there.
    private func forward(_ number: UInt64, to host: SimulatedHost, in world: SimulatedWorld) throws -> Multiaddr {
        let listener = MemoryNetwork.Listener(group: world.loop) { transport, remote in
            let path = host.swarm.newPath(.listener, local: host.address, remote: remote)
            let connection = host.swarm.adopt(transport, path: path, expectedPeer: nil, completion: nil)
            guard let connection else { return }
            connection.start()
            transport.start(delegate: connection)
        }
        #expect(host.swarm.transports.memory.listen(at: number, listener) == number)
        return try Multiaddr(components: [.memory(number)])
    }

    @Test("Hole punching knows what peers observe also where nobody is asked, and nothing is announced")
    func observationsWithoutQuestions() throws {
        let world = SimulatedWorld()
        let client = world.makeHost(Self.settings(.never) { $0.isEnabled = false })
        let server = world.makeHost(Self.settings(.always))
        client.listen()
        let external = try forward(99, to: client, in: world)
        server.dial(external, of: client.id)
        world.run(for: .seconds(1_000))
        #expect(client.swarm.holePunchAddresses == [external, client.address])
        #expect(client.swarm.announcedAddresses == [client.address] && client.swarm.reachability == .unknown)
        try expectNothingLeft(world, servers: [server])
    }

    @Test(
        "An external address is announced when it was reached, and taken back when nobody sees the host there any more")
    func externalAddress() throws {
        let world = SimulatedWorld()
        let client = world.makeHost(Self.settings(.never))
        let server = world.makeHost(Self.settings(.always))
        client.listen()
        let external = try forward(99, to: client, in: world)
        server.dial(external, of: client.id)
        world.run(for: .milliseconds(100))
        world.hide(client)
        #expect(client.swarm.holePunchAddresses == [external, client.address], "a guess, before it is known")
        #expect(client.swarm.announcedAddresses == [client.address])
        world.expect(within: .seconds(1_000)) { client.swarm.announcedAddresses.contains(external) }
        #expect(client.swarm.reachability == .public && client.swarm.reachableAddresses == [external])
        world.expect(within: .seconds(1)) {
            server.swarm.peer(client.id)?.info?.listenAddresses.contains(external) == true
        }
        server.swarm.peer(client.id)?.usableConnections.first?.close()
        world.run(for: .seconds(1_700))
        #expect(client.swarm.announcedAddresses.contains(external))
        world.run(for: .seconds(200))
        #expect(client.swarm.announcedAddresses == [client.address])
        let told = client.events.compactMap { event -> String? in
            switch event {
            case .externalAddressConfirmed(let address): "confirmed \(address)"
            case .externalAddressExpired(let address): "expired \(address)"
            case .reachabilityChanged(let reachability): "\(reachability)"
            default: nil
            }
        }
        #expect(told == ["confirmed /memory/99", "public", "expired /memory/99", "unknown"])
        try expectNothingLeft(world, servers: [server])
    }

    @Test("Who is known to be public announces at once what peers agree on, and asks nobody")
    func knownToBePublic() throws {
        let world = SimulatedWorld()
        let relay = world.makeHost(Self.settings(.automatic) { $0.known = .public })
        let server = world.makeHost(Self.settings(.always))
        relay.listen()
        let external = try forward(99, to: relay, in: world)
        server.dial(external, of: relay.id)
        world.run(for: .seconds(100))
        #expect(relay.swarm.announcedAddresses == [relay.address, external])
        #expect(server.swarm.reachabilityService?.server.census == SwarmCensus(), "nobody was dialled")
        let changes = relay.events.filter { if case .reachabilityChanged = $0 { true } else { false } }
        #expect(changes.isEmpty && relay.swarm.reachability == .public)
        try expectNothingLeft(world, servers: [server, relay])
    }

    @Test("A swarm that has served and asked is freed")
    func isFreed() {
        weak var client: Swarm?
        weak var dialer: Swarm?
        do {
            let (world, host, servers) = scene(isDialledByServers: true)
            world.expect(within: .seconds(200)) { host.swarm.reachability == .public }
            client = host.swarm
            dialer = servers[0].swarm.reachabilityService?.server.dialer
            #expect(client != nil && dialer != nil)
            for host in [host] + servers { world.hide(host) }
            world.expectNothingLeft()
            world.forget()
        }
        #expect(client == nil && dialer == nil)
    }

    @Test("A host that nobody helps asks nobody, and has no timer")
    func idle() {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        left.listen()
        left.dial(right.address, of: right.id)
        let link = world.connect(left, right, delay: .milliseconds(1))
        world.run(for: .seconds(1))
        #expect(link.underlyingStreams == 0)
        #expect(left.swarm.reachabilityService?.state.withLock { $0.timer == nil } == true)
        world.expectNothingLeft()
    }
}

extension SimulatedWorld {
    /// Lets nobody dial the host any more, as behind a NAT; what stands goes on.
    fileprivate func hide(_ host: SimulatedHost) {
        guard case .memory(let number)? = host.address.components.first else { return }
        host.swarm.transports.memory.stop(at: number)
    }
}

extension SimulatedStream {
    fileprivate func write(_ bytes: [UInt8]) {
        _ = logical.tryWrite(ByteBuffer(bytes: bytes))
    }

    /// The messages of an AutoNAT server that have come.
    fileprivate var answers: [AutoNATv2Message] {
        var input = Array(received.readableBytesView)[...]
        var messages: [AutoNATv2Message] = []
        while let message = try? AutoNATv2Message.decodeDelimited(from: &input) { messages.append(message) }
        return messages
    }
}

extension AutoNATv2Message {
    fileprivate var isDemand: Bool { if case .dialDataRequest = self { true } else { false } }
}
