/// Why text or bytes aren't a multiaddr. Offsets count bytes from the start of what was parsed.
public enum MultiaddrError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No component at all.
    case empty
    /// `length` bytes, of text or of binary, where at most `limit` are accepted.
    case tooLong(length: Int, limit: Int)
    case tooManyComponents(limit: Int)
    /// Text that doesn't begin with a slash.
    case noLeadingSlash
    /// A protocol that Oxbow doesn't know, its name cut to 64 bytes.
    case unknownProtocol(String, offset: Int)
    /// A protocol that Oxbow doesn't know, by its code.
    case unknownCode(UInt64, offset: Int)
    /// The text ends where a value is due.
    case missingValue(of: AddressProtocol, offset: Int)
    /// A value that the protocol can't have: text cut to 64 bytes, or of a binary address, hexadecimal.
    case invalidValue(of: AddressProtocol, value: String, AddressValueError, offset: Int)
    /// The bytes end in the middle of a component.
    case truncated(offset: Int)
    /// A code or a length isn't an unsigned varint.
    case invalidVarint(VarintError, offset: Int)
    /// A component behind a Unix path, which takes all that follows.
    case behindPath(offset: Int)

    public var description: String {
        switch self {
        case .empty: "the address is empty: give at least one component, as in /ip4/127.0.0.1/tcp/4001"
        case .tooLong(let length, let limit): "the address has \(length) bytes, more than the limit of \(limit)"
        case .tooManyComponents(let limit): "the address has more than \(limit) components"
        case .noLeadingSlash: "an address begins with a slash, as in /ip4/127.0.0.1/tcp/4001"
        case .unknownProtocol(let name, let offset):
            "\(name.debugDescription) at offset \(offset) is not an address protocol that is known here"
        case .unknownCode(let code, let offset):
            "the code \(code) at offset \(offset) is not an address protocol that is known here"
        case .missingValue(let kind, let offset): "\(kind) at offset \(offset) lacks its value"
        case .invalidValue(let kind, let value, let reason, let offset):
            "\(value.debugDescription) at offset \(offset) is not a value for \(kind): \(reason)"
        case .truncated(let offset): "the address ends inside the component at offset \(offset)"
        case .invalidVarint(_, let offset): "the code or length at offset \(offset) is not a minimal varint"
        case .behindPath(let offset): "the component at offset \(offset) stands behind a unix path, which is the last"
        }
    }
}

/// Why a component can't have a value.
public enum AddressValueError: Error, Hashable, Sendable, CustomStringConvertible {
    case notIPv4
    case notIPv6
    /// Not a decimal number, or more than `limit`.
    case notANumber(limit: UInt64)
    case notAName
    case notAPath
    case peerID(PeerIDError)
    case multibase(MultibaseError)
    case multihash(MultihashError)

    public var description: String {
        switch self {
        case .notIPv4: "write four decimal numbers of 0 to 255 without leading zeros"
        case .notIPv6: "write an IPv6 address as RFC 4291 has it; a zone goes in front, as in /ip6zone/eth0/ip6/fe80::1"
        case .notANumber(let limit): "write a decimal number of 0 to \(limit) without leading zeros"
        case .notAName:
            "a name has 1 to \(Multiaddr.maximumNameLength) visible ASCII characters and no slash (punycode for others)"
        case .notAPath:
            "a path begins with a slash, names something, ends without a slash, and has no control characters"
        case .peerID(let error): "\(error)"
        case .multibase(let error): "\(error)"
        case .multihash(let error): "\(error)"
        }
    }
}

/// The front of what a peer sent, for an error.
func clipped(_ text: ArraySlice<UInt8>) -> String {
    String(decoding: text.prefix(64), as: UTF8.self)
}
