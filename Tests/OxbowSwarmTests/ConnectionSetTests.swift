import OxbowCore
import OxbowSwarm
import Testing

@Suite("The connections to a peer")
struct ConnectionSetTests {
    private static let direct = ConnectionFacts(id: 1)
    private static func relayed(_ id: UInt64) -> ConnectionFacts {
        ConnectionFacts(id: id, isLimited: true, isRelayed: true, transport: .other)
    }

    @Test(
        "New streams go to the best: unlimited before limited, direct before relayed, QUIC before TCP, the lower peer's"
    )
    func ranks() {
        var set = Scene()
        let worseAndWorse = [
            ConnectionFacts(id: 6, transport: .quic),
            ConnectionFacts(id: 5, transport: .quic, isDialedByLowerPeer: false),
            ConnectionFacts(id: 4), ConnectionFacts(id: 3, isRelayed: true, transport: .other), Self.relayed(2),
        ]
        for facts in worseAndWorse.reversed() {
            set.open(facts)
            #expect(set.set.best == facts.id)
        }
        #expect(set.set.usable == worseAndWorse.map(\.id))
    }

    @Test("A connection that the peer may not have yet is for new streams only when there is no other")
    func waitsForConfirmation() {
        var set = Scene()
        set.set.opened(Self.relayed(1), at: set.now)
        #expect(set.set.best == 1, "there is no other")
        set.confirm(1)
        set.set.opened(ConnectionFacts(id: 2), at: set.now)
        #expect(set.set.best == 1)
        #expect(set.set.destination(from: 1, at: set.now) == nil)
        set.confirm(2)
        #expect(set.set.best == 2)
        #expect(set.set.destination(from: 1, at: set.now) == 2)
    }

    @Test("The higher peer leaves moving to the lower one for a while")
    func stepsIn() {
        var set = Scene(isLowerPeer: false)
        set.open(Self.relayed(1))
        set.open(ConnectionFacts(id: 2))
        #expect(set.set.destination(from: 1, at: set.now) == nil)
        set.wait(.milliseconds(2_999))
        #expect(set.set.destination(from: 1, at: set.now) == nil)
        set.wait(.milliseconds(1))
        #expect(set.set.destination(from: 1, at: set.now) == 2)
    }

    @Test("Within a class, the higher peer moves nothing but from its own connection to that of the lower peer")
    func ownClass() {
        var set = Scene(isLowerPeer: false)
        set.open(ConnectionFacts(id: 1, isDialedByLowerPeer: false))
        set.open(ConnectionFacts(id: 2))
        set.open(ConnectionFacts(id: 3))
        set.wait(.seconds(100))
        #expect(set.set.destination(from: 1, at: set.now) == 2)
        #expect(set.set.destination(from: 3, at: set.now) == nil)
    }

    @Test("Between connections that one peer dialled, only that peer moves streams: to a clearly shorter round trip")
    func ownDials() {
        for isLowerPeer in [true, false] {
            var own = Scene(isLowerPeer: isLowerPeer)
            var others = Scene(isLowerPeer: isLowerPeer)
            for id in [1, 2] as [UInt64] {
                own.open(ConnectionFacts(id: id, isDialedByLowerPeer: isLowerPeer))
                others.open(ConnectionFacts(id: id, isDialedByLowerPeer: !isLowerPeer))
            }
            for _ in 0..<2 { own.set.measured(2, roundTrip: .milliseconds(5), at: own.now) }
            for _ in 0..<2 { others.set.measured(2, roundTrip: .milliseconds(5), at: others.now) }
            #expect(own.set.best == 2 && own.set.destination(from: 1, at: own.now) == 2)
            others.wait(.seconds(100))
            #expect(others.set.best == 1 && others.set.destination(from: 2, at: others.now) == nil)
            own.set.pin(1, true, at: own.now)
            #expect(own.set.destination(from: 1, at: own.now) == nil, "the application opened it for a purpose")
        }
    }

    @Test("What the lower peer leaves within a class, the higher one uses last")
    func follows() {
        var set = Scene(isLowerPeer: false)
        set.open(ConnectionFacts(id: 1))
        set.open(ConnectionFacts(id: 2))
        #expect(set.set.best == 1)
        let isWish = set.set.peerMoved(from: 1, to: 2, at: set.now)
        #expect(!isWish)
        #expect(set.set.best == 2)
        var lower = Scene()
        lower.open(ConnectionFacts(id: 1))
        lower.open(ConnectionFacts(id: 2))
        let isHigherPeersWish = lower.set.peerMoved(from: 1, to: 2, at: lower.now)
        #expect(isHigherPeersWish, "no policy of a higher peer does that")
        #expect(lower.set.best == 1)
    }

