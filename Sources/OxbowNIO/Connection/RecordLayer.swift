import NIOCore
import OxbowMux
import OxbowSecurity
import OxbowUpgrade

/// The encrypted channel over NIO's buffers: one record in, one buffer of plaintext out, and back.
struct RecordLayer: ~Copyable {
    private var transport: SecureTransport?
    private let recordCapacity: Int
    /// What came behind bytes that were handed on first.
    private var failure: SecurityError?
    private let allocator = ByteBufferAllocator()

    init() {
        transport = nil
        recordCapacity = 0
    }

    init(_ transport: consuming SecureTransport) {
        recordCapacity =
            switch transport {
            case .noise: NoiseTransport.maximumPlaintext
            case .tls: Self.tlsPlaintext
            }
        self.transport = consume transport
    }

    /// What is written to TLS at once: three full records and one that is a little shorter. A write of more than 65,483
    /// bytes halves the rate over loopback, and four full records with their overhead are 65,624.
    private static let tlsPlaintext = 65_280
    /// How much plaintext of TLS is handed on at once: as many records as one ``tlsPlaintext`` makes.
    private static let tlsBatch = 65_536

    /// An empty record to fill.
    func newRecord() -> PlaintextRecord {
        PlaintextRecord(allocator, capacity: recordCapacity)
    }

    /// Encrypts the record for the socket.
    mutating func seal(_ record: inout PlaintextRecord) throws(SecurityError) -> ByteBuffer {
        var sealed = ByteBuffer()
        var result: Result<Void, SecurityError> = .success(())
        switch transport.take() {
        case .noise(var noise):
            result = record.sealInPlace(with: &noise)
            transport = .noise(noise)
            sealed = record.sealed
        case .tls(var tls):
            result = record.withPlaintext { plaintext in
                capture { () throws(SecurityError) in try tls.write(plaintext) }
            }
            sealed = Self.takeOutput(of: &tls, allocator)
            transport = .tls(tls)
        case nil:
            preconditionFailure("a record before the channel stands")
        }
        try result.get()
        return sealed
    }

    /// Decrypts from the front of `ciphertext`: nil when that needs more bytes.
    mutating func open(_ ciphertext: inout ByteBuffer) throws(SecurityError) -> ByteBuffer? {
        if let failure { throw failure }
        switch transport.take() {
        case .noise(var noise):
            let result = Self.open(&ciphertext, with: &noise, allocator)
            transport = .noise(noise)
            return try result.get()
        case .tls(var tls):
            let result = Self.open(&ciphertext, with: &tls, allocator, failingLater: &failure)
            transport = .tls(tls)
            return try result.get()
        case nil:
            return nil
        }
    }

    /// The channel's own goodbye, where it has one.
    mutating func close() -> ByteBuffer? {
        switch transport.take() {
        case .tls(var tls):
            tls.close()
            let goodbye = Self.takeOutput(of: &tls, allocator)
            transport = .tls(tls)
            return goodbye
        case .noise(let noise):
            transport = .noise(noise)
            return nil
        case nil:
            return nil
        }
    }

    private static func open(
        _ ciphertext: inout ByteBuffer, with noise: inout NoiseTransport, _ allocator: ByteBufferAllocator
    ) -> Result<ByteBuffer?, SecurityError> {
        guard let length = ciphertext.getInteger(at: ciphertext.readerIndex, as: UInt16.self).map(Int.init),
            ciphertext.readableBytes >= NoiseTransport.lengthPrefix + length
        else { return .success(nil) }
        ciphertext.moveReaderIndex(forwardBy: NoiseTransport.lengthPrefix)
        // Decryption takes the bytes out of the socket's buffer, which NIO's pool shares, and they are never copied
        // again: slices of this buffer go to the streams.
        var plaintext = allocator.buffer(capacity: length)
        var opened = Result<Int, SecurityError>.success(0)
        ciphertext.readWithUnsafeReadableBytes { bytes in
            let record = UnsafeRawBufferPointer(rebasing: bytes[..<length])
            plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { output in
                opened = capture { () throws(SecurityError) in try noise.open(record, into: output) }
                return (try? opened.get()) ?? 0
            }
            return length
        }
        return opened.map { _ in plaintext }
    }

