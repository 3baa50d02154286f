/// Why text isn't a base-N encoding of bytes.
public enum BaseDecodingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The text has `length` characters, and no more than `limit` are decoded.
    case tooLong(length: Int, limit: Int)
    /// The byte at `offset` isn't in the alphabet.
    case invalidCharacter(UInt8, offset: Int)
    /// No number of whole bytes encodes to this many characters.
    case invalidLength(Int)
    /// The bits behind the last whole byte aren't zero: another text is the encoding of the same bytes.
    case trailingBits
    /// The `=` signs that fill the last group are missing, or too many.
    case invalidPadding

    public var description: String {
        switch self {
        case .tooLong(let length, let limit): "\(length) characters are more than the \(limit) that are decoded"
        case .invalidCharacter(let byte, let offset):
            "the character \(quoted(byte)) at offset \(offset) is not in the alphabet"
        case .invalidLength(let length): "\(length) characters don't make whole bytes: some are missing"
        case .trailingBits: "the last character carries bits behind the last byte"
        case .invalidPadding: "the padding with = is missing or has the wrong length"
        }
    }
}

/// A byte of text as a log may show it: ASCII in quotes with control characters escaped, others as a number.
func quoted(_ byte: UInt8) -> String {
    byte < 0x80 ? String(UnicodeScalar(byte)).debugDescription : "0x" + String(byte, radix: 16)
}

/// The digits of a base, and what each character stands for.
struct Alphabet: Sendable {
    let characters: [UInt8]
    private let values: [UInt8]

    /// `characters` are ASCII, one for each digit. With `foldingCase`, the other case of a letter is read as well.
    init(_ characters: StaticString, foldingCase: Bool = false) {
        let characters = characters.withUTF8Buffer { [UInt8]($0) }
        var values = [UInt8](repeating: .max, count: 256)
        for (value, character) in characters.enumerated() {
            values[Int(character)] = UInt8(value)
            let isLetter = (0x41...0x5a).contains(character & 0xdf)
            if foldingCase, isLetter { values[Int(character ^ 0x20)] = UInt8(value) }
        }
        self.characters = characters
        self.values = values
    }

    func value(of character: UInt8) -> UInt8? {
        let value = values[Int(character)]
        return value == .max ? nil : value
    }

    func values(of text: some Collection<UInt8>) throws(BaseDecodingError) -> [UInt8] {
        var digits: [UInt8] = []
        digits.reserveCapacity(text.count)
        for character in text {
            guard let digit = value(of: character) else {
                throw .invalidCharacter(character, offset: digits.count)
            }
            digits.append(digit)
        }
        return digits
    }
}

/// A base whose digit isn't a whole number of bits: the bytes are read as one big number, and each leading zero byte
/// is one leading zero digit. Takes quadratic time, hence `limit`.
struct NumberCoding: Sendable {
    let alphabet: Alphabet
    /// The longest text that is decoded, in characters.
    let limit: Int

    func encode(_ bytes: some Collection<UInt8>) -> String {
        let digits = Self.rebase([UInt8](bytes), from: 256, to: UInt64(alphabet.characters.count))
        return String(decoding: digits.map { alphabet.characters[Int($0)] }, as: UTF8.self)
    }

    func decode(_ text: some Collection<UInt8>) throws(BaseDecodingError) -> [UInt8] {
        let length = text.count
        guard length <= limit else { throw .tooLong(length: length, limit: limit) }
        return Self.rebase(try alphabet.values(of: text), from: UInt64(alphabet.characters.count), to: 256)
    }

