import OxbowCore
import OxbowProtocols
import Testing

private func at(_ seconds: Int64) -> Instant { .zero + .seconds(seconds) }

/// When a reservation is made, renewed and tried again.
@Suite struct ReservationLifeTests {
    /// A life whose reservation was granted at second 0 for an hour.
    private func held(jitter: Double = 0) -> ReservationLife {
        var life = ReservationLife()
        #expect(life.start() == [.connect])
        #expect(life.connected() == [.reserve])
        #expect(life.granted(for: .seconds(3_600), at: at(0), jitter: jitter) == [.made(isRenewal: false)])
        return life
    }

    @Test(
        "It is renewed between half and three quarters of its life", arguments: [(0, 1_800), (1, 2_700), (-5, 1_800)])
    func renews(_ jitter: Double, _ due: Int64) {
        var life = held(jitter: jitter)
        #expect(life.nextDeadline == at(due))
        #expect(life.tick(at: at(due - 1)) == [])
        #expect(life.tick(at: at(due)) == [.reserve])
        #expect(life.granted(for: .seconds(3_600), at: at(due), jitter: 0) == [.made(isRenewal: true)])
        #expect(life.expires == at(due + 3_600))
    }

    @Test("A failed renewal is tried again, slower each time, until the reservation is over; then still")
    func retries() {
        var life = held()
        #expect(life.tick(at: at(1_800)) == [.reserve])
        var now = at(1_800)
        var waits: [Duration] = []
        var isLost = false
        for _ in 0..<20 {
            life.failed(at: now, jitter: 0)
            var actions: [ReservationLife.Action] = []
            let began = now
            while !actions.contains(.reserve), let next = life.nextDeadline {
                now = next
                actions = life.tick(at: now)
                if actions.contains(.lost(.expired)) { isLost = true }
            }
            waits.append(now - began)
        }
        #expect(waits.prefix(4) == [.seconds(1), .seconds(2), .seconds(4), .seconds(8)])
        #expect(waits.last == .seconds(300) && isLost && !life.isHeld)
        #expect(life.granted(for: .seconds(60), at: now, jitter: 0) == [.made(isRenewal: false)])
        #expect(life.failures == 0)
    }

    @Test("The connection takes the reservation with it; it is connected anew after a wait")
    func loses() {
        var life = held()
        #expect(life.connectionLost(at: at(10), jitter: 0) == [.lost(.connectionLost)])
        #expect(life.connectionLost(at: at(10), jitter: 0) == [])
        #expect(!life.isHeld && life.nextDeadline == at(11))
        #expect(life.tick(at: at(11)) == [.connect])
        #expect(life.nextDeadline == nil)
    }

    @Test("A loss while the relay is asked makes one further attempt, not two")
    func losesWhileAsking() {
        var life = held()
        #expect(life.tick(at: at(1_800)) == [.reserve])
        #expect(life.connectionLost(at: at(1_801), jitter: 0) == [.lost(.connectionLost)])
        life.failed(at: at(1_801), jitter: 0)
        #expect(life.failures == 1 && life.nextDeadline == at(1_802))
        #expect(life.granted(for: .seconds(60), at: at(1_801), jitter: 0) == [], "an answer that comes too late")
    }

    @Test("A life of no length, or without end, makes no tight loop and no sleep for ever")
    func clamps() {
        for lifetime in [Duration.zero, .seconds(-5), .seconds(Int64.max)] {
            var life = ReservationLife()
            _ = life.start() + life.connected()
            _ = life.granted(for: lifetime, at: at(0), jitter: 0)
            let due = life.nextDeadline ?? .distantFuture
            #expect(due >= at(5) && due <= at(24 * 3_600))
        }
    }
}