    // MARK: Pruning

    @Test(
        "A worse connection is closed once it was idle for the grace period, by either side", arguments: [true, false])
    func prunes(isLowerPeer: Bool) {
        var set = Scene(isLowerPeer: isLowerPeer)
        set.open(Self.relayed(1))
        set.streams[1] = 1
        set.open(ConnectionFacts(id: 2))
        set.run(for: .seconds(10))
        #expect(set.retired == [], "a stream is on it")
        set.streams[1] = 0
        set.run(for: .seconds(10))
        #expect(set.retired == [1])
        #expect(set.set.usable == [2])
    }

    @Test("The best connection, the only one and one that the application keeps are not closed")
    func keeps() {
        var set = Scene()
        set.open(ConnectionFacts(id: 2))
        set.run(for: .seconds(100))
        var pinned = Self.relayed(1)
        pinned.isPinned = true
        set.open(pinned)
        set.run(for: .seconds(100))
        #expect(set.retired == [])
    }

    @Test("Of two that the peers dialled to each other, that of the lower peer stays", arguments: [true, false])
    func simultaneous(isLowerPeer: Bool) {
        var set = Scene(isLowerPeer: isLowerPeer)
        set.open(ConnectionFacts(id: 1, isDialedByLowerPeer: false))
        set.open(ConnectionFacts(id: 2))
        set.run(for: isLowerPeer ? .seconds(6) : .seconds(49))
        #expect(set.retired == (isLowerPeer ? [1] : []))
        set.run(for: .seconds(10))
        #expect(set.retired == [1])
    }

    @Test("Of several that one peer dialled, only that peer closes any", arguments: [true, false])
    func several(isLowerPeer: Bool) {
        var set = Scene(isLowerPeer: isLowerPeer)
        set.open(ConnectionFacts(id: 1, isDialedByLowerPeer: !isLowerPeer))
        set.open(ConnectionFacts(id: 2, isDialedByLowerPeer: !isLowerPeer))
        set.run(for: .seconds(100))
        #expect(set.retired == [])
        set = Scene(isLowerPeer: isLowerPeer)
        set.open(ConnectionFacts(id: 1, isDialedByLowerPeer: isLowerPeer))
        set.open(ConnectionFacts(id: 2, isDialedByLowerPeer: isLowerPeer))
        set.run(for: .seconds(100))
        #expect(set.retired == [2])
    }

    @Test("A stream that comes when the connection was just to be given up keeps it")
    func late() {
        var set = Scene()
        set.open(Self.relayed(1))
        set.open(ConnectionFacts(id: 2))
        set.streamsOnRetire = 1
        set.run(for: .seconds(3))
        #expect(set.set.usable == [2, 1], "the driver found a stream, and said so")
    }

    @Test("A connection isn't given up when the better one is gone by the time that its loop learns of it (CS-8)")
    func keepsTheLast() {
        var set = Scene()
        set.open(Self.relayed(1))
        set.open(ConnectionFacts(id: 2))
        _ = set.set.tick(at: set.now)
        set.set.inspected(1, streams: 0, at: set.now)
        set.wait(.seconds(1))
        #expect(set.set.tick(at: set.now).contains(.retire(1)))
        set.set.closed(2, at: set.now)
        #expect(set.set.usable == [], "it is given up, as far as is known")
        let retires = set.set.retires(1, streams: 0, at: set.now)
        #expect(!retires && set.set.best == 1)
    }

    @Test("Streams that the peer put on a connection which isn't confirmed here stay there (CS-5)")
    func neverDown() {
        var set = Scene()
        set.open(Self.relayed(1))
        set.set.opened(ConnectionFacts(id: 2), at: set.now)
        #expect(set.set.destination(from: 2, at: set.now) == nil)
        #expect(set.set.usable == [1, 2], "new ones of this side go where they are sure to arrive (CS-4)")
        set.set.peerRetired(2, at: set.now)
        #expect(set.set.destination(from: 2, at: set.now) == 1, "unless its end was announced")
    }

