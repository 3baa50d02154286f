/// Reads ASN.1 in DER from the front: definite, minimal lengths and tags of one byte, nothing else (X.690).
///
/// libcrypto's own decoders take more than DER and run long on hostile input, so what peers send is taken apart here.
struct DERReader {
    enum Tag: UInt8 {
        case integer = 0x02
        case bitString = 0x03
        case sequence = 0x30
    }

    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// Takes the content of the next element, or returns nil when it isn't `tag` or isn't whole.
    mutating func read(_ tag: Tag) -> ArraySlice<UInt8>? {
        var input = rest
        guard input.popFirst() == tag.rawValue, let count = Self.length(&input), count <= input.count else {
            return nil
        }
        rest = input.dropFirst(count)
        return input.prefix(count)
    }

    /// Takes a positive integer, and returns its magnitude without leading zeros.
    mutating func readPositiveInteger() -> ArraySlice<UInt8>? {
        guard let content = read(.integer), let first = content.first, first < 0x80 else { return nil }
        guard first == 0 else { return content }
        let magnitude = content.dropFirst()
        guard let next = magnitude.first, next >= 0x80 else { return nil }
        return magnitude
    }

    /// At most three bytes of length: no structure of ours is longer.
    private static func length(_ input: inout ArraySlice<UInt8>) -> Int? {
        guard let first = input.popFirst() else { return nil }
        guard first >= 0x80 else { return Int(first) }
        let size = Int(first & 0x7f)
        guard (1...3).contains(size), input.count >= size else { return nil }
        let value = input.prefix(size).reduce(0) { $0 << 8 | Int($1) }
        input = input.dropFirst(size)
        // Minimal: the short form where it suffices, and no leading zero.
        return value >= 0x80 && value >= 1 << (8 * (size - 1)) ? value : nil
    }
}
