/// Why text or bytes aren't a peer id.
public enum PeerIDError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The text starts like the plain form (`1…` or `Qm…`) and isn't base 58.
    case base58(BaseDecodingError)
    /// The text is neither the plain form nor a CID.
    case cid(CIDError)
    /// A CID of something other than a key.
    case wrongCodec(UInt64)
    case multihash(MultihashError)
    /// A hash function other than identity and SHA-256.
    case unsupportedHash(code: UInt64)
    /// An inlined key of `length` bytes; more than ``PeerID/maximumInlineLength`` must be hashed.
    case inlineKeyTooLong(length: Int)

    public var description: String {
        switch self {
        case .base58(let error): "not a peer id: not base 58: \(error)"
        case .cid(let error): "not a peer id: neither base 58 (12D3… or Qm…) nor a CID: \(error)"
        case .wrongCodec(let codec):
            "not a peer id: a CID with the codec 0x\(String(codec, radix: 16)), where libp2p-key (0x72) is wanted"
        case .multihash(let error): "not a peer id: \(error)"
        case .unsupportedHash(let code):
            "not a peer id: hashed by 0x\(String(code, radix: 16)), where identity or SHA-256 is wanted"
        case .inlineKeyTooLong(let length):
            "not a peer id: a key of \(length) bytes is inlined, more than \(PeerID.maximumInlineLength)"
        }
    }
}

/// Who a peer is: the hash of its public key, or the key itself where it is short (libp2p/specs, peer-ids).
///
/// Ordered bytewise, unsigned, over the binary multihash; of an id and its prefix, the prefix is lower (rule SM-L2).
/// A value of 48 bytes without a reference: to copy, compare or hash it costs no allocation and no count.
public struct PeerID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The longest key message that stands in the id unhashed, in bytes.
    public static let maximumInlineLength = 42
    /// The longest multihash: two bytes of header and an inlined key.
    static let maximumLength = maximumInlineLength + 2

    /// The multihash from the top of the first word on, filled up with zeros to 44 bytes; then its length as 32 bits.
    ///
    /// Comparing the words in order compares bytewise: where one id is a prefix of another, the longer has zeros or
    /// more there, and when all are zeros, the length decides.
    private let words: InlineArray<6, UInt64>

    /// Reads an id that is all of `multihash`: an identity multihash of at most 42 bytes or a SHA-256 one.
    public init(multihash: some Collection<UInt8>) throws(PeerIDError) {
        let parsed: Multihash
        do {
            parsed = try Multihash(binary: multihash)
        } catch {
            throw .multihash(error)
        }
        try self.init(parsed)
    }

    /// Takes an identity multihash of at most ``maximumInlineLength`` bytes or a SHA-256 one.
    ///
    /// - Throws: ``PeerIDError/inlineKeyTooLong(length:)`` or ``PeerIDError/unsupportedHash(code:)``.
    public init(_ multihash: Multihash) throws(PeerIDError) {
        switch multihash.code {
        case Multihash.identity:
            let length = multihash.digest.count
            guard length <= Self.maximumInlineLength else { throw .inlineKeyTooLong(length: length) }
        case Multihash.sha256: break
        default: throw .unsupportedHash(code: multihash.code)
        }
        self.init(packing: UInt8(truncatingIfNeeded: multihash.code), multihash.digest)
    }

    /// Reads the plain form (base 58, `12D3…`, `16Uiu2…`, `Qm…`), or a CID with the codec libp2p-key in any multibase.
    public init(_ text: String) throws(PeerIDError) {
        guard text.hasPrefix("1") || text.hasPrefix("Qm") else {
            let cid: CID
            do {
                cid = try CID(text)
            } catch {
                throw .cid(error)
            }
            guard cid.codec == CID.libp2pKey else { throw .wrongCodec(cid.codec) }
            try self.init(cid.multihash)
            return
        }
        let multihash: [UInt8]
        do {
            multihash = try Base58.decode(text)
        } catch {
            throw .base58(error)
        }
        try self.init(multihash: multihash)
    }

    /// The id of a public key, given as its protobuf message. `sha256` hashes a message that is too long to inline.
    public init(publicKeyMessage: [UInt8], sha256: ([UInt8]) -> [UInt8]) {
        guard publicKeyMessage.count > Self.maximumInlineLength else {
            self.init(packing: UInt8(Multihash.identity), publicKeyMessage)
            return
        }
        let digest = sha256(publicKeyMessage)
        precondition(digest.count == 32, "a SHA-256 digest has 32 bytes")
        self.init(packing: UInt8(Multihash.sha256), digest)
    }

    /// The code and the length of either multihash take one byte each.
    private init(packing code: UInt8, _ digest: [UInt8]) {
        var words = InlineArray<6, UInt64>(repeating: 0)
        func put(_ byte: UInt8, at index: Int) {
            words[index / 8] |= UInt64(byte) << UInt64(56 - index % 8 * 8)
        }
        put(code, at: 0)
        put(UInt8(digest.count), at: 1)
        for (index, byte) in digest.enumerated() { put(byte, at: index + 2) }
        words[5] |= UInt64(digest.count + 2)
        self.words = words
    }

    /// The id as it goes on the wire, 2 to 44 bytes.
    public var multihash: [UInt8] {
        (0..<Int(words[5] & 0xff)).map(byte(at:))
    }

    /// The protobuf message of the public key, when the id holds it.
    public var inlinePublicKey: [UInt8]? {
        byte(at: 0) == UInt8(Multihash.identity) ? [UInt8](multihash.dropFirst(2)) : nil
    }

    /// The id in base 58, without a multibase prefix.
    public var description: String { Base58.encode(multihash) }

    /// The last six characters, which tell peers apart in a log.
    public var shortDescription: String { String(description.suffix(6)) }

    /// The id as a CID of version 1 in base 32.
    public var cidString: String { Multibase.base32.encode([1, UInt8(CID.libp2pKey)] + multihash) }

    public static func == (lhs: PeerID, rhs: PeerID) -> Bool {
        for index in lhs.words.indices where lhs.words[index] != rhs.words[index] { return false }
        return true
    }

    public static func < (lhs: PeerID, rhs: PeerID) -> Bool {
        for index in lhs.words.indices where lhs.words[index] != rhs.words[index] {
            return lhs.words[index] < rhs.words[index]
        }
        return false
    }

    public func hash(into hasher: inout Hasher) {
        for index in words.indices { hasher.combine(words[index]) }
    }

    private func byte(at index: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: words[index / 8] >> UInt64(56 - index % 8 * 8))
    }
}
