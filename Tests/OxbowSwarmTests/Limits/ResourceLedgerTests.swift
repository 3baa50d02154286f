import OxbowCore
import OxbowSwarm
import Testing

/// Each limit on its own: what it refuses, and that the refusal leaves no trace (CVE-2022-23492, CVE-2022-23486,
/// CVE-2022-23487: connections, streams and small allocations without a limit).
@Suite struct ResourceLedgerTests {
    static let echo: ProtocolID = "/echo/1.0.0"
    static let other: ProtocolID = "/other/1.0.0"

    /// The refusal of `body`, after which nothing in the books has changed.
    private func refusal(
        _ ledger: inout ResourceLedger, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (inout ResourceLedger) throws(ResourceRefusal) -> Void
    ) -> ResourceRefusal? {
        let before = books(of: ledger)
        do throws(ResourceRefusal) {
            try body(&ledger)
            Issue.record("it was let in", sourceLocation: sourceLocation)
            return nil
        } catch {
            #expect(books(of: ledger) == before, "a refusal leaves no trace", sourceLocation: sourceLocation)
            return error
        }
    }

    /// What each scope uses, and how many scopes there are.
    private struct Books: Equatable {
        var used: [ResourceUsage]
        var scopes: Int
    }

    private func books(of ledger: ResourceLedger) -> Books {
        let peers = (0..<4).map(testPeer)
        let scopes: [ResourceScope] =
            [.system, .allowlisted, .transient, .protocol(Self.echo), .protocol(Self.other)]
            + peers.flatMap { [.peer($0), .negotiations($0), .protocolOfPeer(Self.echo, $0)] }
            + (0..<32).flatMap { [.connection($0), .stream($0)] }
        return Books(used: scopes.map(ledger.used), scopes: ledger.scopeCount)
    }

    private func ledger(_ change: (inout ResourceLimits) -> Void) -> ResourceLedger {
        var limits = ResourceLimits.unlimited
        change(&limits)
        return ResourceLedger(limits: limits)
    }

    @Test("The host's own limit of inbound connections, and of both directions together")
    func system() throws {
        var ledger = ledger {
            $0.system.inboundConnections = 2
            $0.system.connections = 3
        }
        try ledger.open(connection: 1, .inbound)
        try ledger.open(connection: 2, .inbound)
        let inbound = refusal(&ledger) { (ledger) throws(ResourceRefusal) in try ledger.open(connection: 3, .inbound) }
        #expect(inbound?.scope == .system && inbound?.resource == .inboundConnections)
        #expect(inbound?.limit == 2 && inbound?.used == 2 && inbound?.requested == 1)
        try ledger.open(connection: 3, .outbound)
        let total = refusal(&ledger) { (ledger) throws(ResourceRefusal) in try ledger.open(connection: 4, .outbound) }
        #expect(total?.scope == .system && total?.resource == .connections)
        ledger.close(connection: 1)
        try ledger.open(connection: 4, .inbound)
        #expect(ledger.connectionCount == 3)
    }

    @Test("Connections that are still being set up have a limit of their own; one whose peer is known is out of it")
    func transientConnections() throws {
        var ledger = ledger { $0.transient.inboundConnections = 1 }
        try ledger.open(connection: 1, .inbound)
        let full = refusal(&ledger) { (ledger) throws(ResourceRefusal) in try ledger.open(connection: 2, .inbound) }
        #expect(full?.scope == .transient)
        try ledger.authenticated(connection: 1, as: testPeer(0))
        #expect(ledger.used(.transient).isZero && ledger.used(.peer(testPeer(0))).inboundConnections == 1)
        try ledger.open(connection: 2, .inbound)
    }

