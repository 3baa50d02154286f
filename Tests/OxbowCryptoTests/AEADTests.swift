import Testing

@testable import OxbowCrypto

@Suite struct AEADTests {
    let key = Array<UInt8>(0x80...0x9f)
    let aad = hex("50515253c0c1c2c3c4c5c6c7")
    let sunscreen = text(
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
            + "sunscreen would be it.")
    let sealed = hex(
        """
        d31a8d34648e60db7b86afbc53ef7ec2 a4aded51296e08fea9e2b5a736ee62d6 3dbea45e8ca9671282fafb69da92728b
        1a71de0a9e060b2905d6a5b67ecd3b36 92ddbd7f2d778b8c9803aee328091b58 fab324e4fad675945585808b4831d7bc
        3ff4def08e4b7a9de576d26586cec64b 6116 1ae10b594f09e26a7e902ecbd0600691
        """)

    /// RFC 8439, section 2.8.2. Its nonce has a fixed part, which Noise's has not.
    @Test func chaChaVector() throws {
        var context = try AEADContext(ChaCha20Poly1305Key.cipher, key: key)
        let nonce = Nonce(prefix: 7, littleEndian: 0x4746_4544_4342_4140)
        #expect(try context.seal(nonce, aad, sunscreen) == sealed)
        #expect(try context.open(nonce, aad, sealed) == sunscreen)
    }

    @Test func theCounterIsLittleEndianBehindFourZeros() {
        let nonce = Nonce(littleEndian: 0x0102_0304_0506_0708)
        #expect(withUnsafeBytes(of: nonce.words) { Array($0) } == [0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1])
    }

    /// The GCM submission's cases 13 and 14, whose nonce is zero.
    @Test func gcmVectors() throws {
        var key = try AES256GCMKey(key: [UInt8](repeating: 0, count: 32))
        var output = [UInt8](repeating: 0, count: 16)
        try key.sealArray([], nonce: 0, into: &output)
        #expect(output == hex("530f8afbc74536b9a963b4f1c4cb738b"))
        output = [UInt8](repeating: 0, count: 32)
        try key.sealArray([UInt8](repeating: 0, count: 16), nonce: 0, into: &output)
        #expect(output == hex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"))
        #expect(try key.openArray(output, nonce: 0) == [UInt8](repeating: 0, count: 16))
        #expect(throws: CryptoError.authenticationFailed) { try key.openArray(output, nonce: 1) }
        #expect(try key.openArray(output, nonce: 0) == [UInt8](repeating: 0, count: 16))
    }

    @Test(arguments: [0, 1, 15, 16, 17, 64, 127, 128, 1_024, 65_408, 65_519])
    func inPlaceIsTheSameAsApart(count: Int) throws {
        OpenSSL.emptyErrorQueue()
        var key = try ChaCha20Poly1305Key(key: key)
        let plaintext = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for nonce: UInt64 in [0, 1, .max - 1] {
            var apart = [UInt8](repeating: 0xee, count: count + 16)
            var inPlace = plaintext + [UInt8](repeating: 0xee, count: 16)
            try aad.withUnsafeBytes { aad in
                try plaintext.withUnsafeBytes { plaintext in
                    try apart.withUnsafeMutableBytes {
                        try key.seal(nonce: nonce, aad: aad, plaintext: plaintext, into: $0)
                    }
                }
                try inPlace.withUnsafeMutableBytes {
                    try key.seal(
                        nonce: nonce, aad: aad, plaintext: UnsafeRawBufferPointer(rebasing: $0.prefix(count)), into: $0)
                }
            }
            #expect(apart == inPlace)
            #expect(try key.seal(nonce: nonce, aad: aad, plaintext: plaintext) == apart)

            var opened = [UInt8](repeating: 0xee, count: count)
            let counts = try aad.withUnsafeBytes { aad in
                let apart = try apart.withUnsafeBytes { sealed in
                    try opened.withUnsafeMutableBytes {
                        try key.open(nonce: nonce, aad: aad, ciphertextAndTag: sealed, into: $0)
                    }
                }
                let inPlace = try inPlace.withUnsafeMutableBytes {
                    try key.open(nonce: nonce, aad: aad, ciphertextAndTag: UnsafeRawBufferPointer($0), into: $0)
                }
                return [apart, inPlace]
            }
            #expect(counts == [count, count])
            #expect(opened == plaintext)
            #expect(Array(inPlace.prefix(count)) == plaintext)
        }
        #expect(OpenSSL.isErrorQueueEmpty)
    }

