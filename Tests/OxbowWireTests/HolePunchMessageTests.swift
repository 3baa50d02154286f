import OxbowWire
import Testing

/// The messages of `/libp2p/dcutr` (libp2p/specs, relay/DCUtR.md, "RPC messages").
@Suite struct HolePunchMessageTests {
    @Test("The bytes are those of the specification's schema: CONNECT is 100, SYNC is 300, addresses are field 2")
    func bytes() throws {
        let address: [UInt8] = [4, 192, 0, 2, 1, 6, 0x0f, 0xa1]
        let connect: [UInt8] = [0x08, 100, 0x12, 8] + address
        #expect(HolePunchMessage.connect(addresses: [address]).encoded() == connect)
        #expect(try HolePunchMessage(decoding: connect) == .connect(addresses: [address]))
        #expect(HolePunchMessage.sync.encoded() == [0x08, 0xac, 0x02])
        #expect(try HolePunchMessage(decoding: [0x08, 0xac, 0x02]) == .sync)
        #expect(try HolePunchMessage(decoding: [0x08, 100]) == .connect(addresses: []))
    }

    @Test("A type that isn't known, or that only looks like one in 32 bits, is none")
    func types() {
        let types: [[UInt8]] = [[0], [200, 1], [0xff, 0xff, 0xff, 0xff, 0x0f], [0xe4, 0x80, 0x80, 0x80, 0x10]]
        for type in types {
            #expect(throws: WireError.typeNotSet(message: "HolePunch")) {
                try HolePunchMessage(decoding: [0x08] + type)
            }
        }
        #expect(throws: WireError.malformed(message: "HolePunch")) { try HolePunchMessage(decoding: [UInt8]()) }
        #expect(throws: WireError.malformed(message: "HolePunch")) { try HolePunchMessage(decoding: [0x12, 0]) }
    }

    @Test("4 KiB is the most, and 256 addresses: a list of 1,000 is refused (rust-libp2p #2438)")
    func bounds() throws {
        let many = HolePunchMessage.connect(addresses: Array(repeating: [4], count: 1_000))
        #expect(throws: WireError.tooMany(field: "the hole punch's addresses", count: 1_000, limit: 256)) {
            try HolePunchMessage(decoding: many.encoded())
        }
        let most = HolePunchMessage.connect(addresses: Array(repeating: [4], count: 256))
        #expect(try HolePunchMessage(decoding: most.encoded()) == most)
        let large = HolePunchMessage.connect(addresses: [[UInt8](repeating: 0, count: 4_096)])
        #expect(throws: WireError.self) { try HolePunchMessage(decoding: large.encoded()) }
        // The length alone is enough to refuse it.
        var prefix: ArraySlice<UInt8> = [0x81, 0x20]
        #expect(throws: WireError.tooLarge(message: "HolePunch", size: 4_097, limit: 4_096)) {
            try HolePunchMessage.decodeDelimited(from: &prefix)
        }
    }
}
