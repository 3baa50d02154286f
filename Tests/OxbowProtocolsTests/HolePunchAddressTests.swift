import OxbowCore
import OxbowProtocols
import Testing

/// Which addresses a hole punch sends and dials (rust-libp2p #2438).
@Suite struct HolePunchAddressTests {
    private let policy = HolePunchAddressPolicy()

    @Test(
        "Only plain TCP to a global IP address is sent or dialled",
        arguments: [
            ("/ip4/1.2.3.4/tcp/4001", true),
            ("/ip6/2606:4700::1/tcp/4001", true),
            ("/ip4/1.2.3.4/tcp/0", false),
            ("/ip4/10.1.2.3/tcp/4001", false),
            ("/ip4/192.168.1.1/tcp/80", false),
            ("/ip4/100.64.0.1/tcp/80", false),
            ("/ip4/127.0.0.1/tcp/4001", false),
            ("/ip4/0.0.0.0/tcp/4001", false),
            ("/ip4/169.254.169.254/tcp/80", false),
            ("/ip4/224.0.0.1/tcp/80", false),
            ("/ip6/::1/tcp/4001", false),
            ("/ip6/::ffff:10.0.0.1/tcp/4001", false),
            ("/ip6/fe80::1/tcp/4001", false),
            ("/ip4/1.2.3.4/udp/4001/quic-v1", false),
            ("/ip4/1.2.3.4/tcp/4001/ws", false),
            ("/dns4/example.org/tcp/4001", false),
            ("/memory/1", false),
            ("/ip4/1.2.3.4/tcp/4001/p2p/12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq/p2p-circuit", false),
        ])
    func kinds(_ text: String, _ isUsable: Bool) throws {
        #expect(policy.isUsable(try Multiaddr(text)) == isUsable)
    }

    @Test("Private addresses count when the policy says so, loopback still doesn't")
    func scopes() throws {
        var policy = policy
        policy.scopes.insert(.privateUse)
        #expect(policy.isUsable(try Multiaddr("/ip4/10.1.2.3/tcp/4001")))
        #expect(!policy.isUsable(try Multiaddr("/ip4/127.0.0.1/tcp/4001")))
    }

    @Test("A peer's list is cut to eight addresses, two of one host; own ones and those of others are dropped")
    func limits() throws {
        let (peer, other) = (try Punch.peer(1), try Punch.peer(2))
        let base = try Multiaddr("/ip4/1.2.3.4/tcp/4001")
        let many = try (1...200).map { try Multiaddr("/ip4/5.6.7.\($0)/tcp/4001") }
        #expect(policy.dialable(many, of: peer, own: []) == Array(many.prefix(8)))
        let ports = try (1...200).map { try Multiaddr("/ip4/5.6.7.8/tcp/\($0)") }
        #expect(policy.dialable(ports + [base], of: peer, own: []) == Array(ports.prefix(2)) + [base])
        #expect(policy.dialable([try base.appending(peer: other)], of: peer, own: []).isEmpty)
        #expect(policy.dialable([try base.appending(peer: peer), base], of: peer, own: []) == [base])
        #expect(policy.dialable([base], of: peer, own: [try base.appending(peer: other)]).isEmpty)
        #expect(policy.sendable([try base.appending(peer: other), base] + many).count == 8)
    }
}
