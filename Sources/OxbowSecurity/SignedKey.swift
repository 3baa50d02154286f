/// The content of the libp2p extension of a certificate (libp2p/specs, tls): the identity key's protobuf message and
/// its signature of the certificate's key.
///
/// In DER: a SEQUENCE of two OCTET STRINGs.
struct SignedKey: Equatable {
    var publicKey: [UInt8]
    var signature: [UInt8]

    init(publicKey: [UInt8], signature: [UInt8]) {
        self.publicKey = publicKey
        self.signature = signature
    }

    private static let sequence: UInt8 = 0x30
    private static let octetString: UInt8 = 0x04

    /// Reads all of `der`, or gives nil. Strict: lengths are minimal, and nothing follows.
    init?(der: [UInt8]) {
        var rest = der[...]
        guard var fields = Self.takeElement(Self.sequence, from: &rest), rest.isEmpty,
            let publicKey = Self.takeElement(Self.octetString, from: &fields),
            let signature = Self.takeElement(Self.octetString, from: &fields), fields.isEmpty
        else { return nil }
        self.publicKey = [UInt8](publicKey)
        self.signature = [UInt8](signature)
    }

    var der: [UInt8] {
        let fields = Self.element(Self.octetString, publicKey) + Self.element(Self.octetString, signature)
        return Self.element(Self.sequence, fields)
    }

    private static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let count = content.count
        precondition(count <= 0xffff, "a signed key of ours has at most a few thousand bytes")
        let high = UInt8(count >> 8)
        let low = UInt8(count & 0xff)
        let length: [UInt8] = count < 0x80 ? [low] : count < 0x100 ? [0x81, low] : [0x82, high, low]
        return [tag] + length + content
    }

    /// Lengths of one to three bytes: an element of 64 KiB or more is none of ours.
    private static func takeElement(_ tag: UInt8, from input: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard input.popFirst() == tag, let first = input.popFirst() else { return nil }
        var length = Int(first)
        switch first {
        case 0..<0x80: break
        case 0x81:
            guard let low = input.popFirst(), low >= 0x80 else { return nil }
            length = Int(low)
        case 0x82:
            guard let high = input.popFirst(), high != 0, let low = input.popFirst() else { return nil }
            length = Int(high) << 8 | Int(low)
        default: return nil
        }
        guard length <= input.count else { return nil }
        defer { input = input.dropFirst(length) }
        return input.prefix(length)
    }
}
