internal import COpenSSL

/// A TLS connection after its handshake: two buffers inside libssl, one for each direction.
///
/// Whoever drives it reads until ``ReadResult/wouldBlock`` after each ``receive(_:)``, and takes all output after
/// each ``write(_:)``: then neither buffer holds more than was handed over at once. Output may also wait after a read
/// that throws: an alert.
public struct TLSTransport: ~Copyable, Sendable {
    /// What a read came to.
    public enum ReadResult: Hashable, Sendable {
        /// So many bytes, at least one, are at the front of the buffer.
        case bytes(Int)
        /// Nothing is left to read until more is received.
        case wouldBlock
        /// The other side has ended its direction with close_notify. A connection that ends without it was cut.
        case closed
    }

    /// The most plaintext of a record, in bytes (RFC 8446, section 5.1).
    public static let maximumPlaintext = 16_384
    /// What a record adds to its plaintext, in bytes: header, content type and tag.
    public static let overhead = 22

    private var connection: TLSConnection
    private var isClosed = false

    init(connection: consuming TLSConnection) {
        self.connection = connection
    }

    /// Takes bytes from the other side, at most 2 GiB, split anywhere. They are copied.
    public mutating func receive(_ ciphertext: UnsafeRawBufferPointer) throws(SecurityError) {
        try connection.feed(ciphertext)
    }

    /// Reads at most one record's worth into `buffer`, which must have room for a byte. Room for
    /// ``maximumPlaintext`` avoids further calls.
    public mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(SecurityError) -> ReadResult {
        precondition(!buffer.isEmpty, "there is no room to read into")
        var count = 0
        let outcome = try connection.run { SSL_read_ex($0, buffer.baseAddress, buffer.count, &count) }
        switch outcome {
        case .done: return .bytes(count)
        case .needsInput: return .wouldBlock
        case .ended: return .closed
        }
    }

    /// What a read straight from the caller's memory came to.
    public struct DirectRead: Hashable, Sendable {
        public var result: ReadResult
        /// How many bytes of the input it has used. libssl remembers those of a record that isn't complete.
        public var used: Int
    }

    /// As ``read(into:)``, from `ciphertext` where it is, behind what ``receive(_:)`` has taken: that saves a copy. What
    /// it doesn't use has to come first in the next read. It has used all when it would block.
    public mutating func read(
        from ciphertext: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer
    ) throws(SecurityError) -> DirectRead {
        precondition(!buffer.isEmpty, "there is no room to read into")
        var count = 0
        let (outcome, used) = try connection.lending(input: ciphertext) {
            (connection: inout TLSConnection) throws(SecurityError) in
            try connection.run { SSL_read_ex($0, buffer.baseAddress, buffer.count, &count) }
        }
        let result: ReadResult =
            switch outcome {
            case .done: .bytes(count)
            case .needsInput: .wouldBlock
            case .ended: .closed
            }
        return DirectRead(result: result, used: used)
    }

    /// How many received bytes no read has looked at. None means that a read would block, if the last one had room for
    /// ``maximumPlaintext``.
    public var pendingInput: Int { connection.pendingInput }

    /// Encrypts all of `plaintext`, as one record for each 16 KiB of it, behind the output that already waits.
    public mutating func write(_ plaintext: UnsafeRawBufferPointer) throws(SecurityError) {
        guard !isClosed else { throw .closed }
        guard !plaintext.isEmpty else { return }
        try Self.write(plaintext, to: &connection)
    }

    /// As ``write(_:)``, into `output` as far as that has room: ``sealedLength(of:)`` bytes suffice. Output that waits
    /// already has to be taken first, or this waits behind it too.
    ///
    /// - Returns: how many bytes of `output` were written.
    public mutating func write(
        _ plaintext: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(SecurityError) -> Int {
        guard !isClosed else { throw .closed }
        guard !plaintext.isEmpty else { return 0 }
        return try connection.lending(output: output) { (connection: inout TLSConnection) throws(SecurityError) in
            try Self.write(plaintext, to: &connection)
        }
    }

    /// How long the records of `count` bytes of plaintext are.
    public static func sealedLength(of count: Int) -> Int {
        count + (count + maximumPlaintext - 1) / maximumPlaintext * overhead
    }

    private static func write(
        _ plaintext: UnsafeRawBufferPointer, to connection: inout TLSConnection
    ) throws(SecurityError) {
        var count = 0
        let outcome = try connection.run { SSL_write_ex($0, plaintext.baseAddress, plaintext.count, &count) }
        guard outcome == .done, count == plaintext.count else {
            throw connection.fail(.tls("it wants to read before it writes"))
        }
    }

    /// How many bytes wait to be sent.
    public var pendingOutput: Int { connection.pendingOutput }

    /// Moves bytes that wait to be sent into `buffer` and gives their count. Works after an error too: an alert may
    /// wait.
    public mutating func takeOutput(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        connection.takeOutput(into: buffer)
    }

    /// Ends our direction: puts close_notify behind the output that waits. Reading goes on. Harmless when repeated.
    public mutating func close() {
        guard !isClosed else { return }
        isClosed = true
        // It gives 0 as long as the other side has not closed too, which is no error.
        _ = try? connection.run { SSL_shutdown($0) < 0 ? -1 : 1 }
    }
}
