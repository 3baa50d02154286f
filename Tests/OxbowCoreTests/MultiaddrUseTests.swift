import OxbowCore
import Testing

@Suite struct MultiaddrUseTests {
    private let peer = samplePeer(1)
    private let other = samplePeer(2)

    @Test func thePeerIsTheLastComponent() throws {
        let plain = try Multiaddr("/ip4/192.0.2.1/tcp/4001")
        let named = try plain.appending(peer: peer)
        #expect(named.description == "/ip4/192.0.2.1/tcp/4001/p2p/\(peer)")
        #expect(named.peerID == peer)
        #expect(named.withoutPeerID == plain)
        #expect(plain.peerID == nil)
        #expect(plain.withoutPeerID == plain)
        let inside = try named.appending(.p2pCircuit)
        #expect(inside.peerID == nil)
        #expect(inside.withoutPeerID == inside)
        #expect(try inside.appending(peer: other).peerID == other)
        #expect(try Multiaddr("/p2p/\(peer)").withoutPeerID == nil)
    }

    @Test func aRelayedAddressKnowsItsRelay() throws {
        let relay = try Multiaddr("/ip4/192.0.2.1/tcp/4001/p2p/\(peer)")
        let relayed = try relay.appending(contentsOf: try Multiaddr("/p2p-circuit/p2p/\(other)"))
        #expect(relayed.isRelayed)
        #expect(relayed.relayAddress == relay)
        #expect(relayed.peerID == other)
        #expect(relayed.tcpEndpoint == nil)
        #expect(!relay.isRelayed)
        #expect(relay.relayAddress == nil)
        #expect(try Multiaddr("/p2p-circuit").relayAddress == nil)
        #expect(relayed.contains(.tcp))
        #expect(!relayed.contains(.udp))
    }

