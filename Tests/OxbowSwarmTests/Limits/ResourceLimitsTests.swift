import OxbowCore
import OxbowSwarm
import Testing

@Suite struct ResourceLimitsTests {
    @Test("The numbers for the host grow with its memory, and stop at both ends")
    func scaling() {
        let eight = ResourceLimits(memory: 8 << 30)
        #expect(eight.system.inboundConnections == 8 * 128 && eight.system.memory == 2 << 30)
        #expect(eight.peer.connections == 8 && eight.peer.memory == 64 << 20 && eight.stream.memory == 16 << 20)
        #expect(ResourceLimits(memory: 1 << 30).system.inboundConnections == 128)
        #expect(ResourceLimits(memory: 0) == ResourceLimits(memory: 256 << 20))
        #expect(ResourceLimits(memory: -5).system.inboundConnections == 32)
        #expect(ResourceLimits(memory: .max).problem == nil)
        #expect(ResourceLimits.unlimited.problem == nil && eight.problem == nil)
    }

    @Test("At worst, with each stream's first window, three quarters of the memory are used")
    func worstCase() {
        for gibibytes in [1, 4, 64] {
            let limits = ResourceLimits(memory: gibibytes << 30)
            let worst = limits.system.streams * 256 << 10 + limits.system.memory
            #expect(worst <= gibibytes << 30 * 3 / 4)
        }
    }

    @Test("Limits that can't work say why")
    func problems() {
        func problem(_ change: (inout ResourceLimits) -> Void) -> String? {
            var limits = ResourceLimits(memory: 1 << 30)
            change(&limits)
            return limits.problem
        }
        #expect(problem { $0.peer.connections = -1 }?.contains("-1 connections") == true)
        #expect(problem { $0.protocols["/x"] = ScopeLimits(memory: -2) } != nil)
        #expect(problem { $0.memoryPerStream = 17 << 20 }?.contains("stream.memory") == true)
        #expect(problem { $0.memoryPerConnection = 65 << 20 }?.contains("connection.memory") == true)
        #expect(problem { $0.memoryPerStream = -1 } != nil)
        #expect(problem { $0.addresses.ip4[0].prefixLength = 33 }?.contains("0 to 32") == true)
        #expect(problem { $0.addresses.ip6[0].handshakes = -1 } != nil)
        #expect(problem { $0.addresses.ip6[1].prefixLength = 56 }?.contains("same prefix length") == true)
        let many = (1...5).map { AddressLimits.Block(prefixLength: $0, connections: 1, handshakes: 1) }
        #expect(problem { $0.addresses.ip4 = many }?.contains("at most 4") == true)
        #expect(problem { $0.peer = .nothing } == nil)
    }

    @Test("Blocks of addresses: text, bounds, what they contain")
    func prefixes() throws {
        let block = try #require(IPPrefix("192.0.2.77/24"))
        #expect("\(block)" == "192.0.2.0/24" && block.length == 24)
        #expect(block.contains(IPPrefix("192.0.2.255")!) && !block.contains(IPPrefix("192.0.3.0")!))
        #expect(!block.contains(IPPrefix("192.0.0.0/16")!) && IPPrefix("0.0.0.0/0")!.contains(block))
        #expect(!IPPrefix("::/0")!.contains(block) && IPPrefix("::/0")!.contains(IPPrefix("2001:db8::1")!))
        #expect("\(IPPrefix("2001:db8:1:2:3::1/56")!)" == "2001:db8:1::/56")
        for text in ["", "/", "192.0.2.1/33", "192.0.2.1/-1", "192.0.2.1/", "::1/129", "::1/x", "1.2.3.4/8/8", "a"] {
            #expect(IPPrefix(text) == nil, "\(text)")
        }
        // What a socket shows of an IPv4 peer on an IPv6 listener is the IPv4 address.
        let mapped = try Multiaddr("/ip6/::ffff:192.0.2.1/tcp/1")
        #expect(IPPrefix(mapped.host) == IPPrefix("192.0.2.1"))
        #expect(IPPrefix(try Multiaddr("/dns/example.com/tcp/1").host) == nil && IPPrefix(nil as EndpointHost?) == nil)
    }

    private func refusal(_ number: UInt64, _ kind: (UInt64) -> ResourceScope = { .connection($0) }) -> ResourceRefusal {
        var limits = ResourceLimits.unlimited
        limits.connection.streams = 0
        var ledger = ResourceLedger(limits: limits)
        do throws(ResourceRefusal) {
            try ledger.open(connection: number, .inbound)
            try ledger.authenticated(connection: number, as: testPeer(0))
            try ledger.open(stream: 0, .inbound, on: number)
        } catch { return error }
        preconditionFailure("no stream fits")
    }

    @Test("A flood of refusals is told of once at once and once a second, with its count; nothing grows")
    func log() {
        var log = RefusalLog(interval: .seconds(1))
        var told: [Int] = []
        for millisecond in 0..<10_000 {
            let now = Instant(nanoseconds: Int64(millisecond) * 1_000_000)
            if let deadline = log.nextDeadline, deadline <= now { told += log.tick(at: now).map(\.count) }
            if let report = log.record(refusal(UInt64(millisecond)), at: now) { told.append(report.count) }
        }
        #expect(told == [1] + Array(repeating: 999, count: 1) + Array(repeating: 1_000, count: 8))
        let end = Instant(nanoseconds: 20_000_000_000)
        #expect(log.nextDeadline.map { $0 <= end } == true)
        let rest = log.tick(at: end)
        #expect(rest.map(\.count) == [1_000] && rest.first?.refusal == refusal(9_999))
        #expect(log.nextDeadline == nil && log.tick(at: end).isEmpty)
        #expect(log.totals.values.reduce(0, +) == 10_000 && log.totals.count == 1)
    }
}