    @Test("A stream whose connection's end is announced waits there for one of its class that is about to be confirmed")
    func waitsOnTheLeaving() {
        var set = Scene()
        set.open(Self.relayed(1))
        set.open(ConnectionFacts(id: 2, isDialedByLowerPeer: false))
        set.set.opened(ConnectionFacts(id: 3), at: set.now)
        set.set.peerRetired(2, at: set.now)
        #expect(set.set.best == 1)
        #expect(set.set.destination(from: 2, at: set.now) == nil, "it goes on until it is idle (CS-7)")
        set.confirm(3)
        #expect(set.set.destination(from: 2, at: set.now) == 3)
    }

    @Test("It doesn't wait where what is about to be confirmed is gone, or is no better than what there is")
    func waitsForNothing() {
        var set = Scene()
        set.open(Self.relayed(1))
        set.open(ConnectionFacts(id: 2))
        set.set.opened(ConnectionFacts(id: 3), at: set.now)
        set.set.opened(Self.relayed(4), at: set.now)
        set.set.peerRetired(2, at: set.now)
        set.set.closed(3, at: set.now)
        #expect(set.set.destination(from: 2, at: set.now) == 1)
    }

    @Test("To take a stream away from a connection that is given up is no wish of an application (CS-12)")
    func noWish() {
        var set = Scene()
        set.open(ConnectionFacts(id: 1))
        set.open(ConnectionFacts(id: 2))
        set.set.peerRetired(1, at: set.now)
        let isWish = set.set.peerMoved(from: 1, to: 2, at: set.now)
        #expect(!isWish)
    }

    // MARK: Health

    @Test("A best connection that falls silent is left, and trusted again after it was well for a while")
    func silence() {
        var set = Scene()
        set.open(Self.relayed(1))
        set.streams[1] = 1
        set.open(ConnectionFacts(id: 2))
        set.streams[2] = 1
        set.isSilent[2] = true
        set.run(for: .milliseconds(5_900))
        #expect(set.set.best == 2)
        set.run(for: .milliseconds(2_200))
        #expect(set.set.best == 1 && set.set.isDegraded(2))
        #expect(set.set.destination(from: 2, at: set.now) == 1)
        set.isSilent[2] = false
        set.run(for: .seconds(29))
        #expect(set.set.best == 1)
        set.run(for: .seconds(5))
        #expect(set.set.best == 2 && set.retired == [])
    }

    @Test("A question that goes out in the moment of the last sign of life isn't forgotten")
    func questionOfTheSameMoment() {
        var set = Scene()
        set.open(ConnectionFacts(id: 1))
        set.streams[2] = 1
        set.open(Self.relayed(2))
        set.isSilent[1] = true
        set.run(for: .milliseconds(5_900))
        #expect(set.set.best == 1)
        set.run(for: .milliseconds(200))
        #expect(set.set.best == 2)
    }

    @Test("A round trip that stays eight times as long and over a second is a reason, one that is long once is none")
    func slowness() {
        var set = Scene()
        set.open(Self.relayed(1))
        set.streams[1] = 1
        set.open(ConnectionFacts(id: 2))
        set.roundTrips[2] = .seconds(2)
        set.run(for: .seconds(2))
        set.roundTrips[2] = .milliseconds(40)
        set.run(for: .seconds(20))
        #expect(set.set.best == 2)
        set.roundTrips[2] = .milliseconds(900)
        set.run(for: .seconds(20))
        #expect(set.set.best == 2, "below a second nothing is slow")
        set.roundTrips[2] = .seconds(2)
        set.run(for: .seconds(12))
        #expect(set.set.best == 1)
    }

    @Test("A degraded connection is not closed, nor is another for its sake")
    func degradedStays() {
        var set = Scene()
        set.open(Self.relayed(1))
        set.streams[1] = 1
        set.open(ConnectionFacts(id: 2))
        set.isSilent[2] = true
        set.run(for: .seconds(10))
        set.streams[1] = 0
        set.run(for: .seconds(100))
        #expect(set.retired == [])
    }

    // MARK: The peer's wishes

    @Test(
        "A move to a better class is taken; one to a worse waits for a sign of life of the better, and is denied by it")
    func downgrade() {
        var set = Scene()
        set.open(Self.relayed(1))
        set.open(ConnectionFacts(id: 2))
        set.wait(.seconds(1))
        let arrived = set.now
        #expect(set.set.judgeMove(from: 1, to: 2, since: arrived, at: arrived) == .accept)
        let limit = arrived + .seconds(2)
        #expect(set.set.judgeMove(from: 2, to: 1, since: arrived, at: arrived) == .wait(until: limit))
        #expect(set.set.judgeMove(from: 2, to: 1, since: arrived, at: limit) == .accept, "no sign of life came")
        set.wait(.milliseconds(10))
        set.confirm(2)
        #expect(set.set.judgeMove(from: 2, to: 1, since: arrived, at: set.now) == .deny)
    }

