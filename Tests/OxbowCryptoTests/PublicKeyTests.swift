import OxbowCore
import OxbowWire
import Testing

@testable import OxbowCrypto

@Suite struct PublicKeyTests {
    @Test(arguments: KeyVector.all) func vectorsSurvive(vector: KeyVector) throws {
        OpenSSL.emptyErrorQueue()
        let key = try PublicKey(protobuf: vector.publicKey)
        #expect(key.type == vector.type)
        #expect(key.protobuf == vector.publicKey)
        #expect(OpenSSL.isErrorQueueEmpty)
    }

    @Test(arguments: KeyVector.all) func idsInlineShortKeysAndHashLongOnes(vector: KeyVector) throws {
        let id = try PublicKey(protobuf: vector.publicKey).peerID
        let isShort = vector.publicKey.count <= 42
        #expect(id.inlinePublicKey == (isShort ? vector.publicKey : nil))
        #expect(
            id.multihash
                == (isShort
                    ? [0x00, UInt8(vector.publicKey.count)] + vector.publicKey
                    : [0x12, 0x20] + SHA256.hash(vector.publicKey)))
    }

    @Test func knownIDs() throws {
        let ids = try KeyVector.all.map { try PublicKey(protobuf: $0.publicKey).peerID.description }
        #expect(ids[0].hasPrefix("12D3KooW") && ids[1].hasPrefix("16Uiu2HA"))
        #expect(ids[2].hasPrefix("Qm") && ids[3].hasPrefix("Qm"))
    }

    @Test(arguments: KeyVector.all) func truncationsAreRefused(vector: KeyVector) {
        OpenSSL.emptyErrorQueue()
        for bytes in vector.publicKey.truncated + [vector.publicKey + [0], vector.publicKey + [0x18, 0x00]] {
            #expect(throws: KeyError.self) { try PublicKey(protobuf: bytes) }
        }
        #expect(OpenSSL.isErrorQueueEmpty)
    }

    /// A byte more or less inside the data, with the message around it intact.
    @Test(arguments: KeyVector.all) func dataIsConsumedWhole(vector: KeyVector) throws {
        let data = try PublicKeyMessage(decoding: vector.publicKey).data
        for data in data.truncated + [data + [0]] {
            #expect(throws: KeyError.malformed(vector.type)) { try PublicKey(type: vector.type, data: data) }
        }
    }

    /// Whatever is flipped, the result isn't the same key, and mostly no key.
    @Test(arguments: KeyVector.all) func flippedBytesNeverGiveTheSameKey(vector: KeyVector) throws {
        OpenSSL.emptyErrorQueue()
        let key = try PublicKey(protobuf: vector.publicKey)
        for bytes in vector.publicKey.flipped {
            guard let other = try? PublicKey(protobuf: bytes) else { continue }
            #expect(other != key && other.peerID != key.peerID)
            #expect(other.protobuf == bytes)
        }
        #expect(OpenSSL.isErrorQueueEmpty)
    }

    /// The eight points of low order and their unreduced forms, by their y coordinate, each with both signs of x. That
    /// signatures of nobody hold under them is what noisespec shows (2.22).
    @Test(arguments: [
        String(repeating: "00", count: 32), "01" + String(repeating: "00", count: 31),
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + String(repeating: "ff", count: 30) + "7f", "ed" + String(repeating: "ff", count: 30) + "7f",
        "ee" + String(repeating: "ff", count: 30) + "7f",
    ])
    func ed25519KeysThatEverybodyCanSignForAreRefused(coordinate: String) throws {
        var data = hex(coordinate)
        for sign: UInt8 in [0, 0x80] {
            data[31] = data[31] & 0x7f | sign
            #expect(throws: KeyError.malformed(.ed25519)) { try PublicKey(type: .ed25519, data: data) }
        }
    }

    @Test func otherFormsOfTheMessageAreRefused() throws {
        let data = Array(KeyVector.ed25519.publicKey.dropFirst(4))
        let forms: [[UInt8]] = [
            [0x12, 0x20] + data + [0x08, 0x01],  // the other order
            [0x08, 0x81, 0x00, 0x12, 0x20] + data,  // a long varint
            [0x08, 0x01, 0x12, 0xa0, 0x00] + data,  // a long length
            [0x08, 0x01, 0x08, 0x01, 0x12, 0x20] + data,  // a field twice
            [0x08, 0x01, 0x12, 0x20] + data + [0x18, 0x01],  // an unknown field
        ]
        for form in forms {
            #expect(throws: KeyError.notCanonical) { try PublicKey(protobuf: form) }
        }
        #expect(throws: KeyError.wire(.malformed(message: "PublicKey"))) {
            try PublicKey(protobuf: [0x12, 0x20] + data)
        }
        #expect(throws: KeyError.unknownType(4)) { try PublicKey(protobuf: [0x08, 0x04, 0x12, 0x20] + data) }
    }

    @Test func secp256k1PointsMayBeUncompressed() throws {
        let compressed = try PublicKey(protobuf: KeyVector.secp256k1.publicKey)
        let point = try compressed.key.point(of: .secp256k1, compressed: false)
        let key = try PublicKey(type: .secp256k1, data: point)
        #expect(key == compressed && key.protobuf == KeyVector.secp256k1.publicKey)
        for altered in point.flipped {
            #expect(throws: KeyError.malformed(.secp256k1)) { try PublicKey(type: .secp256k1, data: altered) }
        }
        // The hybrid form, the point at infinity, and an x without a y.
        let hybrid = [0x06 | point[64] & 1] + point[1...]
        for bytes in [hybrid, [0x00], [0x02] + [UInt8](repeating: 0xff, count: 32)] {
            #expect(throws: KeyError.malformed(.secp256k1)) { try PublicKey(type: .secp256k1, data: bytes) }
        }
    }

    @Test func pointsOffTheCurveAreRefused() throws {
        OpenSSL.emptyErrorQueue()
        let data = try PublicKeyMessage(decoding: KeyVector.ecdsa.publicKey).data
        for altered in data.flipped {
            #expect(throws: KeyError.malformed(.ecdsa)) { try PublicKey(type: .ecdsa, data: altered) }
        }
        #expect(OpenSSL.isErrorQueueEmpty)
    }

    @Test func equalityIsThatOfTheBytes() throws {
        let keys = try KeyVector.all.map { try PublicKey(protobuf: $0.publicKey) }
        let again = try KeyVector.all.map { try PublicKey(protobuf: $0.publicKey) }
        #expect(keys == again && Set(keys + again).count == keys.count)
    }
}

