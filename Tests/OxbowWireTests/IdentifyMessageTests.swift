import OxbowWire
import Testing

@Suite struct IdentifyMessageTests {
    static let full: IdentifyMessage = {
        var message = IdentifyMessage()
        message.publicKey = [0x08, 0x01]
        message.listenAddresses = [[4, 127, 0, 0, 1], []]
        message.protocols = ["/ipfs/ping/1.0.0", "/libp2p/stream-migration", "", "/é\0/1"]
        message.observedAddress = [6, 0]
        message.protocolVersion = "ipfs/0.1.0"
        message.agentVersion = "oxbow/1"
        message.signedPeerRecord = [1, 2, 3]
        return message
    }()

    @Test func layout() {
        var message = IdentifyMessage()
        message.publicKey = [1]
        message.listenAddresses = [[2]]
        message.protocols = ["3"]
        message.observedAddress = [4]
        message.protocolVersion = "5"
        message.agentVersion = "6"
        message.signedPeerRecord = [8]
        #expect(
            message.encoded() == [
                0x0a, 1, 1, 0x12, 1, 2, 0x1a, 1, 0x33, 0x22, 1, 4, 0x2a, 1, 0x35, 0x32, 1, 0x36, 0x42, 1, 8,
            ])
    }

    @Test func absentAndEmptyFieldsAreToldApart() throws {
        #expect(try IdentifyMessage(decoding: []) == IdentifyMessage())
        var empty = IdentifyMessage()
        empty.publicKey = []
        empty.agentVersion = ""
        #expect(try IdentifyMessage(decoding: empty.encoded()) == empty)
    }

    /// A text with a NUL inside isn't cut there: two names that differ behind it stay two.
    @Test func textIsKeptWhole() throws {
        let message = try IdentifyMessage(decoding: [0x1a, 3, 0x61, 0x00, 0x62, 0x1a, 1, 0x61])
        #expect(message.protocols == ["a\0b", "a"])
    }

    @Test(
        arguments: [
            (0x1a, "protocol name"), (0x2a, "protocol version"), (0x32, "agent version"),
        ] as [(UInt8, String)])
    func textMustBeUTF8(tag: UInt8, field: String) {
        for bad: [UInt8] in [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]] {
            #expect(throws: WireError.notUTF8(field: field)) {
                try IdentifyMessage(decoding: [tag] + LengthDelimited.encode(bad))
            }
        }
    }

    @Test func listsAreCapped() throws {
        let addresses = { [[UInt8]](repeating: [0x12, 0], count: $0).flatMap { $0 } }
        #expect(try IdentifyMessage(decoding: addresses(500)).listenAddresses.count == 500)
        #expect(throws: WireError.tooMany(field: "the listen addresses", count: 501, limit: 500)) {
            try IdentifyMessage(decoding: addresses(501))
        }
        let protocols = { [[UInt8]](repeating: [0x1a, 1, 0x61], count: $0).flatMap { $0 } }
        #expect(try IdentifyMessage(decoding: protocols(1_000)).protocols.count == 1_000)
        #expect(throws: WireError.tooMany(field: "the protocols", count: 1_001, limit: 1_000)) {
            try IdentifyMessage(decoding: protocols(1_001))
        }
    }

    @Test func mergingAppendsListsAndReplacesTheRest() throws {
        var merged = Self.full
        var later = IdentifyMessage()
        later.protocols = ["/later/1"]
        later.listenAddresses = [[9]]
        later.agentVersion = "oxbow/2"
        later.signedPeerRecord = []
        try merged.merge(later)
        #expect(merged.protocols == Self.full.protocols + ["/later/1"])
        #expect(merged.listenAddresses == Self.full.listenAddresses + [[9]])
        #expect(merged.agentVersion == "oxbow/2" && merged.signedPeerRecord == [])
        #expect(merged.publicKey == Self.full.publicKey && merged.observedAddress == Self.full.observedAddress)
        #expect(merged.protocolVersion == Self.full.protocolVersion)
    }

    /// Protobuf's own rule: two messages read as one are the two merged.
    @Test func mergingIsConcatenation() throws {
        var later = IdentifyMessage()
        later.protocols = ["/later/1"]
        later.observedAddress = [7]
        var merged = Self.full
        try merged.merge(later)
        #expect(try IdentifyMessage(decoding: Self.full.encoded() + later.encoded()) == merged)
    }

    @Test func mergingKeepsTheBounds() throws {
        var merged = IdentifyMessage()
        var part = IdentifyMessage()
        part.protocols = [String](repeating: "p", count: 400)
        part.listenAddresses = [[UInt8]](repeating: [1], count: 200)
        try merged.merge(part)
        try merged.merge(part)
        let before = merged
        #expect(throws: WireError.tooMany(field: "the listen addresses", count: 600, limit: 500)) {
            try merged.merge(part)
        }
        part.listenAddresses = []
        #expect(throws: WireError.tooMany(field: "the protocols", count: 1_200, limit: 1_000)) {
            try merged.merge(part)
        }
        #expect(merged == before, "a refused message changes nothing")
    }
}
