public import OxbowCore

/// A block of IP addresses: those that share their first bits (RFC 4632).
public struct IPPrefix: Hashable, Sendable, CustomStringConvertible {
    /// The address with zeros behind the prefix; an IPv4 address is in the lowest 32 bits.
    private let bits: UInt128
    /// How many bits count: 0 to 32, or to 128.
    public let length: Int
    public let isIPv6: Bool

    private init(bits: UInt128, length: Int, isIPv6: Bool) {
        let width = isIPv6 ? 128 : 32
        self.length = min(max(length, 0), width)
        self.bits = (bits >> UInt128(width - self.length)) << UInt128(width - self.length)
        self.isIPv6 = isIPv6
    }

    /// A block of IPv4 addresses.
    ///
    /// - Parameter length: clamped to 0 to 32.
    public init(_ address: IPv4Address, length: Int = 32) {
        self.init(bits: UInt128(address.bits), length: length, isIPv6: false)
    }

    /// A block of IPv6 addresses.
    ///
    /// - Parameter length: clamped to 0 to 128.
    public init(_ address: IPv6Address, length: Int = 128) {
        self.init(bits: address.bits, length: length, isIPv6: true)
    }

    /// The one address of a host; nil for a name. An IPv4 address that a socket shows as an IPv6 one is the IPv4 one: who
    /// connects can't choose which limits hold.
    public init?(_ host: EndpointHost?) {
        switch host {
        case .ip4(let address): self.init(address)
        case .ip6(let address, _):
            if let mapped = address.mapped { self.init(mapped) } else { self.init(address) }
        case .dns, nil: return nil
        }
    }

    /// Reads an address, or an address and a length behind a slash, such as `192.0.2.0/24`; nil when it is neither.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2 else { return nil }
        let length = parts.count == 2 ? Int(parts[1]) : nil
        guard parts.count == 1 || length != nil else { return nil }
        if let address = IPv4Address(String(first)), (0...32).contains(length ?? 32) {
            self.init(address, length: length ?? 32)
        } else if let address = IPv6Address(String(first)), (0...128).contains(length ?? 128) {
            self.init(address, length: length ?? 128)
        } else {
            return nil
        }
    }

    /// The first `length` bits of it; itself when it has fewer.
    public func shortened(to length: Int) -> IPPrefix {
        IPPrefix(bits: bits, length: min(length, self.length), isIPv6: isIPv6)
    }

    /// Whether every address of `other` is one of this block.
    public func contains(_ other: IPPrefix) -> Bool {
        isIPv6 == other.isIPv6 && length <= other.length && other.shortened(to: length) == self
    }

    /// Whether its addresses lead to this host itself.
    var isLoopback: Bool {
        isIPv6
            ? IPv6Address(bits: bits).scope == .loopback
            : IPv4Address(bits: UInt32(truncatingIfNeeded: bits)).scope == .loopback
    }

    public var description: String {
        let address = isIPv6 ? "\(IPv6Address(bits: bits))" : "\(IPv4Address(bits: UInt32(truncatingIfNeeded: bits)))"
        return length == (isIPv6 ? 128 : 32) ? address : "\(address)/\(length)"
    }
}
