import OxbowCrypto
import Testing

@testable import OxbowSecurity

extension NoiseTransport {
    /// A whole record with its length.
    mutating func sealed(_ plaintext: [UInt8]) throws -> [UInt8] {
        var record = [UInt8](repeating: 0, count: plaintext.count + Self.overhead)
        try record.withUnsafeMutableBytes { output in
            try plaintext.withUnsafeBytes { plaintext in try seal(plaintext, into: output) }
        }
        return record
    }

    /// The plaintext of a record with its length.
    mutating func opened(_ record: [UInt8]) throws -> [UInt8] {
        var body = Array(record.dropFirst(Self.lengthPrefix))
        let count = try body.withUnsafeMutableBytes { body in try open(body) }
        return Array(body.prefix(count))
    }
}

extension NoiseTransport {
    /// Opens what follows a record's length to the front of `output`.
    mutating func open(_ body: ArraySlice<UInt8>, into output: inout [UInt8]) throws -> Int {
        try body.withUnsafeBytes { body in
            try output.withUnsafeMutableBytes { output in try open(body, into: output) }
        }
    }
}

@Suite("Noise records")
struct NoiseTransportTests {
    let first = [UInt8](repeating: 1, count: 32)
    let second = [UInt8](repeating: 2, count: 32)

    func alice(firstNonce: UInt64 = 0) throws -> NoiseTransport {
        try NoiseTransport(
            sending: NoiseCipher(key: first, firstNonce: firstNonce),
            receiving: NoiseCipher(key: second, firstNonce: firstNonce))
    }

    func bob(firstNonce: UInt64 = 0) throws -> NoiseTransport {
        try NoiseTransport(
            sending: NoiseCipher(key: second, firstNonce: firstNonce),
            receiving: NoiseCipher(key: first, firstNonce: firstNonce))
    }

    @Test("carry any plaintext that fits", arguments: [0, 1, 12, 65_408, 65_519])
    func sizes(count: Int) throws {
        var alice = try alice()
        var bob = try bob()
        let plaintext = pattern(count)
        let record = try alice.sealed(plaintext)
        #expect(record.count == count + NoiseTransport.overhead)
        #expect(Int(record[0]) << 8 | Int(record[1]) == count + 16)
        #expect(try bob.opened(record) == plaintext)
        let answer = try bob.sealed(plaintext)
        #expect(answer != record)
        #expect(try alice.opened(answer) == plaintext)
    }

    @Test("are sealed in place", arguments: [0, 1, 65_408])
    func inPlace(count: Int) throws {
        var alice = try alice()
        var bob = try bob()
        let plaintext = pattern(count)
        var record = [0, 0] + plaintext + [UInt8](repeating: 0, count: 16)
        try record.withUnsafeMutableBytes { output in
            try alice.seal(UnsafeRawBufferPointer(rebasing: output[2..<2 + count]), into: output)
        }
        #expect(try bob.opened(record) == plaintext)
    }

    @Test("open apart from where they lie", arguments: [0, 1, 65_408])
    func openApart(count: Int) throws {
        var alice = try alice()
        var bob = try bob()
        let plaintext = pattern(count)
        let record = try alice.sealed(plaintext)
        var forged = record
        forged[record.count - 1] ^= 1
        var output = [UInt8](repeating: 0xee, count: count + 1)
        #expect(throws: SecurityError.decryptionFailed) { try bob.open(body(of: forged), into: &output) }
        #expect(output == [UInt8](repeating: 0, count: count) + [0xee])
        #expect(try bob.open(body(of: record), into: &output) == count)
        #expect(output == plaintext + [0xee])
    }

    private func body(of record: [UInt8]) -> ArraySlice<UInt8> {
        record.dropFirst(NoiseTransport.lengthPrefix)
    }

    @Test("leave the rest of the output alone")
    func outputRest() throws {
        var alice = try alice()
        let plaintext: [UInt8] = [1, 2, 3]
        var output = [UInt8](repeating: 0xee, count: 40)
        try output.withUnsafeMutableBytes { output in
            try plaintext.withUnsafeBytes { plaintext in try alice.seal(plaintext, into: output) }
        }
        #expect(output[21...].allSatisfy { $0 == 0xee })
    }

    /// RUSTSEC-2024-0011.
    @Test("that were injected don't count")
    func injected() throws {
        var alice = try alice()
        var bob = try bob()
        for round in 1...5 {
            let record = try alice.sealed(pattern(round * 100))
            for garbage in [[UInt8](repeating: 0, count: 18), record.map { ~$0 }, record + [0], record.dropLast()] {
                #expect(throws: SecurityError.decryptionFailed) { _ = try bob.opened(Array(garbage)) }
            }
            #expect(try bob.opened(record) == pattern(round * 100))
        }
    }

    @Test("shorter than a tag are malformed", arguments: 0..<16)
    func short(count: Int) throws {
        var bob = try bob()
        let record = [0, UInt8(count)] + [UInt8](repeating: 0, count: count)
        #expect(throws: SecurityError.malformed("a Noise record is shorter than its tag")) {
            _ = try bob.opened(record)
        }
    }

    @Test("with any byte changed don't open")
    func flipped() throws {
        var alice = try alice()
        var bob = try bob()
        let record = try alice.sealed(pattern(40))
        for index in 2..<record.count {
            for mask in [1, 0x80] as [UInt8] {
                var changed = record
                changed[index] ^= mask
                #expect(throws: SecurityError.decryptionFailed) { _ = try bob.opened(changed) }
            }
        }
        #expect(try bob.opened(record) == pattern(40))
    }

    @Test("don't open twice, nor out of order")
    func order() throws {
        var alice = try alice()
        var bob = try bob()
        let records = [try alice.sealed([1]), try alice.sealed([2])]
        #expect(throws: SecurityError.decryptionFailed) { _ = try bob.opened(records[1]) }
        #expect(try bob.opened(records[0]) == [1])
        #expect(throws: SecurityError.decryptionFailed) { _ = try bob.opened(records[0]) }
        #expect(try bob.opened(records[1]) == [2])
    }

    @Test("end before the last nonce, which is reserved")
    func nonces() throws {
        var alice = try alice(firstNonce: .max - 1)
        var bob = try bob(firstNonce: .max - 1)
        let record = try alice.sealed([1])
        #expect(try bob.opened(record) == [1])
        #expect(throws: SecurityError.noncesExhausted) { _ = try alice.sealed([1]) }
        #expect(throws: SecurityError.noncesExhausted) { _ = try bob.opened(record) }
    }
}
