import OxbowCore
import OxbowSwarm
import Testing

/// What answers of servers make of addresses.
@Suite struct ReachabilityTests {
    private let first: Multiaddr
    private let second: Multiaddr
    private var tracker = ReachabilityTracker()

    init() throws {
        first = try Multiaddr("/ip4/1.2.3.4/tcp/1")
        second = try Multiaddr("/ip4/1.2.3.4/tcp/2")
        _ = tracker.setAddresses([first, second], at: .zero)
    }

    private func time(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    private mutating func answer(
        _ address: Multiaddr, _ isReachable: Bool, by server: UInt32?, at seconds: Int64 = 1
    ) -> Reachability? {
        let change = tracker.record(
            address, isReachable: isReachable, witness: server.map { .ip4($0) }, at: time(seconds))
        return change?.verdict
    }

    @Test("Two proofs make an address reachable, also of one server, and the host public")
    mutating func proofs() {
        #expect(answer(first, true, by: nil) == nil)
        #expect(tracker.host == .unknown)
        #expect(answer(first, true, by: nil) == .reachable)
        #expect(tracker.host == .public && tracker.reachable == [first])
    }

    @Test("One network's word counts once, however often it is given")
    mutating func oneLiar() {
        for second in 0..<50 { #expect(answer(first, false, by: 1, at: Int64(second)) == nil) }
        #expect(tracker.verdict(of: first) == .unknown)
        #expect(answer(first, false, by: 2) == .unreachable)
    }

    @Test("A verdict stands against a single answer, and falls to as many as made it")
    mutating func hysteresis() {
        _ = answer(first, true, by: nil)
        _ = answer(first, true, by: nil)
        #expect(answer(first, false, by: 1) == nil)
        #expect(answer(first, false, by: 2) == nil)
        #expect(tracker.verdict(of: first) == .reachable, "two against two")
        #expect(answer(first, false, by: 3) == nil)
        #expect(answer(first, false, by: 4) == .unreachable, "the window has moved on: one success is left")
    }

    @Test("The host is private when nothing that was tried can be reached, and not before")
    mutating func privateHost() {
        for server: UInt32 in [1, 2] { _ = answer(first, false, by: server) }
        #expect(tracker.host == .unknown)
        for server: UInt32 in [1, 2] { _ = answer(second, false, by: server) }
        #expect(tracker.host == .private && tracker.reachable.isEmpty)
        #expect(ReachabilityTracker().host == .unknown)
    }

    @Test("New addresses wait a moment; the least known is asked about first")
    mutating func order() {
        #expect(tracker.addressesToProbe(limit: 10, at: .zero).isEmpty)
        #expect(tracker.nextProbe == time(1))
        #expect(tracker.addressesToProbe(limit: 10, at: time(1)) == [first, second])
        _ = answer(first, true, by: nil)
        #expect(tracker.addressesToProbe(limit: 10, at: time(1)).isEmpty, "not at once again")
        #expect(tracker.addressesToProbe(limit: 10, at: time(6)) == [second, first])
        #expect(tracker.addressesToProbe(limit: 1, at: time(6)) == [second])
    }

    @Test("What is known is looked at after half an hour; a doubt earlier; a recheck at once")
    mutating func recheck() {
        for _ in 0..<2 {
            _ = answer(first, true, by: nil)
            _ = answer(second, true, by: nil)
        }
        #expect(tracker.nextProbe == time(1_801))
        _ = answer(second, false, by: 1)
        #expect(tracker.nextProbe == time(6))
        #expect(tracker.addressesToProbe(limit: 9, at: time(6)) == [second])
        tracker.recheck(at: time(100))
        #expect(Set(tracker.addressesToProbe(limit: 9, at: time(101))) == [first, second])
    }

    @Test("Questions that tell nothing become rare, up to five minutes")
    mutating func backOff() {
        var waits: [Int64] = []
        for _ in 0..<9 {
            tracker.recordFailure(at: .zero)
            waits.append((tracker.nextProbe?.nanoseconds ?? 0) / 1_000_000_000)
        }
        #expect(waits == [5, 10, 20, 40, 80, 160, 300, 300, 300])
        for _ in 0..<100 { tracker.recordFailure(at: .zero) }
        #expect(tracker.nextProbe == time(300))
        _ = answer(first, true, by: nil)
        #expect(tracker.nextProbe == time(6))
    }

    @Test("Asking a single server again and again becomes rare, too")
    mutating func sameWords() {
        for _ in 0..<7 { _ = answer(first, false, by: 1, at: 0) }
        #expect(tracker.nextProbe == time(160))
    }

    @Test("A new address is worth a question; one that is gone is forgotten and said to be")
    mutating func changes() throws {
        for _ in 0..<2 { _ = answer(first, true, by: nil) }
        for _ in 0..<9 { tracker.recordFailure(at: .zero) }
        let third = try Multiaddr("/ip4/1.2.3.4/tcp/3")
        #expect(tracker.setAddresses([second, third], at: time(10)) == [first])
        #expect(tracker.nextProbe == time(11))
        #expect(tracker.verdict(of: first) == .unknown)
        #expect(answer(first, true, by: nil) == nil, "nobody asked about it any more")
        #expect(tracker.setAddresses([], at: time(20)) == [])
        #expect(tracker.nextProbe == nil && tracker.host == .unknown)
    }

    @Test("Addresses without measure: the most important ones stay")
    mutating func bounded() throws {
        let many = try (1...1_000).map { try Multiaddr("/ip4/1.2.3.4/tcp/\($0)") }
        _ = tracker.setAddresses(many + many, at: .zero)
        #expect(tracker.addressesToProbe(limit: .max, at: time(1)) == Array(many.prefix(32)))
    }
}
