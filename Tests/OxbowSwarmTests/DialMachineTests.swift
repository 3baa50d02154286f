import OxbowCore
import OxbowSwarm
import Testing

@Suite struct DialMachineTests {
    fileprivate static func plan(_ direct: Int, _ relayed: Int) -> DialPlan {
        let direct = (0..<direct).map { DialCandidate(testAddress("/ip4/8.8.8.8/tcp/\($0 + 1)")) }
        let relayed = (0..<relayed).map {
            DialCandidate(testAddress("/ip4/1.1.1.1/tcp/\($0 + 1)/p2p/\(testPeer(7))/p2p-circuit"))
        }
        return DialPlan(direct + relayed)
    }

    private func milliseconds(_ number: Int64) -> Instant { .zero + .milliseconds(number) }

    @Test("The next starts 250 ms behind, or as soon as one failed; relays wait for 500 ms")
    func turns() {
        var machine = DialMachine(Self.plan(2, 1), at: .zero)
        #expect(machine.begin(at: .zero) == [.start(0)])
        #expect(machine.nextWake == milliseconds(250))
        #expect(machine.wake(at: milliseconds(249)) == [])
        #expect(machine.failed(0, at: milliseconds(100)) == [.start(1)])
        #expect(machine.nextWake == milliseconds(500), "the relay waits, though its turn would be at 350")
        #expect(machine.wake(at: milliseconds(500)) == [.start(2)])
        #expect(machine.nextWake == .zero + .seconds(30))
        #expect(machine.connected(1, at: milliseconds(600)) == [.finish(.connected(1)), .cancel(2)])
        #expect(machine.connected(2, at: milliseconds(601)) == [.discard(2)])
        #expect(machine.nextWake == nil)
    }

    @Test("A relay has its turn at once when nothing direct is left, and when there is nothing direct")
    func relays() {
        var machine = DialMachine(Self.plan(1, 1), at: .zero)
        #expect(machine.begin(at: .zero) == [.start(0)])
        #expect(machine.failed(0, at: milliseconds(1)) == [.start(1)])
        #expect(machine.failed(1, at: milliseconds(2)) == [.finish(.allFailed)])
        var relaysOnly = DialMachine(Self.plan(0, 2), at: .zero)
        #expect(relaysOnly.begin(at: .zero) == [.start(0)])
        #expect(relaysOnly.nextWake == milliseconds(250))
    }

    @Test("A dial with nothing to try ends at once; one in which nothing ends, at its deadline")
    func ends() {
        var empty = DialMachine(Self.plan(0, 0), at: .zero)
        #expect(empty.begin(at: .zero) == [.finish(.allFailed)])
        var silent = DialMachine(Self.plan(1, 0), at: .zero)
        _ = silent.begin(at: .zero)
        #expect(silent.wake(at: .zero + .seconds(30)) == [.finish(.timedOut), .cancel(0)])
        #expect(silent.failed(0, at: .zero + .seconds(31)) == [])
    }

    @Test("So many attempts run at once and no more")
    func concurrency() {
        var machine = DialMachine(Self.plan(32, 0), at: .zero)
        var started = machine.begin(at: .zero).count
        for step in 1...100 { started += machine.wake(at: milliseconds(Int64(step) * 250)).count }
        #expect(started == 8 && machine.running == 8)
        #expect(machine.failed(3, at: milliseconds(26_000)) == [.start(8)])
    }

    @Test("The dial goes on while one caller is left")
    func callers() {
        var machine = DialMachine(Self.plan(1, 0), at: .zero)
        _ = machine.begin(at: .zero)
        let isShared = machine.join()
        #expect(isShared)
        #expect(machine.leave() == [])
        #expect(machine.leave() == [.finish(.cancelled), .cancel(0)])
        let isTooLate = !machine.join()
        #expect(isTooLate)
        #expect(machine.leave() == [])
    }

