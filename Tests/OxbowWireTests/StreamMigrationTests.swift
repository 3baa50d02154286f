import OxbowWire
import Testing

@Suite struct StreamMigrationTests {
    static let vectors: [(message: StreamMigrationMessage, wire: [UInt8])] = [
        (.label(id: 0), [0x04, 0x0a, 0x02, 0x08, 0x00]),
        (.migrate(id: 2, from: 0), [0x06, 0x12, 0x04, 0x08, 0x02, 0x10, 0x00]),
        (.ackMigrate(deny: nil), [0x02, 0x1a, 0x00]),
        (.ackMigrate(deny: true), [0x04, 0x1a, 0x02, 0x08, 0x01]),
    ]

    @Test(arguments: vectors) func draftVectors(message: StreamMigrationMessage, wire: [UInt8]) throws {
        #expect(message.encodedDelimited() == wire)
        var input = wire[...] + [0x77]
        #expect(try StreamMigrationMessage.decodeDelimited(from: &input) == message)
        #expect(input == [0x77], "the byte behind the message isn't the message's")
    }

    @Test(arguments: [
        StreamMigrationMessage.label(id: .max), .migrate(id: .max, from: .max), .ackMigrate(deny: false),
    ])
    func extremesSurvive(message: StreamMigrationMessage) throws {
        #expect(try StreamMigrationMessage(decoding: message.encoded()) == message)
    }

    @Test(arguments: vectors) func incompleteMessagesAreLeftAlone(message: StreamMigrationMessage, wire: [UInt8]) throws
    {
        for length in 0..<wire.count {
            var input = wire.prefix(length)
            #expect(try StreamMigrationMessage.decodeDelimited(from: &input) == nil)
            #expect(input == wire.prefix(length))
        }
    }

    @Test func missingRequiredFieldsAreMalformed() {
        // A label without id; a migrate without from; one without id.
        for bytes: [UInt8] in [[0x0a, 0x00], [0x12, 0x02, 0x08, 0x02], [0x12, 0x02, 0x10, 0x02]] {
            #expect(throws: WireError.malformed(message: "StreamMigration")) {
                try StreamMigrationMessage(decoding: bytes)
            }
        }
    }

    @Test func noTypeIsAViolation() {
        for bytes: [UInt8] in [[], [0x22, 0x00], [0x48, 0x01]] {
            #expect(throws: WireError.typeNotSet(message: "StreamMigration")) {
                try StreamMigrationMessage(decoding: bytes)
            }
        }
    }

    @Test func unknownFieldsAreSkipped() throws {
        // Field 9 beside the label, and field 7 inside it.
        let bytes: [UInt8] = [0x4a, 0x01, 0xff, 0x0a, 0x04, 0x08, 0x05, 0x38, 0x01]
        #expect(try StreamMigrationMessage(decoding: bytes) == .label(id: 5))
    }

    @Test func theBoundIsOneKibibyte() throws {
        // A label, and an unknown field that fills the message up to the bound.
        let padding = [UInt8](repeating: 0xaa, count: 1_024 - 4 - 3)
        let full: [UInt8] = [0x0a, 0x02, 0x08, 0x05, 0x4a] + LengthDelimited.encode(padding)
        #expect(full.count == 1_024)
        #expect(try StreamMigrationMessage(decoding: full) == .label(id: 5))
        #expect(throws: WireError.tooLarge(message: "StreamMigration", size: 1_025, limit: 1_024)) {
            try StreamMigrationMessage(decoding: full + [0])
        }
        #expect(throws: WireError.tooLarge(message: "StreamMigration", size: 1_025, limit: 1_024)) {
            var prefix: ArraySlice<UInt8> = [0x81, 0x08]
            return try StreamMigrationMessage.decodeDelimited(from: &prefix)
        }
    }
}

@Suite struct MigrationAnswerTests {
    static let vectors: [(answer: MigrationAnswer, dialect: MigrationDialect, wire: [UInt8])] = [
        (.accept, .draft, [0x02, 0x1a, 0x00]),
        (.deny, .draft, [0x04, 0x1a, 0x02, 0x08, 0x01]),
        (.accept, .proofOfConcept, [0x00]),
        (.deny, .proofOfConcept, [0x02, 0x08, 0x01]),
    ]

    /// SM-W2: each name of the protocol has its own form of an answer.
    @Test(arguments: vectors)
    func bothDialectsAreReadAndWritten(answer: MigrationAnswer, dialect: MigrationDialect, wire: [UInt8]) throws {
        #expect(answer.encodedDelimited(in: dialect) == wire)
        var input = wire[...] + [0x00]
        #expect(try MigrationAnswer.decodeDelimited(from: &input) == answer)
        #expect(input == [0x00])
        for length in 0..<wire.count {
            var partial = wire.prefix(length)
            #expect(try MigrationAnswer.decodeDelimited(from: &partial) == nil)
            #expect(partial.count == length)
        }
    }

    @Test func anExplicitNoDenialIsConsent() throws {
        #expect(try MigrationAnswer.decode([0x1a, 0x02, 0x08, 0x00]) == .accept)
        #expect(try MigrationAnswer.decode([0x08, 0x00]) == .accept)
    }

    @Test func labelsAndMigratesAreNoAnswer() {
        for message in [StreamMigrationMessage.label(id: 1), .migrate(id: 2, from: 1)] {
            #expect(throws: WireError.unexpectedType(message: "StreamMigration")) {
                try MigrationAnswer.decode(message.encoded()[...])
            }
        }
    }

    @Test func anUnknownTypeIsNotConsent() {
        #expect(throws: WireError.typeNotSet(message: "StreamMigration")) {
            try MigrationAnswer.decode([0x22, 0x00])
        }
    }
}
