import OxbowProtocols
import Testing

@Suite struct DNSMessageTests {
    /// "_p2p._udp.local" as on the wire.
    private static let service: [UInt8] =
        [4] + "_p2p".utf8 + [4] + "_udp".utf8 + [5] + "local".utf8 + [0]

    private static func header(_ questions: UInt8 = 0, _ answers: UInt8 = 0, flags: UInt8 = 0x84) -> [UInt8] {
        [0, 0, flags, 0, 0, questions, 0, answers, 0, 0, 0, 0]
    }

    @Test("The question for peers is byte for byte what the specification gives")
    func question() throws {
        let question = DNSQuestion(name: LocalDiscovery.service, type: DNSMessage.RecordType.pointer)
        let bytes = DNSMessage(isResponse: false, questions: [question]).encoded()
        #expect(bytes == Self.header(1, flags: 0) + Self.service + [0, 12, 0, 1])
        #expect(try DNSMessage(decoding: bytes).questions == [question])
    }

    @Test("A compressed answer is read, letters without case, and encodes back to the same values")
    func answer() throws {
        // The name of the record is where the service's name stands, at 12; its own label is in front of a pointer.
        let name: [UInt8] = [3] + "Abc".utf8 + [0xc0, 12]
        let pointer = Self.service + [0, 12, 0, 1, 0, 0, 0, 120, 0, UInt8(name.count)] + name
        let text: [UInt8] = [3] + "a=1".utf8 + [0]
        let record = [0xc0, UInt8(12 + Self.service.count + 10)] + [0, 16, 0x80, 1, 0, 0, 0, 120, 0, 5] + text
        let message = try DNSMessage(decoding: Self.header(0, 2) + pointer + record)
        let own = DNSName(["abc", "_p2p", "_udp", "local"])
        #expect(message.answers.map(\.name) == [LocalDiscovery.service, own])
        #expect(message.answers.map(\.content) == [.pointer(own), .text([Array("a=1".utf8), []])])
        #expect(message.answers.map(\.isUnique) == [false, true])
        #expect(try DNSMessage(decoding: message.encoded()) == message)
    }

    @Test("Pointers that lead forwards, to themselves, in a circle or on and on are refused")
    func pointers() {
        func error(_ bytes: [UInt8]) -> DNSError? {
            do throws(DNSError) {
                _ = try DNSMessage(decoding: bytes)
                return nil
            } catch { return error }
        }
        #expect(error(Self.header(1) + [0xc0, 12, 0, 12, 0, 1]) == .badPointer)
        #expect(error(Self.header(1) + [0xc0, 40, 0, 12, 0, 1]) == .badPointer)
        #expect(error(Self.header(1) + [1, 97, 0xc0, 12, 0, 12, 0, 1]) == .badPointer)
        #expect(error(Self.header(1) + [0xff, 0xff, 0, 12, 0, 1]) == .badPointer)
        // A chain of questions, each a pointer to the one before.
        var chain = Self.header(20) + [0, 0, 12, 0, 1]
        var last = 12
        for _ in 1..<20 {
            let place = chain.count
            chain += [0xc0, UInt8(last), 0, 12, 0, 1]
            last = place
        }
        #expect(error(chain) == .badName)
        // A name that grows past 255 bytes by pointing back.
        let long = [UInt8](repeating: 0, count: 0) + (0..<4).flatMap { _ in [63] + [UInt8](repeating: 97, count: 63) }
        #expect(error(Self.header(1) + long + [0, 0, 12, 0, 1]) == .badName)
        for kind in [UInt8(0x40), 0x80, 0xbf] {
            #expect(error(Self.header(1) + [kind, 0, 0, 0, 12, 0, 1]) == .badName)
        }
    }

    @Test("Counts and lengths that lie, other operations and failures are refused; nothing traps")
    func lies() throws {
        let good = DNSMessage(
            isResponse: true,
            answers: [
                DNSRecord(name: LocalDiscovery.service, lifetime: 1, content: .pointer(LocalDiscovery.service))
            ],
            additional: [DNSRecord(name: LocalDiscovery.service, lifetime: 1, content: .text([[1, 2, 3]]))]
        ).encoded()
        _ = try DNSMessage(decoding: good)
        for length in 0..<good.count {
            #expect(throws: DNSError.self) { try DNSMessage(decoding: Array(good.prefix(length))) }
        }
        // Every byte with every value: whatever comes of it, it comes.
        for index in good.indices {
            for value in UInt8.min...UInt8.max {
                var bytes = good
                bytes[index] = value
                if let message = try? DNSMessage(decoding: bytes) { _ = message.encoded() }
            }
        }
        #expect(throws: DNSError.tooLong) { try DNSMessage(decoding: Array(repeating: 0, count: 9_001)) }
        #expect(throws: DNSError.tooMany) { try DNSMessage(decoding: Self.header(33)) }
        #expect(throws: DNSError.tooMany) {
            try DNSMessage(decoding: [0, 0, 0x84, 0, 0, 0, 0, 100, 0, 100, 0, 57] + good)
        }
        for flags: [UInt8] in [[0x08, 0], [0x84, 3]] {
            #expect(throws: DNSError.notStandard) {
                try DNSMessage(decoding: [0, 0] + flags + [0, 0, 0, 0, 0, 0, 0, 0])
            }
        }
    }
}
