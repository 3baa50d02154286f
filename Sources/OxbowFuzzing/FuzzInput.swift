/// Takes decisions from bytes, one after the other. Small and without state of its own, so that a change of one byte of
/// the input changes one decision: what mutates inputs can learn from that. Once the bytes are used up, it gives zeros.
struct FuzzInput {
    private var remaining: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        remaining = bytes[...]
    }

    /// Whether only zeros follow.
    var isEmpty: Bool { remaining.isEmpty }

    mutating func byte() -> UInt8 {
        remaining.popFirst() ?? 0
    }

    mutating func bool() -> Bool {
        byte() & 1 == 1
    }

    /// A number from zero up to but not `bound`, which is at least one: of one byte up to 256, of two beyond.
    mutating func int(below bound: Int) -> Int {
        bound <= 256 ? Int(byte()) % bound : (Int(byte()) << 8 | Int(byte())) % bound
    }

    mutating func uint32() -> UInt32 {
        (0..<4).reduce(0) { number, _ in number << 8 | UInt32(byte()) }
    }

    mutating func uint64() -> UInt64 {
        UInt64(uint32()) << 32 | UInt64(uint32())
    }

    /// One of `values`, of which there is at least one.
    mutating func choice<Values: RandomAccessCollection>(_ values: Values) -> Values.Element {
        values[values.index(values.startIndex, offsetBy: int(below: values.count))]
    }

    /// The next bytes, at most `count`.
    mutating func bytes(_ count: Int) -> [UInt8] {
        defer { remaining = remaining.dropFirst(count) }
        return Array(remaining.prefix(count))
    }

    /// Bytes behind a length of one byte: a part that another one can follow.
    mutating func part() -> [UInt8] {
        let count = Int(byte())
        return bytes(count)
    }

    /// All that is left.
    mutating func rest() -> [UInt8] {
        bytes(remaining.count)
    }
}
