/// Why bytes aren't an unsigned varint (multiformats/unsigned-varint).
public enum VarintError: Error, Hashable, Sendable {
    /// More than nine bytes, or a value past 2^63 - 1: the multiformats limit.
    case tooLong
    /// A longer form than the value needs: it ends in a zero byte.
    case notMinimal
}

/// Unsigned varints: seven bits a byte, least significant first, at most nine bytes (multiformats/unsigned-varint).
public enum Varint {
    /// The longest encoding, in bytes.
    public static let maximumLength = 9

    /// Reads a varint from the front of `input`.
    ///
    /// - Returns: the value and how many bytes it took, or nil when `input` ends in the middle of one.
    public static func decode(_ input: ArraySlice<UInt8>) throws(VarintError) -> (value: UInt64, length: Int)? {
        var value: UInt64 = 0
        var length = 0
        for byte in input.prefix(maximumLength) {
            value |= UInt64(byte & 0x7f) << UInt64(7 * length)
            length += 1
            guard byte & 0x80 == 0 else { continue }
            guard byte != 0 || length == 1 else { throw .notMinimal }
            return (value, length)
        }
        guard length < maximumLength else { throw .tooLong }
        return nil
    }

    /// Appends `value` to `output`. A value past 2^63 - 1 is a programmer's mistake: the format can't carry it.
    public static func encode(_ value: UInt64, into output: inout [UInt8]) {
        precondition(value <= UInt64(Int64.max), "an unsigned varint holds 63 bits")
        var rest = value
        while rest >= 0x80 {
            output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        output.append(UInt8(rest))
    }
}
