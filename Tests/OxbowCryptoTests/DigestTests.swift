import Testing

@testable import OxbowCrypto

@Suite struct DigestTests {
    @Test func sha256() {
        #expect(SHA256.hash([]) == hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
        #expect(SHA256.hash(text("abc")) == hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
        #expect(SHA256.hash("abc".utf8) == SHA256.hash(text("abc")), "what isn't in one piece hashes alike")
    }

    @Test func sha256InPieces() {
        var stream = SHA256Stream()
        #expect(stream.digest() == SHA256.hash([]))
        for piece in ["a", "", "b"] { stream.update(text(piece)) }
        #expect(stream.digest() == SHA256.hash(text("ab")), "asking for the digest ends nothing")
        stream.update("c".utf8)
        #expect(stream.digest() == SHA256.hash(text("abc")))
    }

    /// RFC 4231, case 2.
    @Test func hmac() {
        let code = HMACSHA256.code(for: "what do ya want for nothing?".utf8, key: "Jefe".utf8)
        #expect(code == hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"))
    }

    /// RFC 5869, cases 1 and 3.
    @Test func hkdf() {
        let secret = [UInt8](repeating: 0x0b, count: 22)
        let long = HKDFSHA256.derive(from: secret, salt: 0x00...0x0c, info: 0xf0...0xf9, length: 42)
        #expect(
            long
                == hex(
                    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"))
        let bare = HKDFSHA256.derive(from: secret, salt: [], info: [], length: 42)
        #expect(
            bare
                == hex(
                    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"))
    }

    /// Noise specification, section 4.3, spelled out.
    @Test(arguments: [[], [UInt8](repeating: 7, count: 32)])
    func noiseHKDF(input: [UInt8]) {
        let chainingKey = SHA256.hash(text("Noise_XX_25519_ChaChaPoly_SHA256"))
        let temporary = HMACSHA256.code(for: input, key: chainingKey)
        let first = HMACSHA256.code(for: [1], key: temporary)
        let second = HMACSHA256.code(for: first + [2], key: temporary)
        let third = HMACSHA256.code(for: second + [3], key: temporary)
        let two = HKDFSHA256.hkdf2(chainingKey: chainingKey, input: input)
        #expect(two.0 == first && two.1 == second)
        let three = HKDFSHA256.hkdf3(chainingKey: chainingKey, input: input)
        #expect(three.0 == first && three.1 == second && three.2 == third)
    }

    @Test func randomBytesDiffer() throws {
        #expect(try SecureRandom.bytes(0) == [])
        #expect(try SecureRandom.bytes(32) != SecureRandom.bytes(32))
        #expect(try SecureRandom.uint64() != SecureRandom.uint64())
    }
}
