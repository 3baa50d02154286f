extension Span<UInt8> {
    /// Whether both have the same bytes.
    ///
    /// It looks at all of them and not only at those up to the first difference: that way the compiler takes many at a
    /// time, and names on the wire, which this is for, are short.
    package func isEqual(to other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        var difference: UInt8 = 0
        for index in indices { difference |= self[index] ^ other[index] }
        return difference == 0
    }
}
