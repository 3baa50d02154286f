/// Why text isn't in a multibase that is understood here.
public enum MultibaseError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not even the character that names the base.
    case empty
    /// The first character, a byte of UTF-8, names no base that is understood here.
    case unknownBase(UInt8)
    /// What follows the first character isn't in the base that it names. Offsets count from behind it.
    case invalid(Multibase, BaseDecodingError)

    public var description: String {
        switch self {
        case .empty: "the text is empty: a multibase starts with the character of its base"
        case .unknownBase(let byte):
            "no multibase that is known here starts with \(quoted(byte)): use base58btc (z) or base32 (b)"
        case .invalid(let base, let error): "not valid \(base): \(error)"
        }
    }
}

/// Bytes as text whose first character says which base it is in (multiformats/multibase).
public enum Multibase: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case base16 = 0x66  // f
    case base16upper = 0x46  // F
    case base32 = 0x62  // b
    case base32upper = 0x42  // B
    case base36 = 0x6b  // k
    case base36upper = 0x4b  // K
    case base58btc = 0x7a  // z
    case base64 = 0x6d  // m
    case base64pad = 0x4d  // M
    case base64url = 0x75  // u
    case base64urlpad = 0x55  // U

    /// The character of the base, and behind it the bytes in that base. Quadratic in the length for base 36 and 58.
    public func encode(_ bytes: some Collection<UInt8>) -> String {
        String(UnicodeScalar(rawValue)) + digits(bytes)
    }

    /// Decodes at most 256 characters of a base that isn't a power of two, at most 4,096 of another.
    public static func decode(_ text: String) throws(MultibaseError) -> (base: Multibase, bytes: [UInt8]) {
        guard let prefix = text.utf8.first else { throw .empty }
        guard let base = Multibase(rawValue: prefix) else { throw .unknownBase(prefix) }
        do {
            return (base, try base.bytes(text.utf8.dropFirst()))
        } catch {
            throw .invalid(base, error)
        }
    }

    public var description: String {
        switch self {
        case .base16: "base16"
        case .base16upper: "base16upper"
        case .base32: "base32"
        case .base32upper: "base32upper"
        case .base36: "base36"
        case .base36upper: "base36upper"
        case .base58btc: "base58btc"
        case .base64: "base64"
        case .base64pad: "base64pad"
        case .base64url: "base64url"
        case .base64urlpad: "base64urlpad"
        }
    }

    private enum Coding {
        case number(NumberCoding)
        case bits(BitCoding)
    }

    private var coding: Coding {
        switch self {
        case .base16: .bits(Base16.coding)
        case .base16upper: .bits(Base16.upper)
        case .base32: .bits(Base32.coding)
        case .base32upper: .bits(Base32.upper)
        case .base36: .number(Base36.coding)
        case .base36upper: .number(Base36.upper)
        case .base58btc: .number(Base58.coding)
        case .base64: .bits(Base64.standard.coding)
        case .base64pad: .bits(Base64.standardPadded.coding)
        case .base64url: .bits(Base64.urlSafe.coding)
        case .base64urlpad: .bits(Base64.urlSafePadded.coding)
        }
    }

    private func digits(_ bytes: some Collection<UInt8>) -> String {
        switch coding {
        case .number(let coding): coding.encode(bytes)
        case .bits(let coding): coding.encode(bytes)
        }
    }

    private func bytes(_ text: some Collection<UInt8>) throws(BaseDecodingError) -> [UInt8] {
        switch coding {
        case .number(let coding): try coding.decode(text)
        case .bits(let coding): try coding.decode(text)
        }
    }
}
