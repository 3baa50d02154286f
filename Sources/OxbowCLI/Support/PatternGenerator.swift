import NIOCore

/// Pseudo-random bytes, the same for the same seed: what both ends know without telling each other. It is SplitMix64 in
/// counter mode: cheap enough that who uses it measures the streams and not this.
struct PatternGenerator {
    private let seed: UInt64
    /// Bytes given so far.
    private var offset = 0

    init(seed: UInt64) {
        self.seed = seed
    }

    /// The next bytes; how the calls cut them makes no difference.
    mutating func next(_ count: Int) -> ByteBuffer {
        let first = offset / 8
        let skipped = offset % 8
        let words = (skipped + count + 7) / 8
        var buffer = ByteBuffer()
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: words * 8) { bytes in
            for index in 0..<words {
                var word = seed &+ UInt64(first + index + 1) &* 0x9e37_79b9_7f4a_7c15
                word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
                word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
                bytes.storeBytes(of: (word ^ (word >> 31)).littleEndian, toByteOffset: index * 8, as: UInt64.self)
            }
            return skipped + count
        }
        buffer.moveReaderIndex(forwardBy: skipped)
        offset += count
        return buffer
    }
}
