import OxbowCore

// The encodings of multiformats: what is decoded is encoded to what it was, and decodes to the same again.

extension FuzzTarget {
    static let encodings = [
        FuzzTarget(
            "varint", "an unsigned varint", maximumLength: 32,
            seeds: { [[0], [0x7f], [0x80, 0x01], [UInt8](repeating: 0xff, count: 8) + [0x7f]] }, varint),
        FuzzTarget(
            "multihash", "a multihash, and a CID, in binary", maximumLength: 256,
            seeds: { [[0, 0], [0x12, 32] + digest, [1, 0x72, 0x12, 32] + digest, [1, 0x55, 0x12, 32] + digest] },
            multihash),
        FuzzTarget(
            "multibase", "text in a multibase, bytes to encode, and a CID as text", maximumLength: 300,
            seeds: {
                Multibase.allCases.map { Array($0.encode([1, 0x72, 0x12, 32] + digest).utf8) } + [[0x7a, 0xff]]
            }, multibase),
        FuzzTarget(
            "peer-id", "a peer id: in binary, in base 58 and as a CID", maximumLength: 300,
            seeds: {
                [FuzzKeys.first.peerID, FuzzKeys.hashed].flatMap {
                    [$0.multihash, Array($0.description.utf8), Array($0.cidString.utf8)]
                }
            }, peerID),
    ]

    private static let digest = [UInt8](0..<32)

    private static func varint(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let bytes = input.rest()
        let decoded: (value: UInt64, length: Int)?
        do { decoded = try Varint.decode(bytes[...]) } catch {
            try require(!bytes.isEmpty, "nothing is no error yet")
            return .refused
        }
        guard let (value, length) = decoded else {
            try require(bytes.count < Varint.maximumLength, "nine bytes decide")
            return .refused
        }
        var encoded: [UInt8] = []
        Varint.encode(value, into: &encoded)
        try requireEqual(encoded, Array(bytes.prefix(length)), "a varint has one form")
        return .accepted
    }

    private static func multihash(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let bytes = input.rest()
        if let hash = try? Multihash(binary: bytes) {
            try requireEqual(hash.binary, bytes, "a multihash has one form")
            try require(hash.digest.count <= Multihash.maximumDigestLength, "the digest is bounded")
            return .accepted
        }
        guard let cid = try? CID(binary: bytes) else { return .refused }
        try requireEqual(cid.binary, bytes, "a CID has one binary form")
        try requireEqual(try? CID(cid.description), cid, "a CID reads its own text")
        return .accepted
    }

    private static func multibase(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let bytes = input.rest()
        // Base 36 and 58 are quadratic: more than an id is never encoded in them.
        for base in Multibase.allCases where bytes.count <= 64 {
            let text = base.encode(bytes)
            try require(text.utf8.count <= 2 * bytes.count + 10, "the text is at most twice as long, with padding")
            guard let decoded = try? Multibase.decode(text) else {
                throw FuzzFailure("\(base) doesn't read its own text")
            }
            try require(decoded.base == base && decoded.bytes == bytes, "\(base) loses something")
        }
        guard let text = String(validating: bytes, as: UTF8.self), let decoded = try? Multibase.decode(text) else {
            return .refused
        }
        try require(decoded.bytes.count <= bytes.count, "bytes are never more than their text")
        let again = try? Multibase.decode(decoded.base.encode(decoded.bytes))
        try requireEqual(again?.bytes, decoded.bytes, "what was decoded from \(decoded.base) is encoded to the same")
        if let cid = try? CID(text) {
            try requireEqual(try? CID(binary: cid.binary), cid, "a CID from text has a binary form")
        }
        return .accepted
    }

    private static func peerID(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let bytes = input.rest()
        let text = String(validating: bytes, as: UTF8.self)
        let ids = [try? PeerID(multihash: bytes), text.flatMap { try? PeerID($0) }].compactMap { $0 }
        for id in ids {
            try requireEqual(try? PeerID(multihash: id.multihash), id, "an id reads its own multihash")
            try requireEqual(try? PeerID(id.description), id, "an id reads its own text")
            try requireEqual(try? PeerID(id.cidString), id, "an id reads its own CID")
            try require((2...44).contains(id.multihash.count), "an id has 2 to 44 bytes")
            // The order of SM-L2, by its definition.
            let other = FuzzKeys.first.peerID
            let isLower = id.multihash.lexicographicallyPrecedes(other.multihash)
            try require(
                (id < other) == isLower && (other < id) == other.multihash.lexicographicallyPrecedes(id.multihash),
                "ids are ordered bytewise")
        }
        if let id = try? PeerID(multihash: bytes) { try requireEqual(id.multihash, bytes, "an id has one binary form") }
        return ids.isEmpty ? .refused : .accepted
    }
}
