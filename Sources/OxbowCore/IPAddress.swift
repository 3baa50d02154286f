/// Where packets to an IP address may go: what decides whom an address is told to, and whether it is dialled.
public enum IPScope: Hashable, Sendable {
    /// `0.0.0.0` or `::`: every interface to a listener, nothing to a dialler.
    case unspecified
    /// This host.
    case loopback
    /// This link (RFC 3927; RFC 4291, section 2.5.6).
    case linkLocal
    /// This site, or this provider's customers (RFC 1918, RFC 4193, RFC 6598).
    case privateUse
    /// Multicast, documentation, benchmarks and what isn't assigned: never a peer's address.
    case reserved
    /// The whole internet.
    case global
}

/// An IPv4 address.
public struct IPv4Address: Hashable, Sendable, CustomStringConvertible {
    /// The address as a number, the first of the four parts on top.
    public let bits: UInt32

    public init(bits: UInt32) {
        self.bits = bits
    }

    /// Reads four decimal numbers of 0 to 255, without leading zeros (which some read as octal), or returns nil.
    public init?(_ text: String) {
        self.init(utf8: Array(text.utf8)[...])
    }

    init?(utf8 text: ArraySlice<UInt8>) {
        let parts = text.split(separator: UInt8(ascii: "."), maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            guard let value = decimal(part, atMost: 255) else { return nil }
            bits = bits << 8 | UInt32(value)
        }
        self.bits = bits
    }

    public var description: String {
        [24, 16, 8, 0].map { String(bits >> $0 & 0xff) }.joined(separator: ".")
    }

    /// Classified by the IANA registry of special-purpose addresses (RFC 6890).
    public var scope: IPScope {
        if bits == 0 { return .unspecified }
        for (network, length, scope) in Self.special where bits >> (32 - length) == network >> (32 - length) {
            return scope
        }
        return .global
    }

    private static let special: [(network: UInt32, length: UInt32, scope: IPScope)] = [
        (0x7f00_0000, 8, .loopback),  // 127.0.0.0
        (0x0a00_0000, 8, .privateUse),  // 10.0.0.0
        (0xac10_0000, 12, .privateUse),  // 172.16.0.0
        (0xc0a8_0000, 16, .privateUse),  // 192.168.0.0
        (0x6440_0000, 10, .privateUse),  // 100.64.0.0, behind a provider's NAT
        (0xa9fe_0000, 16, .linkLocal),  // 169.254.0.0
        (0x0000_0000, 8, .reserved),
        (0xc000_0000, 24, .reserved),  // 192.0.0.0
        (0xc000_0200, 24, .reserved),  // 192.0.2.0, documentation
        (0xc633_6400, 24, .reserved),  // 198.51.100.0, documentation
        (0xcb00_7100, 24, .reserved),  // 203.0.113.0, documentation
        (0xc612_0000, 15, .reserved),  // 198.18.0.0, benchmarks
        (0xe000_0000, 3, .reserved),  // 224.0.0.0, multicast and what is behind it
    ]
}

/// An IPv6 address, without a zone.
public struct IPv6Address: Hashable, Sendable, CustomStringConvertible {
    /// The address as a number, the first of the eight groups on top.
    public let bits: UInt128

    public init(bits: UInt128) {
        self.bits = bits
    }

    /// Reads any form of RFC 4291, section 2.2, also with an IPv4 address at the end, or returns nil.
    public init?(_ text: String) {
        self.init(utf8: Array(text.utf8)[...])
    }

