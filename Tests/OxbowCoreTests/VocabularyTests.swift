import OxbowCore
import OxbowSeeds
import Testing

@Suite struct VarintTests {
    @Test(
        arguments: [
            (1, "01"), (127, "7f"), (128, "8001"), (255, "ff01"), (300, "ac02"), (16384, "808001"), (0, "00"),
            (UInt64(Int64.max), "ffffffffffffffff7f"),
        ] as [(UInt64, String)])
    func vectorsOfTheSpecification(value: UInt64, encoded: String) throws {
        var output: [UInt8] = []
        Varint.encode(value, into: &output)
        #expect(output == hex(encoded))
        let decoded = try #require(try Varint.decode((output + [0xff])[...]))
        #expect(decoded.value == value)
        #expect(decoded.length == output.count)
        for end in output.indices {
            #expect(try Varint.decode(output[..<end]) == nil)
        }
    }

    @Test func badVarintsAreRefused() {
        #expect(throws: VarintError.notMinimal) { try Varint.decode([0x81, 0x00]) }
        #expect(throws: VarintError.notMinimal) { try Varint.decode([0x80, 0x80, 0x00]) }
        #expect(throws: VarintError.tooLong) { try Varint.decode([UInt8](repeating: 0x80, count: 9)[...]) }
        #expect(throws: VarintError.tooLong) { try Varint.decode([UInt8](repeating: 0xff, count: 9)[...] + [0x01]) }
    }

    @Test func everyWidthComesBack() throws {
        var random = SplitMix64(seed: 4)
        for bits in 0..<63 {
            for _ in 0..<20 {
                let value = random.next() >> UInt64(64 - bits)
                var output: [UInt8] = [0xaa]
                Varint.encode(value, into: &output)
                let decoded = try #require(try Varint.decode(output.dropFirst()))
                #expect(decoded.value == value)
                #expect(decoded.length == output.count - 1)
            }
        }
    }

    @Test func whatIsReadIsWhatIsWritten() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<20_000 {
            let bytes = random.bytes(Int.random(in: 0...10, using: &random))
            guard let decoded = try? Varint.decode(bytes[...]) else { continue }
            var output: [UInt8] = []
            Varint.encode(decoded.value, into: &output)
            #expect(output == Array(bytes.prefix(decoded.length)))
        }
    }
}

@Suite struct ProtocolIDTests {
    @Test func whatTheWireCanCarryIsAccepted() {
        // A literal in the call would be taken for the trapping form.
        let parse: (String) -> ProtocolID? = ProtocolID.init(_:)
        #expect(parse("/ipfs/ping/1.0.0")?.rawValue == "/ipfs/ping/1.0.0")
        #expect(parse("") == nil)
        #expect(parse("/a\nb") == nil)
        #expect(parse(String(repeating: "a", count: 512)) != nil)
        #expect(parse(String(repeating: "a", count: 513)) == nil)
        #expect(parse(String(repeating: "é", count: 257)) == nil)
        let literal: ProtocolID = "/noise"
        #expect("\(literal)" == "/noise")
    }

    @Test func aLiteralThatTheWireCannotCarryTraps() async {
        await #expect(processExitsWith: .failure) {
            _ = ProtocolID(stringLiteral: "")
        }
    }
}

@Suite struct SpanBytesTests {
    @Test("Two spans are equal when they have as many bytes and each of them is the same")
    func equality() {
        func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool { left.span.isEqual(to: right.span) }
        for count in 0...80 {
            let bytes = (0..<count).map { UInt8($0) }
            #expect(areEqual(bytes, bytes))
            #expect(!areEqual(bytes, bytes + [0]) && !areEqual(bytes + [0], bytes))
            for index in bytes.indices {
                var other = bytes
                other[index] ^= 0x80
                #expect(!areEqual(bytes, other) && !areEqual(other, bytes))
            }
        }
    }
}

@Suite struct InstantTests {
    @Test func arithmeticSaturates() {
        let now = Instant(nanoseconds: 5)
        #expect(now + .nanoseconds(7) == Instant(nanoseconds: 12))
        #expect(now + .nanoseconds(-7) == Instant(nanoseconds: -2))
        #expect(now + .seconds(Int64.max) == .distantFuture)
        #expect(now + .seconds(Int64.min) == Instant(nanoseconds: .min + 5))
        #expect(Instant(nanoseconds: -5) + .seconds(Int64.min) == Instant(nanoseconds: .min))
        #expect(Instant(nanoseconds: 12) - now == .nanoseconds(7))
        #expect(Instant.distantFuture - Instant(nanoseconds: .min) == .nanoseconds(Int64.max))
        #expect(Instant(nanoseconds: .min) - .distantFuture == .nanoseconds(Int64.min))
        #expect(Instant.zero < now)
    }

    @Test func durationsSaturate() {
        #expect(Duration.seconds(2).saturatingNanoseconds == 2_000_000_000)
        #expect(Duration.seconds(Int64.max).saturatingNanoseconds == .max)
        #expect(Duration.seconds(Int64.min).saturatingNanoseconds == .min)
        #expect((Duration.nanoseconds(Int64.max) + .nanoseconds(1)).saturatingNanoseconds == .max)
        #expect((Duration.nanoseconds(Int64.min) - .nanoseconds(1)).saturatingNanoseconds == .min)
    }

    /// Past 64 bits of seconds `Duration.components` traps.
    @Test func durationsOfAnyLengthSaturate() {
        let longest = Duration(_high: .max, low: .max)
        let shortest = Duration(_high: .min, low: 0)
        #expect(longest.saturatingNanoseconds == .max && shortest.saturatingNanoseconds == .min)
        #expect(longest.saturated == .nanoseconds(Int64.max) && shortest.saturated == .nanoseconds(Int64.min))
        #expect(Instant(nanoseconds: -7) + longest == Instant(nanoseconds: .max - 7))
        #expect(Instant(nanoseconds: 7) + longest == .distantFuture)
        #expect(Instant(nanoseconds: -7) + shortest == Instant(nanoseconds: .min))
        #expect(Duration.nanoseconds(Int64.max).saturatingNanoseconds == .max)
        #expect(Duration.nanoseconds(Int64.max - 1).saturatingNanoseconds == .max - 1)
        #expect(Duration.nanoseconds(Int64.min + 1).saturatingNanoseconds == .min + 1)
        #expect(
            Duration(secondsComponent: -9_223_372_036, attosecondsComponent: -854_775_807_999_999_999)
                .saturatingNanoseconds == .min + 1)
        #expect(Duration.milliseconds(-1).saturated == .milliseconds(-1))
    }

    @Test("Two protocols are the same when their bytes are, not when Unicode finds their letters alike")
    func protocolsCompareByBytes() {
        let composed: ProtocolID = "/caf\u{E9}"
        let decomposed: ProtocolID = "/cafe\u{301}"
        #expect(composed.rawValue == decomposed.rawValue, "as text they are equal")
        #expect(composed != decomposed && Set([composed, decomposed]).count == 2)
        // As many bytes, and equal as text all the same: two marks in either order.
        let (first, second): (ProtocolID, ProtocolID) = ("a\u{323}\u{307}", "a\u{307}\u{323}")
        #expect(first.rawValue == second.rawValue && first != second)
        let same: ProtocolID = "/caf\u{E9}"
        #expect(composed == same && composed.hashValue == same.hashValue)
        #expect([composed: 1][decomposed] == nil)
    }
}
