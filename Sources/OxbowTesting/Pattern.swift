package import NIOCore
import OxbowSeeds

/// Bytes that tell their place: a loss, a repetition or a change of order shows, unless it is a multiple of 65,521.
package enum Pattern {
    private static let period = 65_521

    private static let block: ByteBuffer = {
        var generator = SplitMix64(seed: 0x0B_0B)
        var buffer = ByteBuffer()
        for _ in 0..<period { buffer.writeInteger(UInt8(truncatingIfNeeded: generator.next())) }
        return buffer
    }()

    /// The bytes of the pattern from `offset` on.
    package static func bytes(from offset: Int, count: Int) -> ByteBuffer {
        var result = ByteBuffer()
        result.reserveCapacity(count)
        var position = offset % period
        while result.readableBytes < count {
            let length = min(count - result.readableBytes, period - position)
            result.writeImmutableBuffer(block.getSlice(at: position, length: length) ?? ByteBuffer())
            position = 0
        }
        return result
    }

    /// Whether `buffer` is the pattern from `offset` on.
    package static func matches(_ buffer: ByteBuffer, from offset: Int = 0) -> Bool {
        buffer == bytes(from: offset, count: buffer.readableBytes)
    }
}
