import OxbowCore
import OxbowSwarm
import Testing

/// What peers say about where they see this host.
@Suite struct ObservedAddressesTests {
    private let listen: Multiaddr
    private var addresses: ObservedAddresses

    init() throws {
        listen = try Multiaddr("/ip4/10.0.0.5/tcp/4001")
        addresses = ObservedAddresses()
        addresses.setListenAddresses([listen])
    }

    private func time(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    private func observation(
        _ connection: UInt64, _ observed: String, by observer: String, from local: String? = "/ip4/10.0.0.5/tcp/4001",
        isOutbound: Bool = true
    ) throws -> ObservedAddresses.Observation {
        let group = try #require(NetworkGroup(try Multiaddr(observer + "/tcp/1")))
        return ObservedAddresses.Observation(
            connection: connection, localAddress: try local.map { try Multiaddr($0) }, observer: group,
            observed: try Multiaddr(observed), isOutbound: isOutbound)
    }

    /// `count` observers, each in a network of its own.
    private mutating func observe(
        _ observed: String, by count: UInt64, first: UInt64 = 1, from local: String? = "/ip4/10.0.0.5/tcp/4001"
    ) throws {
        for number in first..<first + count {
            let isKept = addresses.record(
                try observation(number, observed, by: "/ip4/8.0.\(number).1", from: local))
            #expect(isKept)
        }
    }

    @Test("An address counts when four networks agree, not earlier")
    mutating func threshold() throws {
        let external = try Multiaddr("/ip4/5.5.5.5/tcp/4001")
        try observe("/ip4/5.5.5.5/tcp/4001", by: 3)
        #expect(addresses.confirmed.isEmpty)
        #expect(addresses.guesses() == [external], "a guess at once")
        try observe("/ip4/5.5.5.5/tcp/4001", by: 1, first: 4)
        #expect(addresses.confirmed == [external])
    }

    @Test("One network is one voice: a /24, and a /56, however many peers and connections it has")
    mutating func oneVoice() throws {
        for number: UInt64 in 0..<8 {
            addresses.record(try observation(number, "/ip4/5.5.5.5/tcp/4001", by: "/ip4/8.0.0.\(number)"))
            addresses.record(
                try observation(100 + number, "/ip4/5.5.5.5/tcp/4001", by: "/ip6/2600:1:2:3:\(number)::1"))
        }
        #expect(addresses.count == 16)
        #expect(addresses.confirmed.isEmpty)
        let isKept = addresses.record(try observation(50, "/ip4/5.5.5.5/tcp/4001", by: "/ip4/8.0.0.99"))
        #expect(!isKept, "a network fills no memory")
        for number: UInt64 in 1...3 {
            addresses.record(try observation(200 + number, "/ip4/5.5.5.5/tcp/4001", by: "/ip4/9.\(number).0.1"))
        }
        #expect(addresses.confirmed == [try Multiaddr("/ip4/5.5.5.5/tcp/4001")], "1 + 1 + 3 networks")
    }

    @Test("A peer that changes its mind on a connection has one voice still")
    mutating func replaces() throws {
        try observe("/ip4/5.5.5.5/tcp/4001", by: 4)
        try observe("/ip4/6.6.6.6/tcp/4001", by: 1)
        #expect(addresses.count == 4)
        #expect(addresses.confirmed.isEmpty)
    }

    @Test(
        "What says nothing is not kept",
        arguments: [
            "/ip4/127.0.0.1/tcp/4001", "/ip4/0.0.0.0/tcp/4001", "/ip6/2600::1/tcp/4001", "/ip4/5.5.5.5/udp/4001",
            "/dns4/example.com/tcp/4001", "/ip4/5.5.5.5",
            "/ip4/5.5.5.5/tcp/4001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit",
        ])
    mutating func ignores(observed: String) throws {
        let isKept = addresses.record(try observation(1, observed, by: "/ip4/8.0.0.1"))
        #expect(!isKept && addresses.count == 0)
    }

    @Test("Many liars with few networks don't outvote; the memory is bounded, the oldest goes first")
    mutating func bounded() throws {
        var configuration = ObservedAddresses.Configuration()
        configuration.maximumObservations = 8
        addresses = ObservedAddresses(configuration)
        addresses.setListenAddresses([listen])
        for number: UInt64 in 0..<1_000 {
            addresses.record(
                try observation(
                    number, "/ip4/5.5.5.\(number % 250)/tcp/4001", by: "/ip4/8.\(number / 250).\(number % 250).1"))
        }
        #expect(addresses.count == 8)
        #expect(addresses.confirmed.isEmpty)
        #expect(addresses.guesses().count == 3, "three of a listen address")
    }

    @Test("An observation outlives its connection by its time, then expires")
    mutating func expiry() throws {
        try observe("/ip4/5.5.5.5/tcp/4001", by: 4)
        addresses.expire(at: .distantFuture)
        #expect(addresses.count == 4, "a standing connection's observation stands")
        #expect(addresses.nextExpiry == nil)
        addresses.connectionClosed(1, at: time(10))
        #expect(addresses.nextExpiry == time(10 + 1_800))
        addresses.expire(at: time(1_809))
        #expect(addresses.confirmed.count == 1)
        addresses.expire(at: time(1_810))
        #expect(addresses.confirmed.isEmpty && addresses.count == 3)
        addresses.connectionClosed(77, at: time(1))
    }

    @Test("The most observed comes first; three of one listen address at most")
    mutating func ranking() throws {
        for (index, count) in [4, 6, 5, 4].enumerated() {
            try observe("/ip4/5.5.5.\(index)/tcp/4001", by: UInt64(count), first: UInt64(index * 10 + 1))
        }
        #expect(
            addresses.confirmed.map(\.description) == [
                "/ip4/5.5.5.1/tcp/4001", "/ip4/5.5.5.2/tcp/4001", "/ip4/5.5.5.0/tcp/4001",
            ])
    }

