internal import OxbowCrypto

/// A Noise connection after its handshake: one key for each direction (libp2p/specs, noise, "Wire Format").
///
/// A record is two bytes of length, big-endian, then the ciphertext, then a tag of 16 bytes. An empty record is legal
/// and carries nothing; whoever drives this counts them, for they cost us more than their sender.
public struct NoiseTransport: ~Copyable, Sendable {
    /// The most plaintext that we put into a record, in bytes. A multiple of 128, which ChaCha20 likes best: a third
    /// faster than the 65,519 bytes that a record can hold.
    public static let maximumPlaintext = 65_408
    /// What a record adds to its plaintext, in bytes: length and tag.
    public static let overhead = lengthPrefix + tagLength
    /// The most that a record can hold, and so what may have to be opened: 65,535 bytes less the tag.
    public static let maximumRecord = 65_535
    /// The length that precedes each record, in bytes.
    public static let lengthPrefix = 2
    static let tagLength = 16

    private var sending: NoiseCipher
    private var receiving: NoiseCipher

    init(sending: consuming NoiseCipher, receiving: consuming NoiseCipher) {
        self.sending = sending
        self.receiving = receiving
    }

    /// Writes a whole record into the first `plaintext.count + overhead` bytes of `output`.
    ///
    /// `plaintext` has at most 65,519 bytes. It lies outside of `output`, or in place: at its third byte.
    ///
    /// - Throws: ``SecurityError/noncesExhausted`` after 2^64 - 1 records.
    public mutating func seal(
        _ plaintext: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(SecurityError) {
        let length = plaintext.count + Self.tagLength
        precondition(length <= Self.maximumRecord, "\(plaintext.count) bytes don't fit into a record")
        precondition(output.count >= Self.lengthPrefix + length, "the output has no room for the record")
        let body = UnsafeMutableRawBufferPointer(rebasing: output[Self.lengthPrefix..<Self.lengthPrefix + length])
        try sending.seal(plaintext, into: body)
        output[0] = UInt8(length >> 8)
        output[1] = UInt8(length & 0xff)
    }

    /// Opens a record in place and gives the count of plaintext at its front.
    ///
    /// `record` is what follows the length. When it fails authentication its bytes are lost, but nothing else is: the
    /// next genuine record opens (RUSTSEC-2024-0011).
    public mutating func open(_ record: UnsafeMutableRawBufferPointer) throws(SecurityError) -> Int {
        try open(UnsafeRawBufferPointer(record), into: record)
    }

    /// Opens a record to the front of `output`, which has room for the plaintext, and gives its count. The two are
    /// apart, or start at the same byte. In everything else it is like ``open(_:)``; after a failure `output` holds no
    /// plaintext.
    public mutating func open(
        _ record: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(SecurityError) -> Int {
        guard record.count >= Self.tagLength else { throw .malformed("a Noise record is shorter than its tag") }
        precondition(output.count >= record.count - Self.tagLength, "the output has no room for the plaintext")
        return try receiving.open(record, into: output)
    }
}
