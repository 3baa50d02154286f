/// The bytes of a hexadecimal text; white space is skipped.
func hex(_ text: String) -> [UInt8] {
    let digits = text.filter { !$0.isWhitespace }.compactMap { $0.hexDigitValue.map(UInt8.init) }
    precondition(digits.count % 2 == 0 && digits.count == text.filter { !$0.isWhitespace }.count)
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

func text(_ text: String) -> [UInt8] {
    Array(text.utf8)
}

extension [UInt8] {
    /// Each copy of these bytes with one byte changed.
    var flipped: [[UInt8]] {
        indices.map { index in
            var copy = self
            copy[index] ^= 0x01
            return copy
        }
    }

    /// Each proper prefix of these bytes.
    var truncated: [[UInt8]] {
        indices.map { Array(self[..<$0]) }
    }
}