    @Test func appendingKeepsTheBounds() throws {
        let path = try Multiaddr("/unix/a")
        #expect(throws: MultiaddrError.behindPath(offset: 5)) { try path.appending(.quic) }
        #expect(throws: MultiaddrError.invalidValue(of: .dns, value: "0x612f62", .notAName, offset: 2 + 2)) {
            try Multiaddr("/quic").appending(.dns("a/b"))
        }
        let full = try Multiaddr(String(repeating: "/quic", count: 32))
        #expect(throws: MultiaddrError.tooManyComponents(limit: 32)) { try full.appending(peer: peer) }
        #expect(throws: MultiaddrError.tooManyComponents(limit: 32)) { try full.appending(contentsOf: full) }
        let long = try Multiaddr(String(repeating: "/dns/" + String(repeating: "a", count: 250), count: 4))
        #expect(throws: MultiaddrError.tooLong(length: 1032, limit: 1024)) {
            try long.appending(.dns(String(repeating: "a", count: 18)))
        }
        #expect(throws: MultiaddrError.empty) { try Multiaddr(components: []) }
    }

    @Test func componentsAreEqualWhenTheirBytesAre() {
        #expect(Multiaddr.Component.dns("a") != .dns4("a"))
        #expect(Multiaddr.Component.tcp(1) != .tcp(2))
        // The same text to Swift's String, two paths to the system.
        #expect(Multiaddr.Component.unix("/\u{e9}") != .unix("/e\u{301}"))
        #expect(Set([Multiaddr.Component.tcp(1), .tcp(1), .udp(1)]).count == 2)
    }

    @Test(
        arguments: [
            ("/ip4/192.0.2.1/tcp/4001", "192.0.2.1:4001"), ("/ip6/2001:db8::1/tcp/1", "[2001:db8::1]:1"),
            ("/ip6zone/eth0/ip6/fe80::1/tcp/1", "[fe80::1%eth0]:1"), ("/dns/a.example/tcp/443", "a.example:443"),
            ("/dns4/a.example/tcp/443", "a.example:443"), ("/dns6/a.example/tcp/443", "a.example:443"),
            ("/ip4/192.0.2.1/tcp/4001/p2p/\(samplePeer(1))", "192.0.2.1:4001"),
            ("/ip4/192.0.2.1", nil), ("/tcp/4001", nil), ("/ip4/192.0.2.1/udp/4001", nil),
            ("/ip4/192.0.2.1/tcp/1/ws", nil),
            ("/ip4/192.0.2.1/tcp/1/tls", nil), ("/ip4/192.0.2.1/tcp/1/tls/p2p/\(samplePeer(1))", nil),
            ("/ip4/192.0.2.1/tcp/1/p2p/\(samplePeer(1))/p2p-circuit", nil),
            ("/ip4/192.0.2.1/tcp/1/p2p/\(samplePeer(1))/p2p/\(samplePeer(1))", nil), ("/dnsaddr/a.example/tcp/1", nil),
            ("/ip6zone/eth0/tcp/1", nil), ("/ip6zone/eth0", nil), ("/ip6zone/eth0/ip4/192.0.2.1/tcp/1", nil),
            ("/unix/tmp/socket", nil), ("/p2p/\(samplePeer(1))", nil), ("/ip4/192.0.2.1/ipcidr/24/tcp/1", nil),
        ] as [(String, String?)])
    func theTCPEndpointIsThatOfAPlainAddress(text: String, expected: String?) throws {
        #expect(try Multiaddr(text).tcpEndpoint?.description == expected)
    }

    @Test func endpointsKeepWhatTheSocketNeeds() throws {
        #expect(
            try Multiaddr("/ip4/1.2.3.4/tcp/5").tcpEndpoint
                == TCPEndpoint(host: .ip4(IPv4Address(bits: 0x0102_0304)), port: 5))
        #expect(
            try Multiaddr("/ip6zone/x/ip6/::1/tcp/5").tcpEndpoint?.host == .ip6(IPv6Address(bits: 1), zone: "x"))
        #expect(try Multiaddr("/dns/a/tcp/5").tcpEndpoint?.host == .dns(name: "a", family: .any))
        #expect(try Multiaddr("/dns4/a/tcp/5").tcpEndpoint?.host == .dns(name: "a", family: .ip4))
        #expect(try Multiaddr("/dns6/a/tcp/5").tcpEndpoint?.host == .dns(name: "a", family: .ip6))
        #expect(try Multiaddr("/dns6/a/tcp/5").host?.scope == nil)
    }

    @Test(arguments: [
        ("/ip4/127.0.0.1/tcp/1", "loopback"), ("/ip6/::1/tcp/1", "loopback"),
        ("/ip6/::ffff:127.0.0.1/tcp/1", "loopback"),
        ("/ip4/0.0.0.0/tcp/0", "unspecified"), ("/ip6/::/udp/0/quic-v1", "unspecified"),
        ("/ip4/192.168.1.1/tcp/1", "private"), ("/ip4/100.64.0.1/tcp/1", "private"),
        ("/ip4/169.254.0.1/tcp/1", "private"),
        ("/ip6zone/x/ip6/fe80::1/tcp/1", "private"), ("/ip6/fd00::1/tcp/1", "private"),
        ("/ip4/8.8.8.8/tcp/1", "global"),
        ("/ip6/2606:4700::1/tcp/1", "global"), ("/ip4/224.0.0.1/tcp/1", ""), ("/dns/localhost/tcp/1", ""),
        ("/tcp/1/ip4/127.0.0.1", ""), ("/p2p-circuit", ""),
    ])
    func addressesAreClassifiedByTheirIP(text: String, expected: String) throws {
        let address = try Multiaddr(text)
        #expect(address.isLoopback == (expected == "loopback"))
        #expect(address.isUnspecified == (expected == "unspecified"))
        #expect(address.isPrivate == (expected == "private"))
        #expect(address.isGlobal == (expected == "global"))
    }
}
