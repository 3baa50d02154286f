import OxbowCore
import OxbowSeeds
import Testing

@Suite struct BaseTests {
    @Test(arguments: [
        ("", ""), ("61", "2g"), ("626262", "a3gV"), ("636363", "aPEr"),
        ("73696d706c792061206c6f6e6720737472696e67", "2cFupjhnEsSn59qHXstmK2ffpLv2"),
        ("00eb15231dfceb60925886b67d065299925915aeb172c06647", "1NS17iag9jJgTHD1VXjvLCEnZuQ3rJDE9L"),
        ("516b6fcd0f", "ABnLTmg"), ("bf4f89001e670274dd", "3SEo3LWLoPntC"), ("572e4794", "3EFU7m"),
        ("ecac89cad93923c02321", "EJDM8drfXA6uyA"), ("10c8511e", "Rt5zm"), ("00000000000000000000", "1111111111"),
    ])
    func base58Vectors(binary: String, text: String) throws {
        #expect(Base58.encode(hex(binary)) == text)
        #expect(try Base58.decode(text) == hex(binary))
    }

    @Test(arguments: [
        ("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq"), ("fooba", "mzxw6ytb"),
        ("foobar", "mzxw6ytboi"),
    ])
    func base32VectorsOfRFC4648(plain: String, text: String) throws {
        #expect(Base32.encode(plain.utf8) == text)
        #expect(try Base32.decode(text) == Array(plain.utf8))
        #expect(try Base32.decode(text.uppercased()) == Array(plain.utf8))
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func base64VectorsOfRFC4648(plain: String, text: String) throws {
        let bare = text.filter { $0 != "=" }
        #expect(Base64.standardPadded.encode(plain.utf8) == text)
        #expect(Base64.standard.encode(plain.utf8) == bare)
        #expect(try Base64.standardPadded.decode(text) == Array(plain.utf8))
        #expect(try Base64.standard.decode(bare) == Array(plain.utf8))
        #expect(try Base64.urlSafePadded.decode(text) == Array(plain.utf8))
    }

    @Test func base64AlphabetsDifferInTwoCharacters() throws {
        #expect(Base64.standard.encode([0xfb, 0xff]) == "+/8")
        #expect(Base64.urlSafe.encode([0xfb, 0xff]) == "-_8")
        #expect(throws: BaseDecodingError.invalidCharacter(0x2b, offset: 0)) { try Base64.urlSafe.decode("+/8") }
        #expect(throws: BaseDecodingError.invalidCharacter(0x2d, offset: 0)) { try Base64.standard.decode("-_8") }
    }

    @Test func base16ReadsEitherCase() throws {
        #expect(Base16.encode([0x0a, 0xff]) == "0aff")
        #expect(try Base16.decode("0aFF") == [0x0a, 0xff])
        #expect(throws: BaseDecodingError.invalidLength(3)) { try Base16.decode("0af") }
        #expect(throws: BaseDecodingError.invalidCharacter(0x67, offset: 1)) { try Base16.decode("0g") }
    }

    @Test func base36Vectors() throws {
        #expect(Base36.encode("yes mani !".utf8) == "2lcpzo5yikidynfl")
        #expect(try Base36.decode("2LCPZO5yikidynfl") == Array("yes mani !".utf8))
        #expect(Base36.encode([0, 0]) == "00")
    }

    @Test func othersThanTheOneEncodingAreRefused() {
        #expect(throws: BaseDecodingError.trailingBits) { try Base32.decode("mz") }
        #expect(throws: BaseDecodingError.invalidLength(1)) { try Base32.decode("m") }
        #expect(throws: BaseDecodingError.invalidLength(3)) { try Base32.decode("mzx") }
        #expect(throws: BaseDecodingError.trailingBits) { try Base64.standard.decode("Zh") }
        #expect(throws: BaseDecodingError.invalidLength(1)) { try Base64.standard.decode("Z") }
        #expect(throws: BaseDecodingError.invalidPadding) { try Base64.standardPadded.decode("Zg=") }
        #expect(throws: BaseDecodingError.invalidPadding) { try Base64.standardPadded.decode("Zg") }
        #expect(throws: BaseDecodingError.invalidPadding) { try Base64.standardPadded.decode("Zm9v====") }
        #expect(throws: BaseDecodingError.invalidLength(1)) { try Base64.standardPadded.decode("Z===") }
        #expect(throws: BaseDecodingError.invalidCharacter(0x3d, offset: 2)) { try Base64.standard.decode("Zg==") }
        #expect(throws: BaseDecodingError.invalidCharacter(0x3d, offset: 1)) {
            try Base64.standardPadded.decode("Z=g=")
        }
    }

    @Test(arguments: ["0", "O", "I", "l", "é", " ", "\0"])
    func base58RefusesWhatIsNotInItsAlphabet(character: String) throws {
        let first = try #require(character.utf8.first)
        #expect(throws: BaseDecodingError.invalidCharacter(first, offset: 2)) { try Base58.decode("2g" + character) }
    }

