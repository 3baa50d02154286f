import OxbowCore
import OxbowSeeds
import Testing

@Suite struct PeerIDTests {
    /// The public keys that libp2p/specs publishes, and the ids that its rules derive from them.
    static let inlined = [
        (
            key: "080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e",
            id: "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq",
            cid: "bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6"
        ),
        (
            key: "08021221037777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6fea0e630bfca99",
            id: "16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY",
            cid: "bafzaajiiaijcca3xo7uzjzcsyilaj6i54cj44qk7kqzpoao5rti2pjx6udtdbp6kte"
        ),
    ]
    static let ecdsaKey = hex(
        "0803125b3059301306072a8648ce3d020106082a8648ce3d03010703420004de3d300fa36ae0e8f5d530899d83abab44abf3161f"
            + "162a4bc901d8e6ecda020e8b6d5f8da30525e71d6851510c098e5c47c646a597fb4dcec034e9f77c409e62")
    static let ecdsaDigest = hex("68362c312e155f4f7290b67f5cd094a22a0a4fbf20efd8c287934419350d36f7")

    @Test(arguments: inlined)
    func shortKeysAreInlined(key: String, id: String, cid: String) throws {
        let message = hex(key)
        let peer = PeerID(publicKeyMessage: message) { _ in preconditionFailure("a short key isn't hashed") }
        #expect(peer.description == id)
        #expect(peer.cidString == cid)
        #expect(peer.inlinePublicKey == message)
        #expect(peer.multihash == [0, UInt8(message.count)] + message)
        #expect(peer.shortDescription == String(id.suffix(6)))
        #expect(try PeerID(id) == peer)
        #expect(try PeerID(cid) == peer)
    }

    @Test func longKeysAreHashed() throws {
        var hashed: [[UInt8]] = []
        let peer = PeerID(publicKeyMessage: Self.ecdsaKey) { message in
            hashed.append(message)
            return Self.ecdsaDigest
        }
        #expect(hashed == [Self.ecdsaKey])
        #expect(peer.description == "QmVMT29id3TUASyfZZ6k9hmNyc2nYabCo4uMSpDw4zrgDk")
        #expect(peer.cidString == "bafzbeidigywdclqvl5hxfefwp5onbffcfife7pza57mmfb4tiqmtkdjw64")
        #expect(peer.multihash == [0x12, 0x20] + Self.ecdsaDigest)
        #expect(peer.inlinePublicKey == nil)
    }

    @Test(arguments: [42, 43])
    func theLongestInlineKeyHas42Bytes(length: Int) {
        let peer = PeerID(publicKeyMessage: [UInt8](repeating: 7, count: length)) { _ in
            [UInt8](repeating: 9, count: 32)
        }
        #expect((peer.inlinePublicKey == nil) == (length == 43))
        #expect(peer.multihash.count == (length == 42 ? 44 : 34))
    }

    /// One peer in each form that text may take.
    @Test(arguments: [
        [
            "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC",
            "k2k4r8oqamigqdo6o7hsbfwd45y70oyynp98usk7zmyfrzpqxh1pohl7",
            "bafzbeigvf25ytwc3akrijfecaotc74udrhcxzh2cx3we5qqnw5vgrei4bm",
        ],
        [
            "12D3KooWCryG7Mon9orvQxcS1rYZjotPgpwoJNHHKcLLfE4Hf5mV",
            "k51qzi5uqu5dhb6l8spkdx7yxafegfkee5by8h7lmjh2ehc2sgg34z7c15vzqs",
            "bafzaajaiaejcalj543iwv2d7pkjt7ykvefrkfu7qjfi6sduakhso4lay6abn2d5u",
        ],
        [
            "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
            "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe",
        ],
    ])
    func everyTextFormIsRead(forms: [String]) throws {
        let peers = try forms.map { form in try PeerID(form) }
        #expect(Set(peers).count == 1)
        let peer = try #require(peers.first)
        #expect(peer.description == forms.first)
        for base in Multibase.allCases {
            #expect(try PeerID(base.encode([0x01, 0x72] + peer.multihash)) == peer)
        }
    }

