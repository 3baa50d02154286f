import Testing

@testable import OxbowCrypto

@Suite struct X25519Tests {
    let alice = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    let bob = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")

    /// RFC 7748, section 6.1.
    @Test func vector() throws {
        let alice = try X25519PrivateKey(raw: alice)
        let bob = try X25519PrivateKey(raw: bob)
        #expect(alice.publicKey == hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"))
        #expect(bob.publicKey == hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"))
        let secret = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
        #expect(try alice.sharedSecret(with: bob.publicKey) == secret)
        #expect(try bob.sharedSecret(with: alice.publicKey[...]) == secret)
        #expect(try alice.raw() == self.alice)
    }

    @Test func generatedKeysAgree() throws {
        let alice = try X25519PrivateKey.generate()
        let bob = try X25519PrivateKey.generate()
        #expect(alice.publicKey != bob.publicKey)
        #expect(try alice.sharedSecret(with: bob.publicKey) == bob.sharedSecret(with: alice.publicKey))
    }

    /// Every point of low order, and the values that stand for them modulo p.
    @Test(arguments: [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ])
    func lowOrderPointsAreRefused(point: String) throws {
        OpenSSL.emptyErrorQueue()
        let key = try X25519PrivateKey.generate()
        #expect(throws: CryptoError.zeroSharedSecret) { try key.sharedSecret(with: hex(point)) }
        #expect(OpenSSL.isErrorQueueEmpty)
    }

    @Test func otherLengthsAreRefused() throws {
        let key = try X25519PrivateKey(raw: alice)
        for length in Array(0..<32) + [33, 64] {
            let bytes = [UInt8](repeating: 9, count: length)
            let error = CryptoError.badKeyLength(expected: 32, actual: length)
            #expect(throws: error) { try key.sharedSecret(with: bytes) }
            #expect(throws: error) { try X25519PrivateKey(raw: bytes) }
        }
    }

    @Test func theDescriptionKeepsTheSecret() throws {
        #expect("\(try X25519PrivateKey(raw: alice))" == "X25519PrivateKey(redacted)")
    }
}