    @Test func everyFlippedByteIsRefused() throws {
        OpenSSL.emptyErrorQueue()
        var key = try ChaCha20Poly1305Key(key: key)
        let message = try key.seal(nonce: 3, aad: aad, plaintext: sunscreen)
        for altered in message.flipped + message.truncated + [message + [0]] {
            #expect(throws: CryptoError.authenticationFailed) {
                try key.open(nonce: 3, aad: aad, ciphertextAndTag: altered)
            }
        }
        for aad in aad.flipped + aad.truncated {
            #expect(throws: CryptoError.authenticationFailed) {
                try key.open(nonce: 3, aad: aad, ciphertextAndTag: message)
            }
        }
        for nonce: UInt64 in [2, 4, 3 << 32] {
            #expect(throws: CryptoError.authenticationFailed) {
                try key.open(nonce: nonce, aad: aad, ciphertextAndTag: message)
            }
        }
        for other in self.key.flipped {
            var other = try ChaCha20Poly1305Key(key: other)
            #expect(throws: CryptoError.authenticationFailed) {
                try other.open(nonce: 3, aad: aad, ciphertextAndTag: message)
            }
        }
        #expect(OpenSSL.isErrorQueueEmpty)
        #expect(
            try key.open(nonce: 3, aad: aad, ciphertextAndTag: message) == sunscreen, "the key is as good as before")
    }

    @Test func noUnverifiedPlaintextComesOut() throws {
        var key = try ChaCha20Poly1305Key(key: key)
        var message = try key.seal(nonce: 0, plaintext: sunscreen)
        message[message.count - 1] ^= 1
        #expect(throws: CryptoError.authenticationFailed) {
            try message.withUnsafeMutableBytes {
                try key.open(nonce: 0, ciphertextAndTag: UnsafeRawBufferPointer($0), into: $0)
            }
        }
        #expect(message.prefix(sunscreen.count).allSatisfy { $0 == 0 })
    }

    /// In a Noise handshake one key may encrypt one message and decrypt the next.
    @Test func oneKeyMayDoBothInTurn() throws {
        var alice = try ChaCha20Poly1305Key(key: key)
        var bob = try ChaCha20Poly1305Key(key: key)
        for nonce: UInt64 in 0..<4 {
            let fromAlice = try alice.seal(nonce: nonce, plaintext: sunscreen)
            #expect(try bob.open(nonce: nonce, ciphertextAndTag: fromAlice) == sunscreen)
            let fromBob = try bob.seal(nonce: nonce + 100, plaintext: sunscreen)
            #expect(try alice.open(nonce: nonce + 100, ciphertextAndTag: fromBob) == sunscreen)
        }
    }

    @Test func keysOfOtherLengthsAreRefused() {
        for length in [0, 16, 31, 33] {
            #expect(throws: CryptoError.badKeyLength(expected: 32, actual: length)) {
                _ = try ChaCha20Poly1305Key(key: [UInt8](repeating: 0, count: length))
            }
        }
    }
}

extension AES256GCMKey {
    fileprivate mutating func sealArray(_ plaintext: [UInt8], nonce: UInt64, into output: inout [UInt8]) throws {
        try plaintext.withUnsafeBytes { plaintext in
            try output.withUnsafeMutableBytes { try seal(nonce: nonce, plaintext: plaintext, into: $0) }
        }
    }

    fileprivate mutating func openArray(_ sealed: [UInt8], nonce: UInt64) throws -> [UInt8] {
        var output = [UInt8](repeating: 0, count: sealed.count - Self.tagLength)
        try sealed.withUnsafeBytes { sealed in
            _ = try output.withUnsafeMutableBytes { try open(nonce: nonce, ciphertextAndTag: sealed, into: $0) }
        }
        return output
    }
}
