import OxbowCore
import OxbowProtocols
import OxbowSeeds
import OxbowWire
import Testing

private func message(
    addresses: Int = 0, protocols: [String] = [], agent: String? = nil, record: [UInt8]? = nil
) -> IdentifyMessage {
    var message = IdentifyMessage()
    message.listenAddresses = (0..<addresses).map { [4, 127, 0, 0, 1, 6, UInt8($0 >> 8), UInt8($0 & 0xff)] }
    message.protocols = protocols
    message.agentVersion = agent
    message.signedPeerRecord = record
    return message
}

private func read(_ pieces: [ArraySlice<UInt8>]) throws(IdentifyError) -> IdentifyMessage {
    var reader = IdentifyReader()
    var input: ArraySlice<UInt8> = []
    for piece in pieces {
        input += piece
        try reader.receive(&input)
    }
    return try reader.receiveEnd(input)
}

/// How many messages there are, by their length prefixes.
private func lengths(_ bytes: [UInt8]) throws -> [Int] {
    var input = bytes[...]
    var lengths: [Int] = []
    while let body = try LengthDelimited.decode(from: &input, limit: .max) { lengths.append(body.count) }
    #expect(input.isEmpty)
    return lengths
}

@Suite struct IdentifyReaderTests {
    @Test func mergesMessagesHoweverTheyAreCut() throws {
        let first = message(addresses: 1, protocols: ["/a"], agent: "one")
        let second = message(addresses: 2, protocols: ["/b"], agent: "two", record: [1])
        var expected = message(addresses: 1, protocols: ["/a", "/b"], agent: "two", record: [1])
        expected.listenAddresses += second.listenAddresses
        try everySplit(first.encodedDelimited() + second.encodedDelimited()) { pieces in
            let merged = try read(pieces)
            #expect(merged == expected)
        }
    }

    @Test func anEndInTheMiddleIsNotAnIdentification() {
        let bytes = message(protocols: ["/a"], agent: "x").encodedDelimited()
        for length in 0..<bytes.count {
            #expect(throws: IdentifyError.endedEarly) { try read([bytes[..<length]]) }
        }
        #expect(throws: IdentifyError.endedEarly) { try read([bytes[...], bytes[..<1]]) }
    }

    @Test func readsTenMessagesAndNoMore() throws {
        let bytes = message(protocols: ["/a"]).encodedDelimited()
        let ten = Array(repeating: bytes, count: 10).flatMap(\.self)
        #expect(try read([ten[...]]).protocols.count == 10)
        var reader = IdentifyReader()
        var input = (ten + bytes)[...]
        #expect(throws: IdentifyError.tooManyMessages(limit: 10)) { try reader.receive(&input) }
        #expect(throws: IdentifyError.tooManyMessages(limit: 10)) { try reader.receive(&input) }
        #expect(throws: IdentifyError.tooManyMessages(limit: 10)) { try reader.receiveEnd([]) }
    }

    @Test func refusesAMessageOver8KiBBeforeItHasCome() {
        #expect(throws: IdentifyError.message(.tooLarge(message: "Identify", size: 8193, limit: 8192))) {
            try read([[0x81, 0x40]])
        }
    }

    @Test func refusesMoreThan500AddressesOverAllMessages() throws {
        let half = message(addresses: 250).encodedDelimited()
        #expect(try read([half[...], half[...]]).listenAddresses.count == 500)
        #expect(throws: IdentifyError.message(.tooMany(field: "the listen addresses", count: 501, limit: 500))) {
            try read([half[...], half[...], message(addresses: 1).encodedDelimited()[...]])
        }
    }

    @Test func refusesWhatIsNotProtobuf() {
        #expect(throws: IdentifyError.message(.malformed(message: "Identify"))) { try read([[2, 0x0a, 0x05]]) }
    }

    @Test func randomBytesNeverTrap() {
        var random = SplitMix64(seed: 11)
        let good = message(addresses: 3, protocols: ["/a", "/bc"], agent: "agent", record: [1, 2, 3]).encodedDelimited()
        for _ in 0..<20_000 {
            var bytes = good + good
            bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            _ = try? read([bytes[...]])
        }
    }
}

@Suite struct IdentifyEncoderTests {
    @Test func whatFitsIsOneMessage() throws {
        let small = message(addresses: 10, protocols: ["/a"], agent: "x", record: [1, 2])
        #expect(try IdentifyEncoder.encode(small) == small.encodedDelimited())
    }

    @Test func theLargestAndTheSmallestSplit() throws {
        let whole = message(addresses: 400, protocols: (0..<300).map { "/app/protocol/\($0)" }, agent: "oxbow/0.1.0")
        let bytes = try IdentifyEncoder.encode(whole)
        let parts = try lengths(bytes)
        #expect(parts.count == 3)
        #expect(parts.allSatisfy { $0 <= 4096 })
        #expect(try read([bytes[...]]) == whole)
        for size in 4080...4100 {
            let near = message(agent: "x", record: Array(repeating: 7, count: size - 6))
            #expect(near.encoded().count == size)
            let encoded = try IdentifyEncoder.encode(near)
            #expect(try lengths(encoded).count == (size > 4096 ? 2 : 1))
            #expect(try read([encoded[...]]) == near)
        }
    }

    @Test func theRecordComesLast() throws {
        let whole = message(addresses: 20, protocols: ["/a"], agent: "x", record: Array(repeating: 1, count: 4000))
        var bytes = try IdentifyEncoder.encode(whole)[...]
        let first = try #require(try IdentifyMessage.decodeDelimited(from: &bytes))
        #expect(first.signedPeerRecord == nil && first.listenAddresses.count == 20 && first.agentVersion == "x")
        let alone = message(record: Array(repeating: 1, count: 5000))
        #expect(try lengths(IdentifyEncoder.encode(alone)).count == 1)
    }

    @Test func whatPeersWouldNotReadIsNotSent() {
        let names = (0..<1000).map { "/\($0)/" + String(repeating: "x", count: 400) }
        #expect(throws: IdentifyError.tooLargeToSend(messages: 100, limit: 10)) {
            try IdentifyEncoder.encode(message(protocols: names))
        }
        #expect(throws: IdentifyError.recordTooLargeToSend(size: 8203, limit: 8192)) {
            try IdentifyEncoder.encode(message(record: Array(repeating: 1, count: 8200)))
        }
    }

    @Test func errorsSayWhatHappened() {
        let errors: [IdentifyError] = [
            .message(.malformed(message: "Identify")), .tooManyMessages(limit: 10), .endedEarly, .malformedKey,
            .wrongKey,
            .tooLargeToSend(messages: 11, limit: 10), .recordTooLargeToSend(size: 9000, limit: 8192),
        ]
        #expect(Set(errors.map(\.description)).count == errors.count)
    }
}