    @Test("A caller who joins brings addresses: direct ones go before the relays that wait")
    func additions() {
        var machine = DialMachine(Self.plan(1, 1), at: .zero)
        _ = machine.begin(at: .zero)
        let more = Self.plan(3, 0).attempts
        #expect(machine.add(more + more, at: milliseconds(10)) == [])
        #expect(machine.attempts.map(\.isRelayed) == [false, false, false, true])
        #expect(machine.failed(0, at: milliseconds(20)) == [.start(1)])
        let flood = (0..<1_000).map { DialPlan.Attempt(address: testAddress("/memory/\($0)"), isRelayed: false) }
        _ = machine.add(flood, at: milliseconds(30))
        #expect(machine.attempts.count == 64)
        #expect(machine.abandon() == [.finish(.cancelled), .cancel(1)])
        #expect(machine.add(flood, at: milliseconds(30)) == [] && machine.abandon() == [])
    }

    // MARK: Every order

    /// A dial with the world around it: which attempts really run, what was told, and how late it is.
    private struct Walk: Hashable {
        var machine: DialMachine
        var now = Instant.zero
        var live: Set<Int> = []
        var cancelled: Set<Int> = []
        var winners: Set<Int> = []
        var outcomes = 0

        mutating func take(_ actions: [DialMachine.Action]) throws {
            for action in actions {
                switch action {
                case .start(let id):
                    try #require(!live.contains(id) && outcomes == 0)
                    live.insert(id)
                case .cancel(let id):
                    try #require(live.contains(id) && outcomes == 1)
                    cancelled.insert(id)
                case .discard(let id): winners.remove(id)
                case .finish: outcomes += 1
                }
            }
            try #require(outcomes <= 1)
            try #require(live.count <= machine.timing.concurrentAttempts || outcomes == 1)
            // Over: whatever still runs was told to end. Not over: there is something that will wake it.
            if outcomes == 1 {
                try #require(live.isSubset(of: cancelled))
            } else {
                try #require(machine.nextWake != nil && machine.callers > 0)
            }
            if case .connected(let id)? = machine.outcome {
                try #require(winners == [id])
            } else if outcomes == 1 {
                try #require(winners.isEmpty)
            }
        }

        /// Everything that can happen next.
        func steps() throws -> [Walk] {
            var result: [Walk] = []
            for id in live {
                var (failed, connected) = (self, self)
                failed.live.remove(id)
                try failed.take(failed.machine.failed(id, at: now))
                connected.live.remove(id)
                connected.winners.insert(id)
                try connected.take(connected.machine.connected(id, at: now))
                result += [failed, connected]
            }
            if let wake = machine.nextWake {
                for late in [Duration.zero, .milliseconds(100)] {
                    var woken = self
                    woken.now = wake + late
                    try woken.take(woken.machine.wake(at: woken.now))
                    result.append(woken)
                }
            }
            if machine.outcome == nil {
                var (left, joined) = (self, self)
                try left.take(left.machine.leave())
                result.append(left)
                if machine.callers < 2, joined.machine.join() {
                    try joined.take(joined.machine.add(DialMachineTests.plan(2, 0).attempts, at: now))
                    result.append(joined)
                }
            }
            return result
        }
    }

    @Test(
        "Results, timers and leaving callers in every order: one outcome, no attempt left, in bounded time",
        arguments: [(1, 0), (2, 0), (1, 1), (2, 1), (0, 2), (3, 1)])
    func everyOrder(_ direct: Int, _ relayed: Int) throws {
        var timing = DialTiming()
        timing.timeout = .seconds(1)
        timing.concurrentAttempts = 2
        var first = Walk(machine: DialMachine(Self.plan(direct, relayed), timing: timing, at: .zero))
        try first.take(first.machine.begin(at: .zero))
        var seen: Set<Walk> = [first]
        var waiting = [first]
        var ends = 0
        while let walk = waiting.popLast() {
            let steps = try walk.steps()
            if steps.isEmpty {
                ends += 1
                try #require(walk.outcomes == 1 && walk.live.isEmpty)
                try #require(walk.now <= .zero + timing.timeout + .milliseconds(100))
            }
            for step in steps where seen.insert(step).inserted { waiting.append(step) }
        }
        #expect(ends > 0 && seen.count > 5)
    }
}