    @Test("From a connection that is being given up, any move is taken")
    func leaves() {
        var set = Scene()
        set.open(Self.relayed(1))
        set.open(ConnectionFacts(id: 2))
        set.set.peerRetired(2, at: set.now)
        #expect(set.set.best == 1)
        #expect(set.set.judgeMove(from: 2, to: 1, since: set.now, at: set.now) == .accept)
        #expect(set.set.destination(from: 2, at: set.now) == 1)
    }

    @Test("A policy that can't work says why")
    func problems() {
        #expect(ConnectionPolicy().problem == nil && ConnectionPolicy.manual.problem == nil)
        let wrong: [(String, (inout ConnectionPolicy) -> Void)] = [
            ("negative", { $0.pauseBetweenMoves = .seconds(-1) }), ("negative", { $0.stepInDelay = .seconds(-1) }),
            ("negative", { $0.pruneGrace = .seconds(-1) }), ("negative", { $0.duplicateGrace = .seconds(-1) }),
            ("negative", { $0.silenceLimit = .seconds(-1) }), ("negative", { $0.recoveryTime = .seconds(-1) }),
            ("negative", { $0.downgradeProbe = .seconds(-1) }),
            ("probeInterval", { $0.probeInterval = .milliseconds(9) }),
            ("maximumConcurrentMoves", { $0.maximumConcurrentMoves = 0 }), ("slowFactor", { $0.slowFactor = 1 }),
            ("slowSamples", { $0.slowSamples = 0 }),
        ]
        for (word, change) in wrong {
            var policy = ConnectionPolicy()
            change(&policy)
            #expect(policy.problem?.contains(word) == true)
        }
    }

    @Test("The manual policy moves and closes nothing")
    func manual() {
        var set = Scene(policy: .manual)
        set.open(Self.relayed(1))
        set.open(ConnectionFacts(id: 2))
        set.run(for: .seconds(100))
        #expect(set.retired == [] && set.set.destination(from: 1, at: set.now) == nil)
        #expect(set.set.nextDeadline(after: set.now) == .distantFuture)
        #expect(set.set.best == 2)
    }
}

/// Drives a set on virtual time.
private struct Scene {
    var set: ConnectionSet
    var now = Instant.zero
    var retired: [UInt64] = []
    var streams: [UInt64: Int] = [:]
    var roundTrips: [UInt64: Duration] = [:]
    var isSilent: [UInt64: Bool] = [:]
    /// What the driver finds when it is asked to retire.
    var streamsOnRetire = 0

    init(isLowerPeer: Bool = true, policy: ConnectionPolicy = ConnectionPolicy()) {
        set = ConnectionSet(isLowerPeer: isLowerPeer, policy: policy)
    }

    mutating func open(_ facts: ConnectionFacts) {
        set.opened(facts, at: now)
        confirm(facts.id)
    }

    mutating func confirm(_ id: UInt64) {
        set.measured(id, roundTrip: .milliseconds(40), at: now)
    }

    mutating func wait(_ time: Duration) {
        now = now + time
    }

    /// Does all that is due until `time` has passed.
    mutating func run(for time: Duration) {
        let end = now + time
        var turns = 0
        while true {
            for action in set.tick(at: now) { perform(action) }
            let next = set.nextDeadline(after: now)
            guard next <= end else { break }
            now = max(next, now + .milliseconds(1))
            turns += 1
            precondition(turns < 100_000, "the set does not come to rest")
        }
        now = end
        for action in set.tick(at: now) { perform(action) }
    }

    private mutating func perform(_ action: ConnectionSetAction) {
        switch action {
        case .retire(let id):
            if set.retires(id, streams: streamsOnRetire, at: now) { retired.append(id) }
        case .inspect(let id):
            set.inspected(id, streams: streams[id] ?? 0, at: now)
        case .probe(let id):
            guard isSilent[id] != true else { return }
            set.measured(id, roundTrip: roundTrips[id] ?? .milliseconds(40), at: now)
        }
    }
}
