import OxbowCore
import OxbowWire
import Testing

/// The messages of circuit relay v2, against bytes written by hand from the specification's schema.
@Suite struct CircuitMessageTests {
    static let peer: [UInt8] = [0x00, 0x01, 0x02]

    @Test("Hop messages are what the schema says")
    func hopVectors() throws {
        let limit = CircuitLimitMessage(seconds: 120, bytes: 131_072)
        let reservation = CircuitReservationMessage(expiration: 300, addresses: [[4, 1]], voucher: [9])
        let vectors: [(HopMessage, [UInt8])] = [
            (.reserve, [0x08, 0]),
            (.connect(peer: Self.peer), [0x08, 1, 0x12, 5, 0x0a, 3, 0, 1, 2]),
            (.status(.noReservation), [0x08, 2, 0x28, 0xcc, 0x01]),
            (.status(.ok, limit: limit), [0x08, 2, 0x22, 6, 0x08, 120, 0x10, 0x80, 0x80, 0x08, 0x28, 100]),
            (
                .status(.ok, reservation: reservation),
                [0x08, 2, 0x1a, 10, 0x08, 0xac, 0x02, 0x12, 2, 4, 1, 0x1a, 1, 9, 0x28, 100]
            ),
        ]
        for (message, bytes) in vectors {
            #expect(message.encoded() == bytes)
            #expect(try HopMessage(decoding: bytes) == message)
        }
    }

    @Test("Stop messages are what the schema says")
    func stopVectors() throws {
        let vectors: [(StopMessage, [UInt8])] = [
            (.connect(peer: Self.peer), [0x08, 0, 0x12, 5, 0x0a, 3, 0, 1, 2]),
            (
                .connect(peer: Self.peer, limit: CircuitLimitMessage(seconds: 1, bytes: nil)),
                [0x08, 0, 0x12, 5, 0x0a, 3, 0, 1, 2, 0x1a, 2, 0x08, 1]
            ),
            (.status(.ok), [0x08, 1, 0x20, 100]),
        ]
        for (message, bytes) in vectors {
            #expect(message.encoded() == bytes)
            #expect(try StopMessage(decoding: bytes) == message)
        }
    }

    @Test("A limit of 0 is none, and numbers may be as large as they come")
    func limits() throws {
        let none = try HopMessage(decoding: [0x08, 2, 0x22, 4, 0x08, 0, 0x10, 0, 0x28, 100])
        #expect(none == .status(.ok, limit: CircuitLimitMessage(seconds: nil, bytes: nil)))
        let most = CircuitLimitMessage(seconds: .max, bytes: .max)
        #expect(try HopMessage(decoding: HopMessage.status(.ok, limit: most).encoded()) == .status(.ok, limit: most))
    }

    @Test("A type that isn't there or isn't known is an error; an unknown status is no consent")
    func unknownNumbers() throws {
        for bytes: [UInt8] in [[], [0x28, 100], [0x08, 3], [0x08, 0x80, 0x80, 0x04]] {
            #expect(throws: WireError.typeNotSet(message: "HopMessage")) { try HopMessage(decoding: bytes) }
        }
        #expect(throws: WireError.typeNotSet(message: "StopMessage")) { try StopMessage(decoding: [0x08, 2]) }
        #expect(try HopMessage(decoding: [0x08, 2]) == .status(.unknown(0)))
        #expect(try HopMessage(decoding: [0x08, 2, 0x28, 101]) == .status(.unknown(101)))
        for code: UInt32 in 0...500 { #expect(CircuitStatus(code: code).code == code) }
    }

    @Test("A circuit for nobody, too many addresses and too many bytes are errors")
    func bounds() throws {
        for bytes: [UInt8] in [[0x08, 1], [0x08, 1, 0x12, 0]] {
            #expect(throws: WireError.malformed(message: "HopMessage")) { try HopMessage(decoding: bytes) }
        }
        let many = CircuitReservationMessage(
            expiration: 1, addresses: Array(repeating: [], count: 101), voucher: nil)
        #expect(throws: WireError.tooMany(field: "the reservation's addresses", count: 101, limit: 100)) {
            try HopMessage(decoding: HopMessage.status(.ok, reservation: many).encoded())
        }
        var input: ArraySlice<UInt8> = [0x81, 0x20]
        #expect(throws: WireError.tooLarge(message: "HopMessage", size: 4_097, limit: 4_096)) {
            try HopMessage.decodeDelimited(from: &input)
        }
    }

    @Test("No bytes trap: every flip of one byte of a message decodes or is an error")
    func flips() {
        let reservation = CircuitReservationMessage(expiration: .max, addresses: [[4, 1]], voucher: [9])
        let whole = HopMessage.status(
            .ok, reservation: reservation, limit: CircuitLimitMessage(seconds: .max, bytes: .max)
        ).encoded()
        for index in whole.indices {
            for bit in 0..<8 {
                var bytes = whole
                bytes[index] ^= 1 << bit
                _ = try? HopMessage(decoding: bytes)
                _ = try? StopMessage(decoding: bytes)
                _ = try? ReservationVoucherMessage(decoding: bytes)
            }
        }
    }
}