    @Test("Addresses: one host, its block, another block; loopback and relayed connections have none")
    func addresses() throws {
        var ledger = ledger {
            $0.addresses = AddressLimits()
            $0.addresses.ip4 = [
                .init(prefixLength: 32, connections: 2, handshakes: 2),
                .init(prefixLength: 24, connections: 3, handshakes: 3),
            ]
        }
        func open(_ number: UInt64, _ address: String?) throws(ResourceRefusal) {
            try ledger.open(connection: number, .inbound, from: address.flatMap(IPPrefix.init))
            try ledger.authenticated(connection: number, as: testPeer(Int(number)))
        }
        for number in 1...2 as ClosedRange<UInt64> { try open(number, "192.0.2.1") }
        let host = refusal(&ledger) { (ledger) throws(ResourceRefusal) in
            try ledger.open(connection: 3, .inbound, from: IPPrefix("192.0.2.1"))
        }
        #expect(host?.scope == .address(IPPrefix("192.0.2.1")!))
        try open(3, "192.0.2.77")
        let block = refusal(&ledger) { (ledger) throws(ResourceRefusal) in
            try ledger.open(connection: 4, .inbound, from: IPPrefix("192.0.2.200"))
        }
        #expect(block?.scope == .address(IPPrefix("192.0.2.0/24")!))
        #expect("\(try #require(block))".contains("from 192.0.2.0/24") && "\(block!)".contains("allowedAddresses"))
        try open(4, "192.0.3.1")
        for number in 10..<20 as Range<UInt64> { try open(number, number % 2 == 0 ? "127.0.0.1" : nil) }
        // Who dials out has chosen the address.
        for number in 20..<30 as Range<UInt64> {
            try ledger.open(connection: number, .outbound, from: IPPrefix("192.0.2.1"))
        }
    }

    @Test("An address's handshakes at once have a limit of their own (slow loris)")
    func handshakes() throws {
        var ledger = ledger {
            $0.addresses.ip6 = [.init(prefixLength: 56, connections: 100, handshakes: 2)]
        }
        for number in 0..<20 as Range<UInt64> {
            // Somewhere in the household's block.
            let address = IPPrefix("2001:db8:0:4\(number % 10)::\(number + 1)")
            try ledger.open(connection: number, .inbound, from: address)
            try ledger.authenticated(connection: number, as: testPeer(0))
        }
        try ledger.open(connection: 20, .inbound, from: IPPrefix("2001:db8:0:40::1"))
        try ledger.open(connection: 21, .inbound, from: IPPrefix("2001:db8:0:40::2"))
        let full = refusal(&ledger) { (ledger) throws(ResourceRefusal) in
            try ledger.open(connection: 22, .inbound, from: IPPrefix("2001:db8:0:4f::3"))
        }
        #expect(full?.scope == .handshakes(IPPrefix("2001:db8::/56")!))
        try ledger.open(connection: 22, .inbound, from: IPPrefix("2001:db8:0:140::3"))
        ledger.close(connection: 20)
        try ledger.open(connection: 23, .inbound, from: IPPrefix("2001:db8::9"))
    }

    @Test("A peer's connections and streams, with limits of its own if it has some")
    func peer() throws {
        var ledger = ledger {
            $0.peer = ScopeLimits(connections: 1, inboundStreams: 1)
            $0.peers[testPeer(1)] = ScopeLimits(connections: 2)
        }
        for number in 0..<4 as Range<UInt64> { try ledger.open(connection: number, .inbound) }
        try ledger.authenticated(connection: 0, as: testPeer(0))
        let second = refusal(&ledger) { (ledger) throws(ResourceRefusal) in
            try ledger.authenticated(connection: 1, as: testPeer(0))
        }
        #expect(second?.scope == .peer(testPeer(0)) && second?.resource == .connections && second?.limit == 1)
        try ledger.authenticated(connection: 1, as: testPeer(1))
        try ledger.authenticated(connection: 2, as: testPeer(1))
        try ledger.open(stream: 0, .inbound, on: 0)
        let stream = refusal(&ledger) { (ledger) throws(ResourceRefusal) in
            try ledger.open(stream: 1, .inbound, on: 0)
        }
        #expect(stream?.scope == .peer(testPeer(0)) && stream?.resource == .inboundStreams)
        #expect(stream?.scope.isOfOnePeer == true)
        try ledger.open(stream: 1, .inbound, on: 1)
        try ledger.open(stream: 2, .inbound, on: 2)
    }

