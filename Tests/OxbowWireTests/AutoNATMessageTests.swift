import OxbowWire
import Testing

@Suite("Messages of AutoNAT")
struct AutoNATMessageTests {
    /// Put together by hand from the schemas of the specifications.
    @Test("The bytes are the specification's")
    func vectors() {
        let address: [UInt8] = [4, 1, 2, 3, 4]
        #expect(
            AutoNATv1Message.dial(peer: [7], addresses: [address]).encoded()
                == [0x08, 0x00, 0x12, 0x0c, 0x0a, 0x0a, 0x0a, 0x01, 7, 0x12, 0x05] + address)
        #expect(
            AutoNATv1Message.response(status: 100, address: nil).encoded() == [0x08, 0x01, 0x1a, 0x02, 0x08, 100])
        #expect(
            AutoNATv2Message.dialRequest(addresses: [address], nonce: 0x0807_0605_0403_0201).encoded()
                == [0x0a, 0x10, 0x0a, 0x05] + address + [0x11, 1, 2, 3, 4, 5, 6, 7, 8])
        #expect(
            AutoNATv2Message.dialResponse(AutoNATv2Response(status: 200, index: 1, dialStatus: 100)).encoded()
                == [0x12, 0x07, 0x08, 0xc8, 0x01, 0x10, 1, 0x18, 100])
        #expect(
            AutoNATv2Message.dialDataRequest(index: 1, count: 300).encoded()
                == [0x1a, 0x05, 0x08, 1, 0x10, 0xac, 0x02])
        #expect(AutoNATv2Message.dialData([9]).encoded() == [0x22, 0x03, 0x0a, 1, 9])
        #expect(AutoNATDialBack(nonce: 1).encoded() == [0x09, 1, 0, 0, 0, 0, 0, 0, 0])
        #expect(AutoNATDialBackResponse().encodedDelimited() == [0])
    }

    @Test("What proto3 leaves out is zero")
    func defaults() throws {
        #expect(try AutoNATv2Message(decoding: [0x0a, 0x00]) == .dialRequest(addresses: [], nonce: 0))
        #expect(try AutoNATv2Message(decoding: [0x12, 0x00]) == .dialResponse(AutoNATv2Response(status: 0)))
        #expect(try AutoNATv2Message(decoding: [0x1a, 0x00]) == .dialDataRequest(index: 0, count: 0))
        #expect(try AutoNATv2Message(decoding: [0x22, 0x00]) == .dialData([]))
        #expect(try AutoNATDialBack(decoding: [UInt8]()).nonce == 0)
        #expect(try AutoNATDialBackResponse(decoding: [UInt8]()).status == 0)
        #expect(try AutoNATv1Message(decoding: [0x12, 0x02, 0x0a, 0x00]) == .dial(peer: nil, addresses: []))
        #expect(try AutoNATv1Message(decoding: [0x08, 1, 0x1a, 0x00]) == .response(status: 0, address: nil))
    }

    @Test("Nothing is taken for something: no type, a type without its content, numbers cut to 32 bits")
    func malformed() throws {
        #expect(throws: WireError.typeNotSet(message: "AutoNAT v2")) { try AutoNATv2Message(decoding: [UInt8]()) }
        #expect(throws: WireError.typeNotSet(message: "AutoNAT")) { try AutoNATv1Message(decoding: [0x08, 2]) }
        for bytes: [UInt8] in [[], [0x08, 0], [0x08, 1], [0x08, 0, 0x12, 0]] {
            #expect(throws: WireError.malformed(message: "AutoNAT")) { try AutoNATv1Message(decoding: bytes) }
        }
        // 2^32 + 200 isn't 200.
        let large: [UInt8] = [0x12, 0x06, 0x08, 0xc8, 0x81, 0x80, 0x80, 0x10]
        #expect(
            try AutoNATv2Message(decoding: large) == .dialResponse(AutoNATv2Response(status: 1 << 32 + 200)))
    }

    @Test("A list of addresses ends at its bound, a message at its size")
    func bounds() throws {
        let many = [[UInt8]](repeating: [4, 1, 2, 3, 4], count: 400)
        guard
            case .dialRequest(let addresses, 5) = try AutoNATv2Message(
                decoding: AutoNATv2Message.dialRequest(addresses: many, nonce: 5).encoded())
        else {
            Issue.record("not a request")
            return
        }
        #expect(addresses.count == AutoNATv2Message.maximumAddresses)
        guard
            case .dial(_, let dialled) = try AutoNATv1Message(
                decoding: AutoNATv1Message.dial(peer: nil, addresses: many).encoded())
        else {
            Issue.record("not a dial")
            return
        }
        #expect(dialled.count == AutoNATv1Message.maximumAddresses)
        var prefix: ArraySlice<UInt8> = [0x81, 0x40]
        #expect(throws: WireError.tooLarge(message: "AutoNAT v2", size: 8_193, limit: 8_192)) {
            try AutoNATv2Message.decodeDelimited(from: &prefix)
        }
        #expect(throws: WireError.tooLarge(message: "AutoNAT", size: 8_193, limit: 4_096)) {
            try AutoNATv1Message.decodeDelimited(from: &prefix)
        }
    }
}