    /// Writes the number that `digits` are in radix `source`, most significant first, in radix `target`.
    ///
    /// Works on chunks of as many digits as fit 32 bits. `limb * scale + carry` can't overflow: a carry is at most
    /// `scale`, so the sum is at most `limbRadix * scale`, and only one of the two can be 2^32, the other being a
    /// power of a radix that doesn't divide it.
    private static func rebase(_ digits: [UInt8], from source: UInt64, to target: UInt64) -> [UInt8] {
        let zeros = digits.prefix { $0 == 0 }.count
        let (chunkLength, _) = chunk(of: source)
        let (limbLength, limbRadix) = chunk(of: target)
        var limbs: [UInt64] = []
        var rest = digits.dropFirst(zeros)
        while !rest.isEmpty {
            var scale: UInt64 = 1
            var carry: UInt64 = 0
            for digit in rest.prefix(chunkLength) {
                scale *= source
                carry = carry * source + UInt64(digit)
            }
            rest = rest.dropFirst(chunkLength)
            for index in limbs.indices {
                let sum = limbs[index] * scale + carry
                limbs[index] = sum % limbRadix
                carry = sum / limbRadix
            }
            // The carry may reach 2^32, which is two limbs of a smaller radix.
            while carry > 0 {
                limbs.append(carry % limbRadix)
                carry /= limbRadix
            }
        }
        var littleEndian: [UInt8] = []
        littleEndian.reserveCapacity(limbs.count * limbLength + zeros)
        for var limb in limbs {
            for _ in 0..<limbLength {
                littleEndian.append(UInt8(truncatingIfNeeded: limb % target))
                limb /= target
            }
        }
        while littleEndian.last == 0 { littleEndian.removeLast() }
        littleEndian.append(contentsOf: repeatElement(0, count: zeros))
        return littleEndian.reversed()
    }

    /// How many digits of `radix` fit 32 bits, and the power of the radix that they count to.
    private static func chunk(of radix: UInt64) -> (length: Int, power: UInt64) {
        var (length, power) = (1, radix)
        while power * radix <= 1 << 32 {
            length += 1
            power *= radix
        }
        return (length, power)
    }
}

/// A base whose digit is a whole number of bits (RFC 4648). Decoding accepts the one encoding that encoding produces.
struct BitCoding: Sendable {
    let alphabet: Alphabet
    /// Bits in a digit: 4, 5 or 6.
    let width: Int
    /// Characters in a padded group.
    let group: Int
    /// Whether `=` fills the last group.
    let padded: Bool
    /// The longest text that is decoded, in characters.
    static let limit = 4096

    init(_ alphabet: Alphabet, width: Int, padded: Bool = false) {
        self.alphabet = alphabet
        self.width = width
        self.group = width == 5 ? 8 : 4
        self.padded = padded
    }

    func encode(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 8 + width - 1) / width + (padded ? group : 0))
        var (bits, count): (UInt32, Int) = (0, 0)
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= width {
                count -= width
                text.append(alphabet.characters[Int(bits >> UInt32(count)) & (1 << width - 1)])
            }
        }
        if count > 0 { text.append(alphabet.characters[Int(bits << UInt32(width - count)) & (1 << width - 1)]) }
        while padded, text.count % group != 0 { text.append(UInt8(ascii: "=")) }
        return String(decoding: text, as: UTF8.self)
    }

    func decode(_ text: some Collection<UInt8>) throws(BaseDecodingError) -> [UInt8] {
        let length = text.count
        guard length <= Self.limit else { throw .tooLong(length: length, limit: Self.limit) }
        let digits = try alphabet.values(of: try unpadded(text))
        guard digits.count * width % 8 < width else { throw .invalidLength(digits.count) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count * width / 8)
        var (bits, count): (UInt32, Int) = (0, 0)
        for digit in digits {
            bits = bits << UInt32(width) | UInt32(digit)
            count += width
            guard count >= 8 else { continue }
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
        guard bits & (1 << UInt32(count) - 1) == 0 else { throw .trailingBits }
        return bytes
    }

    private func unpadded(_ text: some Collection<UInt8>) throws(BaseDecodingError) -> [UInt8] {
        var text = [UInt8](text)
        guard padded else { return text }
        guard text.count % group == 0 else { throw .invalidPadding }
        let length = text.count
        while text.last == UInt8(ascii: "=") { text.removeLast() }
        guard length - text.count < group else { throw .invalidPadding }
        return text
    }
}
