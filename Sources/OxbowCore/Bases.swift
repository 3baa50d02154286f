/// Base 58 with Bitcoin's alphabet: the text of a peer id. Quadratic, so bounded.
public enum Base58 {
    /// The longest text that is decoded, in characters: 187 bytes, more than any CID that is accepted.
    public static let maximumLength = 256

    static let coding = NumberCoding(
        alphabet: Alphabet("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"), limit: maximumLength)

    /// The text of bytes; each zero in front becomes a digit 0 of the alphabet. Quadratic in the length, which isn't
    /// bounded here: it is for identifiers of our own.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        coding.encode(bytes)
    }

    /// The bytes of a text of at most ``maximumLength`` characters.
    ///
    /// - Throws: ``BaseDecodingError`` for a longer text, or a character outside of the alphabet.
    public static func decode(_ text: String) throws(BaseDecodingError) -> [UInt8] {
        try coding.decode(text.utf8)
    }
}

/// Base 36, lower case, read in either case (multiformats/multibase, RFC Base36). Quadratic, so bounded.
public enum Base36 {
    /// The longest text that is decoded, in characters: 165 bytes, more than any CID that is accepted.
    public static let maximumLength = 256

    static let coding = NumberCoding(
        alphabet: Alphabet("0123456789abcdefghijklmnopqrstuvwxyz", foldingCase: true), limit: maximumLength)
    static let upper = NumberCoding(
        alphabet: Alphabet("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", foldingCase: true), limit: maximumLength)

    /// The text of bytes; each zero in front becomes a digit 0 of the alphabet. Quadratic in the length, which isn't
    /// bounded here: it is for identifiers of our own.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        coding.encode(bytes)
    }

    /// The bytes of a text of at most ``maximumLength`` characters.
    ///
    /// - Throws: ``BaseDecodingError`` for a longer text, or a character outside of the alphabet.
    public static func decode(_ text: String) throws(BaseDecodingError) -> [UInt8] {
        try coding.decode(text.utf8)
    }
}

/// Base 16, lower case, read in either case (RFC 4648, section 8).
public enum Base16 {
    static let coding = BitCoding(Alphabet("0123456789abcdef", foldingCase: true), width: 4)
    static let upper = BitCoding(Alphabet("0123456789ABCDEF", foldingCase: true), width: 4)

    /// Two lower-case digits for each byte.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        coding.encode(bytes)
    }

    /// Decodes at most 4,096 characters.
    public static func decode(_ text: String) throws(BaseDecodingError) -> [UInt8] {
        try coding.decode(text.utf8)
    }
}

/// Base 32, lower case without padding, read in either case (RFC 4648, section 6).
public enum Base32 {
    static let coding = BitCoding(Alphabet("abcdefghijklmnopqrstuvwxyz234567", foldingCase: true), width: 5)
    static let upper = BitCoding(Alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", foldingCase: true), width: 5)

    /// Eight lower-case characters for five bytes, fewer at the end, without padding.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        coding.encode(bytes)
    }

    /// Decodes at most 4,096 characters.
    public static func decode(_ text: String) throws(BaseDecodingError) -> [UInt8] {
        try coding.decode(text.utf8)
    }
}

/// Base 64 (RFC 4648, sections 4 and 5).
public enum Base64: Sendable {
    case standard, standardPadded, urlSafe, urlSafePadded

    private static let classic = Alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    private static let safe = Alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    private static let codings = [
        BitCoding(classic, width: 6), BitCoding(classic, width: 6, padded: true),
        BitCoding(safe, width: 6), BitCoding(safe, width: 6, padded: true),
    ]

    var coding: BitCoding {
        switch self {
        case .standard: Self.codings[0]
        case .standardPadded: Self.codings[1]
        case .urlSafe: Self.codings[2]
        case .urlSafePadded: Self.codings[3]
        }
    }

    /// Four characters for three bytes, fewer at the end; filled up with `=` in the padded forms.
    public func encode(_ bytes: some Collection<UInt8>) -> String {
        coding.encode(bytes)
    }

    /// Decodes at most 4,096 characters.
    public func decode(_ text: String) throws(BaseDecodingError) -> [UInt8] {
        try coding.decode(text.utf8)
    }
}