    @Test("Streams: while nobody knows what for, then of a protocol, of it with one peer, of the connection")
    func streams() throws {
        var ledger = ledger {
            $0.negotiations.inboundStreams = 2
            $0.protocols[Self.echo] = ScopeLimits(streams: 3)
            $0.protocolsOfPeer[Self.echo] = ScopeLimits(streams: 2)
            $0.connection.streams = 4
        }
        for number in 0..<2 as Range<UInt64> {
            try ledger.open(connection: number, .inbound)
            try ledger.authenticated(connection: number, as: testPeer(Int(number)))
        }
        try ledger.open(stream: 0, .inbound, on: 0)
        try ledger.open(stream: 1, .inbound, on: 0)
        let negotiating = refusal(&ledger) { (ledger) throws(ResourceRefusal) in
            try ledger.open(stream: 2, .inbound, on: 0)
        }
        #expect(negotiating?.scope == .negotiations(testPeer(0)))
        try ledger.assign(stream: 0, to: Self.echo)
        try ledger.assign(stream: 0, to: Self.echo)
        try ledger.assign(stream: 1, to: Self.echo)
        #expect(ledger.used(.transient).isZero && ledger.used(.negotiations(testPeer(0))).isZero)
        #expect(ledger.used(.protocol(Self.echo)).streams == 2)
        try ledger.open(stream: 2, .inbound, on: 0)
        let third = refusal(&ledger) { (ledger) throws(ResourceRefusal) in
            try ledger.assign(stream: 2, to: Self.echo)
        }
        #expect(third?.scope == .protocolOfPeer(Self.echo, testPeer(0)))
        try ledger.assign(stream: 2, to: Self.other)
        try ledger.open(stream: 3, .outbound, on: 1, for: Self.echo)
        let fourth = refusal(&ledger) { (ledger) throws(ResourceRefusal) in
            try ledger.open(stream: 4, .outbound, on: 1, for: Self.echo)
        }
        #expect(fourth?.scope == .protocol(Self.echo))
        try ledger.open(stream: 4, .outbound, on: 0, for: Self.other)
        let fifth = refusal(&ledger) { (ledger) throws(ResourceRefusal) in
            try ledger.open(stream: 5, .outbound, on: 0, for: Self.other)
        }
        #expect(fifth?.scope == .connection(0) && fifth?.resource == .streams)
    }

    @Test("Memory of connections and streams: in every scope, or in none")
    func memory() throws {
        var ledger = ledger {
            ($0.memoryPerConnection, $0.memoryPerStream) = (10, 5)
            $0.system.memory = 200
            $0.peer.memory = 100
            $0.stream.memory = 30
        }
        try ledger.open(connection: 0, .inbound)
        try ledger.authenticated(connection: 0, as: testPeer(0))
        try ledger.open(stream: 0, .inbound, on: 0, for: Self.echo)
        #expect(ledger.used(.system).memory == 15)
        try ledger.reserve(memory: 25, stream: 0)
        let stream = refusal(&ledger) { (ledger) throws(ResourceRefusal) in try ledger.reserve(memory: 1, stream: 0) }
        #expect(stream?.scope == .stream(0) && stream?.used == 30 && stream?.limit == 30)
        try ledger.reserve(memory: 60, connection: 0)
        #expect(ledger.used(.connection(0)).memory == 100 && ledger.used(.protocol(Self.echo)).memory == 30)
        let peer = refusal(&ledger) { (ledger) throws(ResourceRefusal) in
            try ledger.reserve(memory: .max, connection: 0)
        }
        #expect(peer?.resource == .memory && peer?.requested == .max)
        ledger.release(memory: 60, connection: 0)
        ledger.release(memory: 20, stream: 0)
        #expect(ledger.used(.system).memory == 20)
        ledger.close(connection: 0)
        // A stream may outlive its connection by a moment.
        #expect(ledger.used(.system).memory == 10 && ledger.used(.peer(testPeer(0))).memory == 10)
        ledger.close(stream: 0)
        ledger.close(stream: 0)
        #expect(ledger.scopeCount == 0)
    }

