/// Why text or bytes aren't a CID that is accepted here.
public enum CIDError: Error, Hashable, Sendable, CustomStringConvertible {
    case text(MultibaseError)
    /// The first byte isn't 1.
    case unsupportedVersion
    /// The codec isn't a whole unsigned varint.
    case invalidCodec
    case multihash(MultihashError)

    public var description: String {
        switch self {
        case .text(let error): "not a CID: \(error)"
        case .unsupportedVersion: "not a CID of version 1"
        case .invalidCodec: "the CID's codec is not a minimal varint"
        case .multihash(let error): "the CID holds no multihash: \(error)"
        }
    }
}

/// A content identifier of version 1: what kind of content, and its hash (multiformats/cid).
public struct CID: Hashable, Sendable, CustomStringConvertible {
    /// The codec of a libp2p public key: the CID is a peer id.
    public static let libp2pKey: UInt64 = 0x72

    /// The content's multicodec, at most 2^63 - 1.
    public let codec: UInt64
    public let multihash: Multihash

    /// A codec past 2^63 - 1 is a programmer's mistake: no varint carries it.
    public init(codec: UInt64, multihash: Multihash) {
        precondition(codec <= UInt64(Int64.max), "a multicodec is a varint of at most 63 bits")
        self.codec = codec
        self.multihash = multihash
    }

    /// Reads a CID that is all of `binary`.
    public init(binary: some Collection<UInt8>) throws(CIDError) {
        guard binary.first == 1 else { throw .unsupportedVersion }
        let rest = binary.dropFirst()
        let head = [UInt8](rest.prefix(Varint.maximumLength))[...]
        guard let (codec, length) = try? Varint.decode(head) else { throw .invalidCodec }
        do {
            self.init(codec: codec, multihash: try Multihash(binary: rest.dropFirst(length)))
        } catch {
            throw .multihash(error)
        }
    }

    /// Reads a CID in any multibase.
    public init(_ text: String) throws(CIDError) {
        let binary: [UInt8]
        do {
            binary = try Multibase.decode(text).bytes
        } catch {
            throw .text(error)
        }
        try self.init(binary: binary)
    }

    /// The binary form: version 1, codec, multihash (multiformats/cid).
    public var binary: [UInt8] {
        var bytes: [UInt8] = [1]
        Varint.encode(codec, into: &bytes)
        return bytes + multihash.binary
    }

    /// The CID in base 32.
    public var description: String { Multibase.base32.encode(binary) }
}