    init?(utf8 text: ArraySlice<UInt8>) {
        let colon = UInt8(ascii: ":")
        var groups: [UInt16] = []
        var gap: Int?
        var rest = text
        if rest.starts(with: [colon, colon]) {
            gap = 0
            rest = rest.dropFirst(2)
        }
        while !rest.isEmpty {
            guard groups.count < 8 else { return nil }
            let field = rest.prefix { $0 != colon }
            rest = rest.dropFirst(field.count)
            if rest.isEmpty, field.contains(UInt8(ascii: ".")) {
                guard groups.count <= 6, let tail = IPv4Address(utf8: field) else { return nil }
                groups += [UInt16(tail.bits >> 16), UInt16(tail.bits & 0xffff)]
                break
            }
            guard let group = Self.group(field) else { return nil }
            groups.append(group)
            guard !rest.isEmpty else { break }
            rest = rest.dropFirst()
            if rest.first == colon {
                guard gap == nil else { return nil }
                gap = groups.count
                rest = rest.dropFirst()
            } else if rest.isEmpty {
                return nil
            }
        }
        guard gap == nil ? groups.count == 8 : groups.count < 8 else { return nil }
        groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap ?? 8)
        bits = groups.reduce(0) { $0 << 16 | UInt128($1) }
    }

    private static func group(_ digits: ArraySlice<UInt8>) -> UInt16? {
        guard (1...4).contains(digits.count) else { return nil }
        var value: UInt16 = 0
        for digit in digits {
            guard let nibble = Base16.coding.alphabet.value(of: digit) else { return nil }
            value = value << 4 | UInt16(nibble)
        }
        return value
    }

    /// The text that RFC 5952 prescribes; an IPv4-mapped address ends in the IPv4 address (section 5).
    public var description: String {
        if let mapped { return "::ffff:\(mapped)" }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: bits >> UInt128(112 - 16 * $0)) }
        let gap = Self.longestRunOfZeros(groups)
        func text(_ groups: ArraySlice<UInt16>) -> String {
            groups.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard gap.count >= 2 else { return text(groups[...]) }
        return text(groups[..<gap.lowerBound]) + "::" + text(groups[gap.upperBound...])
    }

    /// The first of the longest.
    private static func longestRunOfZeros(_ groups: [UInt16]) -> Range<Int> {
        var longest = 0..<0
        var start = 0
        for (index, group) in groups.enumerated() {
            if group != 0 {
                start = index + 1
            } else if index + 1 - start > longest.count {
                longest = start..<index + 1
            }
        }
        return longest
    }

    /// The IPv4 address that a socket connects to for this one (`::ffff:0:0/96`).
    public var mapped: IPv4Address? {
        bits >> 32 == 0xffff ? IPv4Address(bits: UInt32(truncatingIfNeeded: bits)) : nil
    }

    /// Classified by the IANA registry of special-purpose addresses (RFC 6890).
    ///
    /// An address that stands for an IPv4 one (mapped, NAT64 or 6to4) has that one's scope: `::ffff:127.0.0.1` is
    /// this host, whatever it looks like.
    public var scope: IPScope {
        if bits == 0 { return .unspecified }
        if bits == 1 { return .loopback }
        if let embedded = mapped ?? translated { return embedded.scope }
        let top = UInt32(bits >> 96)
        if top >> 22 == 0xfe80 >> 6 { return .linkLocal }
        if top >> 25 == 0xfc00 >> 9 { return .privateUse }
        let documentation = top == 0x2001_0db8 || top >> 12 == 0x3fff_0000 >> 12
        let teredo = top == 0x2001_0000
        return top >> 29 == 0x2000 >> 13 && !documentation && !teredo ? .global : .reserved
    }

    /// The IPv4 address that NAT64 (`64:ff9b::/96`) or 6to4 (`2002::/16`) sends to.
    private var translated: IPv4Address? {
        if bits >> 32 == 0x0064_ff9b << 64 { return IPv4Address(bits: UInt32(truncatingIfNeeded: bits)) }
        return bits >> 112 == 0x2002 ? IPv4Address(bits: UInt32(truncatingIfNeeded: bits >> 80)) : nil
    }
}

/// Reads a decimal number of at most `limit`, without sign and leading zeros.
func decimal(_ text: ArraySlice<UInt8>, atMost limit: UInt64) -> UInt64? {
    guard let first = text.first, first != UInt8(ascii: "0") || text.count == 1 else { return nil }
    var value: UInt64 = 0
    for character in text {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character) else { return nil }
        let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carried) = scaled.addingReportingOverflow(UInt64(character - UInt8(ascii: "0")))
        guard !overflow, !carried, sum <= limit else { return nil }
        value = sum
    }
    return value
}