    @Test("What is above IP address and port is the listen address's own")
    mutating func thinWaist() throws {
        let webSocket = try Multiaddr("/ip4/10.0.0.5/tcp/4001/ws")
        addresses.setListenAddresses([listen, webSocket, try Multiaddr("/ip4/10.0.0.5/tcp/5001")])
        try observe("/ip4/5.5.5.5/tcp/30000", by: 4)
        #expect(
            addresses.confirmed.map(\.description) == ["/ip4/5.5.5.5/tcp/30000", "/ip4/5.5.5.5/tcp/30000/ws"])
    }

    @Test("Connections from other ports tell the IP address alone: its listening ports are guesses")
    mutating func samePort() throws {
        try observe("/ip4/5.5.5.5/tcp/51234", by: 3, from: "/ip4/10.0.0.5/tcp/51234")
        #expect(addresses.confirmed.isEmpty && addresses.samePort.isEmpty)
        #expect(addresses.guesses() == [try Multiaddr("/ip4/5.5.5.5/tcp/4001")])
        try observe("/ip4/5.5.5.5/tcp/51235", by: 1, first: 4, from: nil)
        #expect(addresses.samePort == [try Multiaddr("/ip4/5.5.5.5/tcp/4001")])
        #expect(addresses.confirmed.isEmpty)
        #expect(addresses.mapping == .unknown, "which port leads to which is not known")
    }

    @Test("What a peer dialled is where it found this host")
    mutating func inbound() throws {
        for number: UInt64 in 1...4 {
            addresses.record(
                try observation(number, "/ip4/5.5.5.5/tcp/9", by: "/ip4/8.0.\(number).1", isOutbound: false))
        }
        #expect(addresses.confirmed == [try Multiaddr("/ip4/5.5.5.5/tcp/9")])
        #expect(addresses.mapping == .unknown && addresses.samePort.isEmpty)
    }

    @Test("No NAT, one port for all, one for each: what the mapping is called")
    mutating func mappings() throws {
        #expect(addresses.mapping == .unknown)
        try observe("/ip4/5.5.5.5/tcp/30000", by: 1)
        #expect(addresses.mapping == .unknown, "one observer can't tell")
        try observe("/ip4/5.5.5.5/tcp/30000", by: 1, first: 2)
        #expect(addresses.mapping == .endpointIndependent)
        try observe("/ip4/5.5.5.5/tcp/30001", by: 1, first: 2)
        #expect(addresses.mapping == .endpointDependent, "a symmetric NAT")
        try observe("/ip4/5.5.5.5/tcp/30002", by: 1, first: 3)
        #expect(addresses.mapping == .endpointDependent)
        try observe("/ip4/10.0.0.5/tcp/4001", by: 3)
        #expect(addresses.mapping == .none)
    }

    @Test("One liar doesn't make a NAT symmetric")
    mutating func liar() throws {
        try observe("/ip4/5.5.5.5/tcp/30000", by: 3)
        try observe("/ip4/5.5.5.5/tcp/1", by: 1, first: 9)
        #expect(addresses.mapping == .endpointIndependent)
    }
}