    @Test("Allowed addresses and peers have limits of their own, which a flood from elsewhere doesn't touch")
    func allowlist() throws {
        var ledger = ledger {
            $0.system.inboundConnections = 2
            $0.addresses = AddressLimits()
            $0.addresses.ip4 = [.init(prefixLength: 32, connections: 1, handshakes: 1)]
            $0.allowlisted.inboundConnections = 3
            $0.allowedAddresses = [IPPrefix("198.51.100.0/24")!]
            $0.allowedPeers = [testPeer(3)]
        }
        for number in 0..<2 as Range<UInt64> { try ledger.open(connection: number, .inbound) }
        let stranger = refusal(&ledger) { (ledger) throws(ResourceRefusal) in
            try ledger.open(connection: 2, .inbound, from: IPPrefix("192.0.2.1"))
        }
        #expect(stranger?.scope == .system)
        try ledger.open(connection: 2, .inbound, from: IPPrefix("198.51.100.7"))
        try ledger.open(connection: 3, .inbound, from: IPPrefix("198.51.100.7"))
        #expect(ledger.used(.allowlisted).inboundConnections == 2 && ledger.used(.system).inboundConnections == 2)
        // A peer by its id alone: once it is known who it is, its place is free for others.
        try ledger.authenticated(connection: 0, as: testPeer(3))
        #expect(ledger.used(.allowlisted).inboundConnections == 3 && ledger.used(.system).inboundConnections == 1)
        try ledger.open(connection: 4, .inbound, from: IPPrefix("192.0.2.1"))
        let fourth = refusal(&ledger) { (ledger) throws(ResourceRefusal) in
            try ledger.authenticated(connection: 4, as: testPeer(3))
        }
        #expect(fourth?.scope == .allowlisted)
        try ledger.open(stream: 0, .inbound, on: 0, for: Self.echo)
        #expect(ledger.used(.allowlisted).streams == 1 && ledger.used(.system).streams == 0)
        for number in 0...4 as ClosedRange<UInt64> { ledger.close(connection: number) }
        ledger.close(stream: 0)
        #expect(ledger.scopeCount == 0)
    }

    @Test("A connection keeps the scopes of its last stream's protocol, not of all that it had streams for")
    func keptScopes() throws {
        var ledger = ledger { _ in }
        try ledger.open(connection: 0, .inbound)
        try ledger.authenticated(connection: 0, as: testPeer(0))
        var counts: Set<Int> = []
        for number in 0..<20 as Range<UInt64> {
            let name = try #require(ProtocolID("/protocol/\(number)"))
            try ledger.open(stream: number, .inbound, on: 0, for: number % 2 == 0 ? name : nil)
            try ledger.assign(stream: number, to: name)
            #expect(ledger.used(.protocolOfPeer(name, testPeer(0))).streams == 1)
            ledger.close(stream: number)
            #expect(ledger.used(.protocol(name)).isZero && ledger.used(.protocolOfPeer(name, testPeer(0))).isZero)
            counts.insert(ledger.scopeCount)
        }
        #expect(counts.count == 1, "no scope is left behind")
        ledger.close(connection: 0)
        #expect(ledger.scopeCount == 0)
    }

    @Test("A stream stays its peer's when another peer's connection has the number of the stream's own by now")
    func usedNumber() throws {
        var ledger = ledger { _ in }
        for peer in 0..<2 {
            try ledger.open(connection: 0, .inbound)
            try ledger.authenticated(connection: 0, as: testPeer(peer))
            try ledger.open(stream: UInt64(peer), .inbound, on: 0)
            if peer == 0 { ledger.close(connection: 0) }
        }
        try ledger.assign(stream: 1, to: Self.echo)
        try ledger.assign(stream: 0, to: Self.echo)
        for peer in 0..<2 { #expect(ledger.used(.protocolOfPeer(Self.echo, testPeer(peer))).streams == 1) }
        try ledger.open(stream: 2, .inbound, on: 0, for: Self.echo)
        #expect(ledger.used(.protocolOfPeer(Self.echo, testPeer(1))).streams == 2)
        ledger.close(connection: 0)
        for number in 0..<3 as Range<UInt64> { ledger.close(stream: number) }
        #expect(ledger.scopeCount == 0)
    }

    @Test("A refusal says whose limit it is, how much is used, and which setting raises it")
    func words() throws {
        var ledger = ledger { $0.peer.connections = 0 }
        try ledger.open(connection: 0, .outbound)
        let error = try #require(
            refusal(&ledger) { (ledger) throws(ResourceRefusal) in
                try ledger.authenticated(connection: 0, as: testPeer(0))
            })
        #expect(
            "\(error)" == "the limit of 0 connections with \(testPeer(0)) is reached (0 in use); "
                + "raise ResourceLimits.peer.connections to allow more")
    }
}
