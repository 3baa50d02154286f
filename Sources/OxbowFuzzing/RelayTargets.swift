import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowWire

extension FuzzTarget {
    static let relay = [
        FuzzTarget(
            "relay-streams", "hop and stop streams, either side", maximumLength: 512,
            seeds: relaySeeds, relayStreams),
        FuzzTarget(
            "relay-table", "reservations, circuits, requests and ends at one relay, and time", maximumLength: 512,
            seeds: { [scheduleSeed(3), scheduleSeed(5), scheduleSeed(11)] }, relayTable),
        FuzzTarget(
            "reservation", "the life of one reservation, as its holder sees it", maximumLength: 256,
            seeds: { [[1, 2, 0, 30, 4, 5, 1, 1, 3], [1, 1, 2, 9, 9, 5, 200, 5, 255, 1, 3]] }, reservation),
    ]

    /// Bytes that let a schedule visit most of its operations: a walk through the residues.
    static func scheduleSeed(_ step: Int) -> [UInt8] {
        (0..<160).map { UInt8(truncatingIfNeeded: $0 &* $0 &* step &+ $0 / 3) }
    }

    private static func relayStreams(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let kind = input.int(below: 5)
        let peer = FuzzKeys.second.peerID
        let transcript = try feedInPieces(input.rest(), outputLimit: { _ in 0 }) {
            { input, transcript in
                do throws(CircuitError) {
                    let result: String? =
                        switch kind {
                        case 0: try HopClient(.reserve).receive(&input).map { "\($0)" }
                        case 1: try HopClient(.connect(peer)).receive(&input).map { "\($0)" }
                        case 2: try HopListener().receive(&input).map { "\($0)" }
                        case 3: try StopClient(from: peer, limit: nil).receive(&input).map { "\($0)" }
                        default: try StopListener().receive(&input).map { "\($0)" }
                        }
                    if let result { transcript.finish(result) }
                } catch {
                    _ = (HopListener.refuse(error.status), StopListener.answer(error.status))
                    transcript.fail(error)
                }
                return false
            }
        }
        return transcript.end == nil || transcript.hasFailed ? .refused : .accepted
    }

    private static func relaySeeds() -> [[UInt8]] {
        let peer = FuzzKeys.second.peerID
        let limit = CircuitLimitMessage(seconds: 120, bytes: 1 << 17)
        let given = CircuitReservationMessage(
            expiration: 5_000, addresses: [FuzzAddresses.all[0].binary], voucher: [1, 2, 3])
        return [
            [0] + HopListener.accept(given, limit: limit), [0] + HopListener.refuse(.reservationRefused),
            [1] + HopListener.accept(limit: limit) + [1, 2, 3], [1] + HopListener.refuse(.noReservation),
            [2] + HopClient(.reserve).start(), [2] + HopClient(.connect(peer)).start(),
            [3] + StopListener.answer(.ok) + [7], [3] + StopListener.answer(.permissionDenied),
            [4] + StopClient(from: peer, limit: limit).start(),
        ]
    }

    // MARK: The holder of a reservation

    private static func reservation(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var life = ReservationLife()
        var now = Instant.zero
        var held = false
        func take(_ actions: [ReservationLife.Action]) throws(FuzzFailure) {
            for action in actions {
                switch action {
                case .made(let isRenewal):
                    try requireEqual(isRenewal, held, "a renewal is of what is held")
                    held = true
                case .lost:
                    try require(held, "what is lost was held")
                    held = false
                case .connect, .reserve: break
                }
            }
            try requireEqual(life.isHeld, held, "the machine holds what it has told of")
        }
        try take(life.start())
        while !input.isEmpty {
            let jitter = Double(input.int(below: 5)) / 2 - 0.5
            switch input.int(below: 6) {
            case 0: try take(life.connected())
            case 1:
                let lifetime = CircuitRelay.lifetime(until: input.uint64(), unixTime: Int64(bitPattern: input.uint64()))
                try require((.zero...CircuitRelay.maximumLifetime).contains(lifetime), "a lifetime is clamped")
                try take(life.granted(for: lifetime, at: now, jitter: jitter))
            case 2: try take(life.granted(for: .seconds(input.int(below: 7_200)), at: now, jitter: jitter))
            case 3: life.failed(at: now, jitter: jitter)
            case 4: try take(life.connectionLost(at: now, jitter: jitter))
            default:
                if let next = life.nextDeadline, input.bool() { now = max(now, next) }
                now = now + .seconds(input.int(below: 4_000))
                try take(life.tick(at: now))
                if let next = life.nextDeadline { try require(next > now, "what was due is done") }
            }
            if let expires = life.expires {
                try require(expires - now <= CircuitRelay.maximumLifetime, "nothing is held for longer than it may be")
            }
        }
        return .accepted
    }
}
