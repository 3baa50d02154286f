import NIOCore
import OxbowCore
import OxbowSwarm
import OxbowTesting
import Testing

@testable import OxbowNIO

/// Connections that are too many are turned away before they cost anything, and whoever is connected notices nothing
/// (CVE-2022-23492, CVE-2022-23486, CVE-2022-23487).
@Suite struct ConnectionLimitTests {
    @Test("10,000 silent connections from one address: eight wait, the rest is cheap, honest peers come and work")
    func floodFromOneAddress() throws {
        let world = SimulatedWorld()
        let (host, friend) = (world.makeHost(), world.makeHost())
        host.serve(echo) { $0.echo() }
        let link = world.connect(friend, host, delay: .milliseconds(5))
        let stream = friend.open(echo, to: host, on: link)
        stream.send(400_000, chunk: 1_000, each: .milliseconds(10))
        var late: RawPeer?
        var answered = 0
        for attempt in 0..<10_000 {
            let far = try world.openSilently(host, from: "/ip4/192.0.2.66")
            answered += far.sentCount > 0 ? 1 : 0
            if attempt % 10 == 0 { world.run(for: .milliseconds(1)) }
            if attempt == 5_000 { late = try world.connectRaw(2, at: "/ip4/192.0.2.67", to: host) }
        }
        // Silence ends after ten seconds, so that others of the same address get those places; this flood was faster.
        #expect(answered == 8, "a refused connection isn't answered with a byte")
        #expect(host.swarm.ledger.used(.address(IPPrefix("192.0.2.66")!)).inboundConnections == 8)
        #expect(late?.isUp == true && late?.isClosed == false, "from another address, in the middle of the flood")
        world.run(for: .seconds(15))
        #expect(host.swarm.ledger.used(.address(IPPrefix("192.0.2.66")!)).isZero)
        #expect(stream.end == .clean && stream.received.readableBytes == stream.sent && stream.sent == 400_000)
        // What was told: each refusal is counted, and there is about one event in a second.
        let told = host.refusals
        #expect(told.reduce(0) { $0 + $1.count } == 10_000 - 8)
        #expect(told.count <= 4 && told.allSatisfy { $0.refusal.scope.kind == .handshakes })
        #expect(host.inboundFailures == 8, "the eight whose handshake never came")
        stream.finish()
        world.run(for: .seconds(1))
        world.expectNothingLeft()
    }

    @Test("A slow-loris flood from a whole /24 takes a part of the handshakes; other networks have the rest")
    func slowLoris() throws {
        let world = SimulatedWorld()
        let host = world.makeHost { $0.limits.resources.system.inboundConnections = 400 }
        for attempt in 0..<2_000 { _ = try world.openSilently(host, from: "/ip4/203.0.113.\(attempt % 256)") }
        let block = ResourceScope.handshakes(try #require(IPPrefix("203.0.113.0/24")))
        #expect(host.swarm.ledger.used(block).inboundConnections == 32)
        let honest = try world.connectRaw(1, at: "/ip4/198.51.100.1", to: host)
        #expect(honest.isUp)
        // IPv6: whoever has a /48 has 2^80 addresses.
        for attempt in 0..<2_000 {
            _ = try world.openSilently(host, from: "/ip6/2001:db8:7:\(String(attempt % 256, radix: 16))00::1")
        }
        let site = ResourceScope.handshakes(try #require(IPPrefix("2001:db8:7::/48")))
        #expect(host.swarm.ledger.used(site).inboundConnections == 32)
        #expect(try world.connectRaw(2, at: "/ip6/2001:db8:8::1", to: host).isUp)
        world.expectNothingLeft()
    }

    @Test("A full host still takes an allowed address; the ones it has are not harmed")
    func allowedAddress() throws {
        let world = SimulatedWorld()
        let host = world.makeHost {
            $0.limits.resources.system.inboundConnections = 20
            $0.limits.resources.transient.inboundConnections = 10
            $0.limits.resources.addresses = .unlimited
            $0.limits.resources.allowedAddresses = [IPPrefix("10.1.0.0/16")!]
        }
        for attempt in 0..<100 { _ = try world.openSilently(host, from: "/ip4/203.0.113.\(attempt)") }
        #expect(host.swarm.ledger.used(.transient).inboundConnections == 10)
        let stranger = try world.connectRaw(1, at: "/ip4/10.2.0.1", to: host)
        #expect(!stranger.isUp && stranger.isClosed)
        let friend = try world.connectRaw(2, at: "/ip4/10.1.0.1", to: host)
        #expect(friend.isUp && !friend.isClosed)
        #expect(host.swarm.ledger.used(.allowlisted).inboundConnections == 1)
        world.expectNothingLeft()
    }

    @Test("A ninth connection with a peer is refused by name, whoever dials; the eight go on")
    func connectionsOfOnePeer() throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost { $0.limits.resources.peer = .unlimited })
        let links = (0..<8).map { _ in world.connect(left, right) }
        let ninth = world.connect(left, right)
        guard case .failure(.overLimit(let refusal))? = ninth.result else {
            Issue.record("\(String(describing: ninth.result))")
            return
        }
        #expect(refusal.scope == .peer(right.id) && refusal.resource == .connections && refusal.limit == 8)
        #expect("\(ConnectionError.overLimit(refusal))".contains("raise ResourceLimits.peer.connections"))
        #expect(links.allSatisfy { left.swarm.peer(right.id)?.hasConnection($0.connection(of: left)) == true })
        #expect(left.swarm.ledger.used(.transient).isZero)
        world.expectNothingLeft()
    }

    @Test("Outbound connections have a limit too, and the error says which")
    func outbound() throws {
        let world = SimulatedWorld()
        let host = world.makeHost { $0.limits.resources.system.outboundConnections = 0 }
        let other = world.makeHost()
        let link = world.beginConnecting(host, other, delay: .zero)
        guard case .failure(.overLimit(let refusal))? = link.result else {
            Issue.record("\(String(describing: link.result))")
            return
        }
        #expect(refusal.scope == .system && refusal.resource == .outboundConnections)
        world.expectNothingLeft()
    }
}
