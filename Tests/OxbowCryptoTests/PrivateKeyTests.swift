import OxbowWire
import Testing

@testable import OxbowCrypto

@Suite struct PrivateKeyTests {
    @Test(arguments: KeyVector.all) func vectorsGiveTheirPublicKey(vector: KeyVector) throws {
        OpenSSL.emptyErrorQueue()
        let key = try PrivateKey(protobuf: vector.privateKey)
        #expect(key.type == vector.type)
        #expect(key.publicKey.protobuf == vector.publicKey)
        #expect(key.protobuf == vector.privateKey)
        #expect(OpenSSL.isErrorQueueEmpty)
    }

    @Test(arguments: KeyType.allCases) func generatedKeysSurviveAndSign(type: KeyType) throws {
        OpenSSL.emptyErrorQueue()
        let key = try PrivateKey.generate(type)
        let again = try PrivateKey(protobuf: key.protobuf)
        #expect(key.type == type && again.publicKey == key.publicKey && again.protobuf == key.protobuf)
        let signature = try again.sign(text("oxbow"))
        #expect(key.publicKey.isValidSignature(signature, over: text("oxbow")))
        #expect(OpenSSL.isErrorQueueEmpty)
    }

    @Test func generatedKeysDiffer() throws {
        #expect(try PrivateKey.generate(.ed25519).publicKey != PrivateKey.generate(.ed25519).publicKey)
    }

    @Test(arguments: KeyVector.all) func truncationsAreRefused(vector: KeyVector) throws {
        OpenSSL.emptyErrorQueue()
        let data = try PrivateKeyMessage(decoding: vector.privateKey).data
        // RSA is costly to try: 53 places tell as much.
        let step = vector.type == .rsa ? 44 : 1
        for length in stride(from: 0, to: data.count, by: step) {
            let message = PrivateKeyMessage(type: vector.type.rawValue, data: Array(data[..<length])).encoded()
            #expect(throws: KeyError.self) { try PrivateKey(protobuf: message) }
        }
        let longer = PrivateKeyMessage(type: vector.type.rawValue, data: data + [0]).encoded()
        #expect(throws: KeyError.malformed(vector.type)) { try PrivateKey(protobuf: longer) }
        #expect(OpenSSL.isErrorQueueEmpty)
    }

    @Test func theOldEd25519FormNeedsEqualHalves() throws {
        let data = try PrivateKeyMessage(decoding: KeyVector.ed25519.privateKey).data
        let old = data + data[32...]
        let key = try PrivateKey(protobuf: PrivateKeyMessage(type: 1, data: old).encoded())
        #expect(key.protobuf == KeyVector.ed25519.privateKey)
        for altered in data.flipped + old.flipped {
            #expect(throws: KeyError.mismatchedHalves(.ed25519)) {
                try PrivateKey(protobuf: PrivateKeyMessage(type: 1, data: altered).encoded())
            }
        }
    }

    @Test func scalarsOutsideTheGroupAreRefused() {
        let order = hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
        for scalar in [[UInt8](repeating: 0, count: 32), order, [UInt8](repeating: 0xff, count: 32)] {
            #expect(throws: KeyError.malformed(.secp256k1)) {
                try PrivateKey(protobuf: PrivateKeyMessage(type: 2, data: scalar).encoded())
            }
        }
    }

    /// Damage is refused, or it was in a place that doesn't matter (a number of unused bits, say).
    @Test func damagedECDSAKeysAreRefusedOrTheSame() throws {
        OpenSSL.emptyErrorQueue()
        let data = try PrivateKeyMessage(decoding: KeyVector.ecdsa.privateKey).data
        for altered in data.flipped {
            let key = try? PrivateKey(protobuf: PrivateKeyMessage(type: 3, data: altered).encoded())
            #expect(key == nil || key?.protobuf == KeyVector.ecdsa.privateKey)
        }
        // The scalar and the point: a flip there leaves the structure whole.
        for index in Array(7..<39) + Array(57..<121) {
            var altered = data
            altered[index] ^= 1
            #expect(throws: KeyError.self) {
                try PrivateKey(protobuf: PrivateKeyMessage(type: 3, data: altered).encoded())
            }
        }
        #expect(OpenSSL.isErrorQueueEmpty)
    }

    /// What is damaged must not give out wrong signatures, nor another id.
    @Test func damagedRSAKeysAreRefusedOrSignAllTheSame() throws {
        OpenSSL.emptyErrorQueue()
        let data = try PrivateKeyMessage(decoding: KeyVector.rsa.privateKey).data
        let publicKey = try PublicKey(protobuf: KeyVector.rsa.publicKey)
        // In the modulus, the private exponent, the first prime and the coefficient.
        for index in [200, 800, 1_100, 2_300] {
            var altered = data
            altered[index] ^= 0x10
            let key = try? PrivateKey(protobuf: PrivateKeyMessage(type: 0, data: altered).encoded())
            #expect(index != 200 || key == nil, "the public half is another one")
            guard let key else { continue }
            #expect(key.publicKey == publicKey)
            #expect(publicKey.isValidSignature(try key.sign(text("oxbow")), over: text("oxbow")))
        }
        #expect(OpenSSL.isErrorQueueEmpty)
    }

    @Test func unknownTypesAreRefused() {
        #expect(throws: KeyError.unknownType(9)) {
            try PrivateKey(protobuf: PrivateKeyMessage(type: 9, data: []).encoded())
        }
    }

    @Test(arguments: KeyVector.all) func theDescriptionKeepsTheSecret(vector: KeyVector) throws {
        let key = try PrivateKey(protobuf: vector.privateKey)
        #expect("\(key)" == "PrivateKey(\(vector.type) key of \(key.publicKey.peerID), redacted)")
    }
}