    @Test func whatIsNoPeerIDIsRefused() throws {
        let sha256 = [0x12, 0x20] + [UInt8](repeating: 1, count: 32)
        #expect(throws: PeerIDError.cid(.text(.empty))) { try PeerID("") }
        #expect(throws: PeerIDError.cid(.text(.unknownBase(0x51)))) { try PeerID("Q") }
        #expect(throws: PeerIDError.base58(.invalidCharacter(0x30, offset: 2))) { try PeerID("Qm0") }
        #expect(throws: PeerIDError.multihash(.truncated)) { try PeerID("1") }
        // Its digest is said to have 33 bytes, and has 32.
        #expect(throws: PeerIDError.multihash(.truncated)) {
            try PeerID("QmxoHT6iViN5xAjoz1VZ553cL31U9F94ht3QvWR1FrEbZY")
        }
        #expect(throws: PeerIDError.wrongCodec(0x55)) { try PeerID(Multibase.base32.encode([1, 0x55] + sha256)) }
        #expect(throws: PeerIDError.cid(.unsupportedVersion)) { try PeerID(Multibase.base32.encode([0x72] + sha256)) }
        #expect(throws: PeerIDError.cid(.multihash(.trailingBytes(count: 1)))) {
            try PeerID(Multibase.base36.encode([1, 0x72] + sha256 + [0]))
        }
        #expect(throws: PeerIDError.unsupportedHash(code: 0x13)) {
            try PeerID(multihash: [0x13, 0x40] + [UInt8](repeating: 1, count: 64))
        }
        #expect(throws: PeerIDError.inlineKeyTooLong(length: 43)) {
            try PeerID(multihash: [0, 43] + [UInt8](repeating: 1, count: 43))
        }
        #expect(throws: PeerIDError.multihash(.trailingBytes(count: 2))) { try PeerID(multihash: sha256 + [0, 0]) }
        #expect(throws: PeerIDError.multihash(.truncated)) { try PeerID(multihash: sha256.dropLast()) }
        #expect(throws: PeerIDError.multihash(.digestLength(33, code: 0x12))) {
            try PeerID(multihash: [0x12, 0x21] + [UInt8](repeating: 1, count: 33))
        }
        #expect(throws: PeerIDError.multihash(.invalidVarint(.notMinimal))) {
            try PeerID(multihash: [0x80, 0x00, 0x01, 0xff])
        }
        #expect(throws: PeerIDError.base58(.tooLong(length: 100_001, limit: 256))) {
            try PeerID("1" + String(repeating: "z", count: 100_000))
        }
    }

    @Test func errorsSayWhatIsWrong() {
        #expect(PeerIDError.base58(.invalidLength(3)).description.contains("base 58"))
        #expect(PeerIDError.cid(.unsupportedVersion).description.contains("version 1"))
        #expect(PeerIDError.wrongCodec(0x55).description.contains("0x55"))
        #expect(PeerIDError.multihash(.truncated).description.contains("ends before"))
        #expect(PeerIDError.unsupportedHash(code: 0x13).description.contains("0x13"))
        #expect(PeerIDError.inlineKeyTooLong(length: 43).description.contains("43"))
    }

    /// SM-L2: the order is that of the bytes, of any two ids, and a prefix is lower.
    @Test func theOrderIsBytewiseOverTheMultihash() throws {
        var random = SplitMix64(seed: 2)
        var peers = [samplePeer(0), samplePeer(0x7f), samplePeer(0x80), samplePeer(0xff)]
        for length in 0...42 {
            for fill in [0, 1, 0xff] as [UInt8] {
                peers.append(try PeerID(multihash: [0, UInt8(length)] + [UInt8](repeating: fill, count: length)))
            }
            peers.append(try PeerID(multihash: [0, UInt8(length)] + random.bytes(length)))
            peers.append(try PeerID(multihash: [0x12, 0x20] + random.bytes(32)))
        }
        for lower in peers {
            for upper in peers {
                let expected = lower.multihash.lexicographicallyPrecedes(upper.multihash)
                #expect((lower < upper) == expected)
                #expect((lower == upper) == (lower.multihash == upper.multihash))
                #expect(lower != upper || lower.hashValue == upper.hashValue)
            }
        }
    }

    @Test func everyByteCounts() throws {
        for multihash in [
            [0, 42] + [UInt8](repeating: 5, count: 42), [0x12, 0x20] + [UInt8](repeating: 5, count: 32),
        ] {
            let peer = try PeerID(multihash: multihash)
            for index in multihash.indices.dropFirst(2) {
                var other = multihash
                other[index] ^= 1
                #expect(try PeerID(multihash: other) != peer)
                #expect(try PeerID(multihash: other).multihash == other)
            }
        }
    }

    @Test func randomInputIsReadOrRefused() {
        var random = SplitMix64(seed: 3)
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = random.bytes(Int.random(in: 0...60, using: &random))
            let headers: [[UInt8]] = [[0, 4], [0x12, 0x20], [0x80]]
            if let header = headers.randomElement(using: &random) {
                bytes = header + bytes.prefix(Bool.random(using: &random) ? 4 : 32)
            }
            if let peer = try? PeerID(multihash: bytes) {
                accepted += 1
                #expect(peer.multihash == bytes)
                #expect((try? PeerID(peer.description)) == peer)
                #expect((try? PeerID(peer.cidString)) == peer)
            }
            let text = random.text(Int.random(in: 0...70, using: &random), of: "1Qmzbku0aéZ234567")
            if let peer = try? PeerID(text) { #expect((try? PeerID(peer.description)) == peer) }
        }
        #expect(accepted > 1_000)
    }
}