@Suite struct RSASizeTests {
    /// A SubjectPublicKeyInfo with any numbers.
    static func info(modulus: [UInt8], exponent: [UInt8] = [1, 0, 1]) -> [UInt8] {
        let pair = element(0x30, integer(modulus) + integer(exponent))
        return element(0x30, hex("300d06092a864886f70d0101010500") + element(0x03, [0] + pair))
    }

    static func integer(_ magnitude: [UInt8]) -> [UInt8] {
        element(0x02, (magnitude.first ?? 0) >= 0x80 ? [0] + magnitude : magnitude)
    }

    static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        switch content.count {
        case ..<0x80: [tag, UInt8(content.count)] + content
        case ..<0x100: [tag, 0x81, UInt8(content.count)] + content
        default: [tag, 0x82, UInt8(content.count >> 8), UInt8(content.count & 0xff)] + content
        }
    }

    /// An odd number of so many bits; no product of two primes is needed to be refused.
    static func number(bits: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xff, count: (bits + 7) / 8)
        if bits % 8 != 0 { bytes[0] = UInt8(1 << (bits % 8)) - 1 }
        return bytes
    }

    /// CVE-2023-39533: a key so long that one verification takes seconds.
    @Test(arguments: [8, 512, 1_024, 2_047, 8_193, 16_384, 32_768])
    func sizesOutsideTheBoundsAreRefused(bits: Int) {
        let info = Self.info(modulus: Self.number(bits: bits))
        #expect(throws: KeyError.rsaSize(bits: bits)) { try PublicKey(type: .rsa, data: info) }
        let message = PublicKeyMessage(type: 0, data: info).encoded()
        #expect(throws: KeyError.rsaSize(bits: bits)) { try PublicKey(protobuf: message) }
    }

    @Test func hugeMessagesAreRefusedUnread() {
        let message = PublicKeyMessage(type: 0, data: Self.info(modulus: Self.number(bits: 80_000))).encoded()
        #expect(throws: KeyError.wire(.tooLarge(message: "PublicKey", size: UInt64(message.count), limit: 8_192))) {
            try PublicKey(protobuf: message)
        }
    }

    @Test(arguments: [2_048, 4_096, 8_192]) func sizesWithinTheBoundsAreTaken(bits: Int) throws {
        OpenSSL.emptyErrorQueue()
        let info = Self.info(modulus: Self.number(bits: bits))
        #expect(try PublicKey(type: .rsa, data: info).data == info)
        #expect(OpenSSL.isErrorQueueEmpty)
    }

    @Test func slowOrUnsafeExponentsAreRefused() {
        let modulus = Self.number(bits: 2_048)
        for exponent in [[1], [2], [1, 0, 0], [0x80, 0, 0, 1], [UInt8](repeating: 0xff, count: 256)] {
            #expect(throws: KeyError.rsaExponent) {
                try PublicKey(type: .rsa, data: Self.info(modulus: modulus, exponent: exponent))
            }
        }
    }

    @Test func otherEncodingsOfTheSameNumbersAreRefused() {
        let modulus = Self.number(bits: 2_048)
        let (n, e) = (Self.integer(modulus), Self.integer([1, 0, 1]))
        let algorithm = hex("300d06092a864886f70d0101010500")
        func info(_ algorithm: [UInt8], _ pair: [UInt8], unused: UInt8 = 0) -> [UInt8] {
            Self.element(0x30, algorithm + Self.element(0x03, [unused] + pair))
        }
        let pair = Self.element(0x30, n + e)
        let forms = [
            info(algorithm, Self.element(0x30, n + e + e)),  // a third number
            info(algorithm, pair + [5, 0]),  // something behind the numbers
            info(algorithm, pair, unused: 1),  // unused bits
            info(hex("300b06092a864886f70d010101"), pair),  // no parameters
            info(hex("300d06092a864886f70d01010a0500"), pair),  // RSA-PSS
            info(algorithm, Self.element(0x30, Self.element(0x02, [0, 0] + modulus) + e)),  // a zero too many
            info(algorithm, Self.element(0x30, Self.element(0x02, modulus) + e)),  // negative
            info(algorithm, Self.element(0x30, n + [0x02, 0x81, 0x03, 1, 0, 1])),  // a long length
            info(algorithm, Self.element(0x30, n + [0x02, 0x80, 1, 0, 1, 0, 0])),  // indefinite
            info(algorithm, Self.element(0x30, Self.integer(Array(modulus.dropLast()) + [0xfe]) + e)),  // even
        ]
        for form in forms {
            #expect(throws: KeyError.malformed(.rsa)) { try PublicKey(type: .rsa, data: form) }
        }
    }
}