@Suite struct SignatureTests {
    /// RFC 8032, section 7.1, test 2.
    @Test func ed25519Vector() throws {
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
        let point = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        let signature = hex(
            """
            92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
            085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00
            """)
        let key = try PrivateKey(protobuf: PrivateKeyMessage(type: 1, data: seed + point).encoded())
        #expect(try key.sign([0x72]) == signature)
        #expect(key.publicKey.isValidSignature(signature, over: [0x72]))
    }

    @Test(arguments: KeyVector.all) func everyFlippedByteIsRefused(vector: KeyVector) throws {
        OpenSSL.emptyErrorQueue()
        let key = try PrivateKey(protobuf: vector.privateKey)
        let message = text("noise-libp2p-static-key:") + Array(0..<32)
        let signature = try key.sign(message)
        #expect(key.publicKey.isValidSignature(signature, over: message))
        #expect(key.publicKey.isValidSignature(signature[...], over: message[...]))
        for altered in signature.flipped + signature.truncated + [signature + [0]] {
            #expect(!key.publicKey.isValidSignature(altered, over: message))
        }
        for altered in message.flipped + message.truncated + [message + [0]] {
            #expect(!key.publicKey.isValidSignature(signature, over: altered))
        }
        #expect(OpenSSL.isErrorQueueEmpty)
    }

    @Test(arguments: KeyVector.all) func anotherKeyIsRefused(vector: KeyVector) throws {
        let signature = try PrivateKey(protobuf: vector.privateKey).sign(text("oxbow"))
        for other in KeyVector.all where other.type != vector.type {
            #expect(!(try PublicKey(protobuf: other.publicKey)).isValidSignature(signature, over: text("oxbow")))
        }
        let stranger = try PrivateKey.generate(vector.type).publicKey
        #expect(!stranger.isValidSignature(signature, over: text("oxbow")))
        // Of the other keys that a flipped byte gives, none takes the signature.
        for altered in vector.publicKey.flipped {
            guard let key = try? PublicKey(protobuf: altered) else { continue }
            #expect(!key.isValidSignature(signature, over: text("oxbow")))
        }
    }

    @Test(arguments: KeyVector.all) func emptyMessagesCanBeSigned(vector: KeyVector) throws {
        let key = try PrivateKey(protobuf: vector.privateKey)
        #expect(key.publicKey.isValidSignature(try key.sign([]), over: []))
    }

    /// BIP 62: the lower s. Of 64 signatures without the rule, about half would break it.
    @Test func secp256k1SignaturesHaveTheLowerS() throws {
        let key = try PrivateKey(protobuf: KeyVector.secp256k1.privateKey)
        let half = hex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0")
        for index: UInt8 in 0..<64 {
            let signature = try key.sign([index])
            #expect(key.publicKey.isValidSignature(signature, over: [index]))
            let s = try #require(Self.s(of: signature))
            let padded = [UInt8](repeating: 0, count: 32 - s.count) + s
            #expect(padded.lexicographicallyPrecedes(half) || padded == half)
        }
    }

    private static func s(of signature: [UInt8]) -> ArraySlice<UInt8>? {
        var outer = DERReader(signature[...])
        guard let numbers = outer.read(.sequence) else { return nil }
        var pair = DERReader(numbers)
        return pair.readPositiveInteger() == nil ? nil : pair.readPositiveInteger()
    }
}
