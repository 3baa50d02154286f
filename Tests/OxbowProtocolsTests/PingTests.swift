import OxbowCore
import OxbowProtocols
import OxbowSeeds
import Testing

private let payload = Array<UInt8>(0..<32)
private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

@Suite struct PingTests {
    @Test func echoesWholeBlocksHoweverTheyAreCut() throws {
        let bytes = payload + payload.reversed() + [1, 2]
        try everySplit(bytes) { pieces in
            var responder = PingResponder()
            var input: ArraySlice<UInt8> = []
            var echo: [UInt8] = []
            for piece in pieces {
                input += piece
                echo += responder.receive(&input, room: .max)
            }
            #expect(echo == payload + payload.reversed())
            #expect(Array(input) == [1, 2])
            #expect(throws: PingError.endedEarly) { try responder.receiveEnd(input) }
            try responder.receiveEnd([])
        }
    }

    @Test func echoesNoMoreThanThereIsRoomFor() {
        var responder = PingResponder()
        var input = (payload + payload + payload)[...]
        #expect(responder.receive(&input, room: 31) == [])
        #expect(responder.receive(&input, room: -1) == [])
        #expect(responder.receive(&input, room: 95) == payload + payload)
        #expect(input.count == 32)
    }

    @Test func measuresTheRoundTripAtTheLastByte() throws {
        var client = PingClient()
        #expect(client.deadline == nil)
        #expect(client.start(payload: payload, at: at(5)) == payload)
        #expect(client.deadline == at(10_005))
        var input = payload[..<31]
        #expect(try client.receive(&input, at: at(7)) == .needMore)
        #expect(input.count == 31)
        input = payload[...]
        #expect(try client.receive(&input, at: at(47)) == .roundTrip(.milliseconds(42)))
        #expect(input.isEmpty)
        try client.receiveEnd()
        _ = client.start(payload: payload, at: at(50))
        input = payload[...]
        #expect(try client.receive(&input, at: at(49)) == .roundTrip(.zero))
    }

    @Test func everyFlippedByteIsAMismatch() {
        for index in payload.indices {
            var client = PingClient()
            _ = client.start(payload: payload, at: .zero)
            var echo = payload
            echo[index] ^= 0x80
            #expect(throws: PingError.mismatch) {
                var input = echo[...index]
                _ = try client.receive(&input, at: .zero)
            }
        }
    }

    @Test func bytesNobodyAskedForAreAnError() throws {
        var client = PingClient()
        var input: ArraySlice<UInt8> = []
        #expect(try client.receive(&input, at: .zero) == .needMore)
        _ = client.start(payload: payload, at: .zero)
        input = (payload + [0])[...]
        #expect(try client.receive(&input, at: .zero) == .roundTrip(.zero))
        #expect(throws: PingError.unexpectedBytes) { try client.receive(&input, at: .zero) }
    }

    @Test func aLateEchoIsATimeout() throws {
        var client = PingClient(timeout: .seconds(1))
        _ = client.start(payload: payload, at: .zero)
        try client.checkTimeout(at: at(999))
        var input = payload[...]
        #expect(throws: PingError.timedOut(after: .seconds(1))) { try client.receive(&input, at: at(1000)) }
        #expect(client.deadline == nil)
        _ = client.start(payload: payload, at: at(2000))
        #expect(throws: PingError.endedEarly) { try client.receiveEnd() }
    }

    @Test func errorsSayWhatHappened() {
        let errors: [PingError] = [.mismatch, .unexpectedBytes, .timedOut(after: .seconds(3)), .endedEarly]
        #expect(Set(errors.map(\.description)).count == errors.count)
        #expect(PingError.timedOut(after: .seconds(3)).description.contains("3"))
    }
}

@Suite struct TokenBucketTests {
    @Test func givesABurstThenOnePerInterval() {
        var bucket = TokenBucket.identifyPush
        #expect(bucket.isFull(at: .zero))
        for _ in 0..<10 { #expect(bucket.take(at: .zero) == true) }
        #expect(bucket.take(at: .zero) == false)
        #expect(bucket.take(at: at(4_999)) == false)
        #expect(bucket.take(at: at(5_000)) == true)
        #expect(bucket.take(at: at(5_000)) == false)
        #expect(!bucket.isFull(at: at(54_999)))
        #expect(bucket.isFull(at: at(55_000)))
        for _ in 0..<10 { #expect(bucket.take(at: at(55_000)) == true) }
        #expect(bucket.take(at: at(55_000)) == false)
    }

    @Test func neverGivesMoreThanTheRateOverAnyTime() {
        var random = SplitMix64(seed: 3)
        var bucket = TokenBucket(interval: .milliseconds(10), burst: 4)
        var now: Int64 = 0
        var taken: [Int64] = []
        for _ in 0..<5_000 {
            now += Int64(random.next() % 8)
            if bucket.take(at: at(now)) { taken.append(now) }
        }
        for start in taken.indices {
            for end in start..<min(start + 20, taken.count) {
                #expect(Int64(end - start + 1) <= 4 + (taken[end] - taken[start]) / 10)
            }
        }
        #expect(taken.count > 1_000)
    }

    @Test func survivesTheEndsOfTime() {
        var bucket = TokenBucket(interval: .seconds(1 << 40), burst: 10)
        #expect(bucket.take(at: .distantFuture) == true)
        var fresh = TokenBucket(interval: .seconds(1), burst: 1)
        #expect(fresh.take(at: Instant(nanoseconds: .min)) == true)
        #expect(fresh.take(at: Instant(nanoseconds: .min)) == false)
    }
}
