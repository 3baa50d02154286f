/// Why bytes aren't a multihash that is accepted here.
public enum MultihashError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The bytes end before the digest does, or before its length is told.
    case truncated
    /// `count` bytes follow the digest.
    case trailingBytes(count: Int)
    /// The code or the length isn't an unsigned varint.
    case invalidVarint(VarintError)
    /// A digest of `length` bytes, which the function `code` doesn't make, or past ``Multihash/maximumDigestLength``.
    case digestLength(UInt64, code: UInt64)

    public var description: String {
        switch self {
        case .truncated: "the multihash ends before its digest does"
        case .trailingBytes(let count): "\(count) bytes follow the multihash"
        case .invalidVarint: "the multihash's code or length is not a minimal varint"
        case .digestLength(let length, let code):
            "the hash function 0x\(String(code, radix: 16)) has no digest of \(length) bytes that is accepted"
        }
    }
}

/// A digest that says which function made it, and its length (multiformats/multihash).
public struct Multihash: Hashable, Sendable {
    /// The code of no hash at all: the digest is the content.
    public static let identity: UInt64 = 0x00
    public static let sha256: UInt64 = 0x12
    /// The longest digest that is accepted, in bytes.
    public static let maximumDigestLength = 128

    /// The function's multicodec, at most 2^63 - 1.
    public let code: UInt64
    public let digest: [UInt8]

    /// A code past 2^63 - 1 is a programmer's mistake: no varint carries it.
    public init(code: UInt64, digest: [UInt8]) throws(MultihashError) {
        precondition(code <= UInt64(Int64.max), "a multicodec is a varint of at most 63 bits")
        let fits = code == Self.sha256 ? digest.count == 32 : digest.count <= Self.maximumDigestLength
        guard fits else { throw .digestLength(UInt64(digest.count), code: code) }
        self.code = code
        self.digest = digest
    }

    /// Reads a multihash that is all of `binary`.
    public init(binary: some Collection<UInt8>) throws(MultihashError) {
        // One byte more than the longest that is accepted shows that there is more, without a copy of all of it.
        let front = [UInt8](binary.prefix(2 * Varint.maximumLength + Self.maximumDigestLength + 1))
        var rest = front[...]
        let code = try Self.readVarint(&rest)
        let length = try Self.readVarint(&rest)
        guard length <= UInt64(Self.maximumDigestLength) else { throw .digestLength(length, code: code) }
        guard rest.count >= Int(length) else { throw .truncated }
        guard rest.count == Int(length) else {
            throw .trailingBytes(count: binary.count - rest.startIndex - Int(length))
        }
        try self.init(code: code, digest: [UInt8](rest))
    }

    /// The binary form: code and length of the digest as varints, then the digest.
    public var binary: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digest.count + 4)
        Varint.encode(code, into: &bytes)
        Varint.encode(UInt64(digest.count), into: &bytes)
        bytes.append(contentsOf: digest)
        return bytes
    }

    private static func readVarint(_ rest: inout ArraySlice<UInt8>) throws(MultihashError) -> UInt64 {
        let read: (value: UInt64, length: Int)?
        do {
            read = try Varint.decode(rest)
        } catch {
            throw .invalidVarint(error)
        }
        guard let read else { throw .truncated }
        rest = rest.dropFirst(read.length)
        return read.value
    }
}