@Suite struct MultihashTests {
    @Test func codeAndLengthAreVarints() throws {
        let hash = try Multihash(binary: [0x80, 0x01, 0x02, 0xaa, 0xbb])
        #expect(hash.code == 0x80)
        #expect(hash.digest == [0xaa, 0xbb])
        #expect(hash.binary == [0x80, 0x01, 0x02, 0xaa, 0xbb])
        let longest = try Multihash(code: 0x99, digest: [UInt8](repeating: 3, count: 128))
        #expect(try Multihash(binary: longest.binary) == longest)
        #expect(try Multihash(binary: [0, 0]).digest.isEmpty)
    }

    @Test func badBytesAreRefused() {
        #expect(throws: MultihashError.truncated) { try Multihash(binary: []) }
        #expect(throws: MultihashError.truncated) { try Multihash(binary: [0x12]) }
        #expect(throws: MultihashError.truncated) { try Multihash(binary: [0x13, 2, 1]) }
        #expect(throws: MultihashError.trailingBytes(count: 1)) { try Multihash(binary: [0x13, 1, 1, 1]) }
        #expect(throws: MultihashError.invalidVarint(.tooLong)) {
            try Multihash(binary: [UInt8](repeating: 0xff, count: 20))
        }
        #expect(throws: MultihashError.digestLength(129, code: 0x13)) {
            try Multihash(binary: [0x13, 0x81, 0x01] + [UInt8](repeating: 0, count: 129))
        }
        #expect(throws: MultihashError.digestLength(UInt64(Int64.max), code: 0)) {
            try Multihash(binary: [0] + [UInt8](repeating: 0xff, count: 8) + [0x7f])
        }
        #expect(throws: MultihashError.digestLength(31, code: 0x12)) {
            try Multihash(binary: [0x12, 31] + [UInt8](repeating: 0, count: 31))
        }
        #expect(throws: MultihashError.digestLength(129, code: 7)) {
            try Multihash(code: 7, digest: [UInt8](repeating: 0, count: 129))
        }
        #expect(throws: MultihashError.trailingBytes(count: 999_999)) {
            try Multihash(binary: [0x13, 1] + [UInt8](repeating: 0, count: 1_000_000))
        }
    }

    @Test func errorsSayWhatIsWrong() {
        #expect(MultihashError.truncated.description.contains("ends before"))
        #expect(MultihashError.trailingBytes(count: 7).description.contains("7 bytes"))
        #expect(MultihashError.invalidVarint(.tooLong).description.contains("varint"))
        #expect(MultihashError.digestLength(31, code: 0x12).description.contains("0x12"))
    }
}

@Suite struct CIDTests {
    @Test func binaryAndTextAreLossless() throws {
        let cid = CID(codec: 0x70, multihash: try Multihash(code: 0x12, digest: [UInt8](repeating: 4, count: 32)))
        #expect(cid.binary == [1, 0x70, 0x12, 0x20] + [UInt8](repeating: 4, count: 32))
        #expect(try CID(binary: cid.binary) == cid)
        #expect(try CID(cid.description) == cid)
        #expect(cid.description.hasPrefix("bafybe"))
    }

    @Test func badBytesAreRefused() {
        #expect(throws: CIDError.unsupportedVersion) { try CID(binary: []) }
        #expect(throws: CIDError.unsupportedVersion) { try CID(binary: [2, 0x72, 0, 0]) }
        #expect(throws: CIDError.invalidCodec) { try CID(binary: [1]) }
        #expect(throws: CIDError.invalidCodec) { try CID(binary: [1, 0x80, 0x00, 0, 0]) }
        #expect(throws: CIDError.multihash(.truncated)) { try CID(binary: [1, 0x72]) }
        #expect(throws: CIDError.text(.invalid(.base32, .invalidLength(1)))) { try CID("ba") }
        #expect(CIDError.text(.empty).description.contains("not a CID"))
        #expect(CIDError.invalidCodec.description.contains("codec"))
        #expect(CIDError.multihash(.truncated).description.contains("multihash"))
    }
}
