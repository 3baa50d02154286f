/// What a component of a multiaddr may be; the raw value is the multicodec (multiformats/multiaddr, protocols.csv).
public enum AddressProtocol: UInt64, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case ip4 = 4
    case tcp = 6
    case ip6 = 41
    case ip6zone = 42
    case ipcidr = 43
    case dns = 53
    case dns4 = 54
    case dns6 = 55
    case dnsaddr = 56
    case udp = 273
    case webrtcDirect = 280
    case webrtc = 281
    case p2pCircuit = 290
    case unix = 400
    case p2p = 421
    case https = 443
    case tls = 448
    case sni = 449
    case noise = 454
    case quic = 460
    case quicV1 = 461
    case webtransport = 465
    case certhash = 466
    case ws = 477
    case wss = 478
    case http = 480
    case memory = 777

    /// The name that the text form gives it.
    public var name: String {
        switch self {
        case .ip4: "ip4"
        case .tcp: "tcp"
        case .ip6: "ip6"
        case .ip6zone: "ip6zone"
        case .ipcidr: "ipcidr"
        case .dns: "dns"
        case .dns4: "dns4"
        case .dns6: "dns6"
        case .dnsaddr: "dnsaddr"
        case .udp: "udp"
        case .webrtcDirect: "webrtc-direct"
        case .webrtc: "webrtc"
        case .p2pCircuit: "p2p-circuit"
        case .unix: "unix"
        case .p2p: "p2p"
        case .https: "https"
        case .tls: "tls"
        case .sni: "sni"
        case .noise: "noise"
        case .quic: "quic"
        case .quicV1: "quic-v1"
        case .webtransport: "webtransport"
        case .certhash: "certhash"
        case .ws: "ws"
        case .wss: "wss"
        case .http: "http"
        case .memory: "memory"
        }
    }

    public var description: String { name }

    /// What stands behind the protocol's name or code.
    enum Form: Hashable {
        case nothing
        case ip4
        case ip6
        /// An unsigned number of so many bytes, most significant first.
        case number(bytes: Int)
        /// Visible ASCII without a slash.
        case name
        /// All the rest of the text, with the slash in front.
        case path
        case peer
        case hash
    }

    var form: Form {
        switch self {
        case .ip4: .ip4
        case .ip6: .ip6
        case .ipcidr: .number(bytes: 1)
        case .tcp, .udp: .number(bytes: 2)
        case .memory: .number(bytes: 8)
        case .ip6zone, .dns, .dns4, .dns6, .dnsaddr, .sni: .name
        case .unix: .path
        case .p2p: .peer
        case .certhash: .hash
        case .webrtcDirect, .webrtc, .p2pCircuit, .https, .tls, .noise, .quic, .quicV1, .webtransport, .ws, .wss, .http:
            .nothing
        }
    }

    /// The protocol that text calls `name`. `ipfs` is what `p2p` was called.
    init?(name: ArraySlice<UInt8>) {
        guard let known = Self.byName[String(decoding: name, as: UTF8.self)] else { return nil }
        self = known
    }

    private static let byName: [String: AddressProtocol] = {
        var names: [String: AddressProtocol] = ["ipfs": .p2p]
        for known in allCases { names[known.name] = known }
        return names
    }()
}

extension AddressProtocol.Form {
    /// The value's length on the wire in bytes; nil when a varint in front of it tells.
    var fixedLength: Int? {
        switch self {
        case .nothing: 0
        case .ip4: 4
        case .ip6: 16
        case .number(let bytes): bytes
        case .name, .path, .peer, .hash: nil
        }
    }

    /// Reads the binary value from text. Names and paths are checked by ``check(_:)`` alone.
    func value(text: ArraySlice<UInt8>) throws(AddressValueError) -> [UInt8] {
        switch self {
        case .nothing: return []
        case .ip4:
            guard let address = IPv4Address(utf8: text) else { throw .notIPv4 }
            return bigEndian(address.bits)
        case .ip6:
            guard let address = IPv6Address(utf8: text) else { throw .notIPv6 }
            return bigEndian(address.bits)
        case .number(let bytes):
            let limit = UInt64.max >> UInt64(64 - 8 * bytes)
            guard let number = decimal(text, atMost: limit) else { throw .notANumber(limit: limit) }
            return bigEndian(number).suffix(bytes)
        case .name, .path: return [UInt8](text)
        case .peer:
            do {
                return try PeerID(String(decoding: text, as: UTF8.self)).multihash
            } catch {
                throw .peerID(error)
            }
        case .hash:
            do {
                return try Multibase.decode(String(decoding: text, as: UTF8.self)).bytes
            } catch {
                throw .multibase(error)
            }
        }
    }

    /// Checks a binary value of the right length.
    func check(_ value: ArraySlice<UInt8>) throws(AddressValueError) {
        switch self {
        case .nothing, .ip4, .ip6, .number: return
        case .name:
            let visible = value.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "/") }
            guard visible, (1...Multiaddr.maximumNameLength).contains(value.count) else { throw .notAName }
        case .path:
            let slash = UInt8(ascii: "/")
            guard value.count > 1, value.first == slash, value.last != slash else { throw .notAPath }
            guard let path = String(validating: value, as: UTF8.self) else { throw .notAPath }
            let isVisible = path.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
            guard isVisible else { throw .notAPath }
        case .peer:
            do {
                _ = try PeerID(multihash: value)
            } catch {
                throw .peerID(error)
            }
        case .hash:
            do {
                _ = try Multihash(binary: value)
            } catch {
                throw .multihash(error)
            }
        }
    }

    /// Writes a binary value that ``check(_:)`` accepts as text.
    func text(value: ArraySlice<UInt8>) -> String {
        switch self {
        case .nothing: ""
        case .ip4: IPv4Address(bits: readBigEndian(value)).description
        case .ip6: IPv6Address(bits: readBigEndian(value)).description
        case .number: String(readBigEndian(value) as UInt64)
        case .name, .path: String(decoding: value, as: UTF8.self)
        case .peer: Base58.encode(value)
        case .hash: Multibase.base64url.encode(value)
        }
    }
}

/// The number that `bytes` are, most significant first; the highest bytes are lost when there are too many.
func readBigEndian<Number: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>) -> Number {
    bytes.reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
}

/// The bytes of `number`, most significant first.
func bigEndian<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number) -> [UInt8] {
    (1...Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> Number(Number.bitWidth - 8 * $0)) }
}