    private static func open(
        _ ciphertext: inout ByteBuffer, with tls: inout TLSTransport, _ allocator: ByteBufferAllocator,
        failingLater failure: inout SecurityError?
    ) -> Result<ByteBuffer?, SecurityError> {
        if ciphertext.readableBytes > 0 {
            let fed = ciphertext.withUnsafeReadableBytes { bytes in
                capture { () throws(SecurityError) in try tls.receive(bytes) }
            }
            ciphertext.moveReaderIndex(forwardBy: ciphertext.readableBytes)
            if case .failure(let error) = fed { return .failure(error) }
        }
        guard tls.pendingInput > 0 else { return .success(nil) }
        let record = TLSTransport.maximumPlaintext
        var plaintext = allocator.buffer(capacity: min(tlsBatch, tls.pendingInput + record))
        var outcome = Result<TLSTransport.ReadResult, SecurityError>.success(.wouldBlock)
        plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: record) { bytes in
            var count = 0
            while bytes.count - count >= record {
                let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[count...])
                outcome = capture { () throws(SecurityError) in try tls.read(into: rest) }
                guard case .success(.bytes(let read)) = outcome else { break }
                count += read
            }
            return count
        }
        guard plaintext.readableBytes > 0 else { return outcome.map { _ in nil } }
        if case .failure(let error) = outcome { failure = error }
        return .success(plaintext)
    }

    private static func takeOutput(of tls: inout TLSTransport, _ allocator: ByteBufferAllocator) -> ByteBuffer {
        let count = tls.pendingOutput
        var output = allocator.buffer(capacity: count)
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            tls.takeOutput(into: UnsafeMutableRawBufferPointer(rebasing: bytes.prefix(count)))
        }
        return output
    }
}

/// One record's plaintext while it is filled with frames: room for the channel's overhead is kept around it, so that
/// Noise encrypts in place.
struct PlaintextRecord {
    fileprivate var buffer: ByteBuffer
    private let capacity: Int

    fileprivate init(_ allocator: ByteBufferAllocator, capacity: Int) {
        self.capacity = capacity
        buffer = allocator.buffer(capacity: capacity + NoiseTransport.overhead)
        buffer.writeInteger(UInt16(0))
    }

    /// Bytes of plaintext that still fit.
    var room: Int { capacity - (buffer.writerIndex - NoiseTransport.lengthPrefix) }

    mutating func append(_ header: YamuxFrameHeader) {
        buffer.writeMultipleIntegers(header.firstWord, header.streamID.rawValue, header.length)
    }

    /// Leaves room for a header whose length isn't known yet.
    ///
    /// - Returns: where it is, for ``setHeader(_:at:)``.
    mutating func reserveHeader() -> Int {
        defer { buffer.writeRepeatingByte(0, count: YamuxFrameHeader.size) }
        return buffer.writerIndex
    }

    mutating func setHeader(_ header: YamuxFrameHeader, at index: Int) {
        buffer.setMultipleIntegers(header.firstWord, header.streamID.rawValue, header.length, at: index)
    }

    /// Takes back the header at the record's end.
    mutating func dropHeader(at index: Int) {
        buffer.moveWriterIndex(to: index)
    }

    /// The bytes for the socket. A short record leaves in a buffer of its size: where a peer doesn't read, thousands of
    /// them wait, and the room for a whole record with each would be memory of the peer's choice.
    fileprivate var sealed: ByteBuffer {
        buffer.readableBytes < capacity / 4 ? ByteBuffer(bytes: buffer.readableBytesView) : buffer
    }

    mutating func append(_ payload: inout ByteBuffer) {
        buffer.writeBuffer(&payload)
    }

    fileprivate func withPlaintext<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        buffer.withUnsafeReadableBytes { bytes in
            body(UnsafeRawBufferPointer(rebasing: bytes.dropFirst(NoiseTransport.lengthPrefix)))
        }
    }

    fileprivate mutating func sealInPlace(with noise: inout NoiseTransport) -> Result<Void, SecurityError> {
        let count = buffer.readableBytes - NoiseTransport.lengthPrefix
        buffer.writeRepeatingByte(0, count: NoiseTransport.overhead - NoiseTransport.lengthPrefix)
        return buffer.withUnsafeMutableReadableBytes { bytes in
            let plaintext = UnsafeRawBufferPointer(rebasing: bytes[NoiseTransport.lengthPrefix...].prefix(count))
            return capture { () throws(SecurityError) in try noise.seal(plaintext, into: bytes) }
        }
    }
}

/// NIO's closures rethrow without the type: the result carries it across.
private func capture<Value>(_ body: () throws(SecurityError) -> Value) -> Result<Value, SecurityError> {
    do throws(SecurityError) { return .success(try body()) } catch { return .failure(error) }
}