    @Test func textIsBounded() throws {
        let long = String(repeating: "1", count: 257)
        #expect(throws: BaseDecodingError.tooLong(length: 257, limit: 256)) { try Base58.decode(long) }
        #expect(throws: BaseDecodingError.tooLong(length: 257, limit: 256)) { try Base36.decode(long) }
        #expect(try Base58.decode(String(repeating: "1", count: 256)) == [UInt8](repeating: 0, count: 256))
        let longer = String(repeating: "a", count: 4097)
        #expect(throws: BaseDecodingError.tooLong(length: 4097, limit: 4096)) { try Base32.decode(longer) }
        #expect(throws: BaseDecodingError.tooLong(length: 4097, limit: 4096)) { try Base16.decode(longer) }
        #expect(throws: BaseDecodingError.tooLong(length: 4097, limit: 4096)) { try Base64.urlSafe.decode(longer) }
    }

    /// Zeros in front, all ones and every length around the chunks of the conversion are in the sample.
    @Test func everyBaseIsTheInverseOfItself() throws {
        var random = SplitMix64(seed: 1)
        for length in 0..<150 {
            let samples = [
                random.bytes(length), [UInt8](repeating: 0xff, count: length), [0, 0] + random.bytes(length),
                [UInt8](repeating: 0, count: length), random.bytes(length) + [0, 0, 0, 0, 0],
            ]
            for bytes in samples {
                for base in Multibase.allCases {
                    let decoded = try Multibase.decode(base.encode(bytes))
                    #expect(decoded.base == base)
                    #expect(decoded.bytes == bytes)
                }
            }
        }
    }

    @Test func errorsSayWhatIsWrong() {
        #expect(BaseDecodingError.invalidCharacter(0x0a, offset: 3).description.contains(#""\n" at offset 3"#))
        #expect(BaseDecodingError.invalidCharacter(0xc3, offset: 0).description.contains("0xc3"))
        #expect(BaseDecodingError.tooLong(length: 300, limit: 256).description.contains("300"))
        #expect(BaseDecodingError.invalidLength(5).description.contains("5 characters"))
        #expect(BaseDecodingError.trailingBits.description.contains("behind the last byte"))
        #expect(BaseDecodingError.invalidPadding.description.contains("="))
    }
}

@Suite struct MultibaseTests {
    /// The published vectors, without the bases that nobody uses for peer ids.
    @Test(arguments: [
        (
            "yes mani !",
            [
                "f796573206d616e692021", "F796573206D616E692021", "bpfsxgidnmfxgsibb", "BPFSXGIDNMFXGSIBB",
                "k2lcpzo5yikidynfl", "K2LCPZO5YIKIDYNFL", "z7paNL19xttacUY", "meWVzIG1hbmkgIQ", "MeWVzIG1hbmkgIQ==",
                "ueWVzIG1hbmkgIQ", "UeWVzIG1hbmkgIQ==",
            ]
        ),
        (
            "\0yes mani !",
            [
                "f00796573206d616e692021", "F00796573206D616E692021", "bab4wk4zanvqw42jaee", "BAB4WK4ZANVQW42JAEE",
                "k02lcpzo5yikidynfl", "K02LCPZO5YIKIDYNFL", "z17paNL19xttacUY", "mAHllcyBtYW5pICE",
                "MAHllcyBtYW5pICE=", "uAHllcyBtYW5pICE", "UAHllcyBtYW5pICE=",
            ]
        ),
        (
            "\0\0yes mani !",
            [
                "f0000796573206d616e692021", "F0000796573206D616E692021", "baaahszltebwwc3tjeaqq",
                "BAAAHSZLTEBWWC3TJEAQQ", "k002lcpzo5yikidynfl", "K002LCPZO5YIKIDYNFL", "z117paNL19xttacUY",
                "mAAB5ZXMgbWFuaSAh", "MAAB5ZXMgbWFuaSAh", "uAAB5ZXMgbWFuaSAh", "UAAB5ZXMgbWFuaSAh",
            ]
        ),
    ])
    func vectors(plain: String, texts: [String]) throws {
        for (base, text) in zip(Multibase.allCases, texts) {
            #expect(base.encode(plain.utf8) == text)
            let decoded = try Multibase.decode(text)
            #expect(decoded.base == base)
            #expect(decoded.bytes == Array(plain.utf8))
        }
    }

    @Test(arguments: [
        "f68656c6c6f20776F726C64", "F68656c6c6f20776F726C64", "bnbswy3dpeB3W64TMMQ", "Bnbswy3dpeB3W64TMMQ",
        "kfUvrsIvVnfRbjWaJo", "KfUVrSIVVnFRbJWAJo",
    ])
    func caseIsFolded(text: String) throws {
        #expect(try Multibase.decode(text).bytes == Array("hello world".utf8))
    }

    @Test func whatNamesNoBaseIsRefused() {
        #expect(throws: MultibaseError.empty) { try Multibase.decode("") }
        for text in ["Zabc", "001", "Qm", "/", "\u{1F680}", "hxf1zgedpcfzg1ebb", "\n"] {
            let first = text.utf8.first ?? 0
            #expect(throws: MultibaseError.unknownBase(first)) { try Multibase.decode(text) }
        }
        #expect(throws: MultibaseError.invalid(.base58btc, .invalidCharacter(0x30, offset: 0))) {
            try Multibase.decode("z0")
        }
        #expect(MultibaseError.empty.description.contains("empty"))
        #expect(MultibaseError.unknownBase(0x0a).description.contains(#""\n""#))
        #expect(MultibaseError.invalid(.base32, .trailingBits).description.contains("base32"))
    }

    @Test func namesAreDistinct() {
        #expect(Set(Multibase.allCases.map(\.description)).count == Multibase.allCases.count)
    }
}
