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
    /// The beginning of a Noise record whose rest hasn't come; of TLS, libssl has it.
    private var partial = ByteBuffer()
    private let buffers: RecordBuffers

    /// Memory for a record that isn't complete, in bytes.
    var partialCapacity: Int { partial.storageCapacity }

    init() {
        transport = nil
        recordCapacity = 0
        buffers = RecordBuffers()
    }

    /// To be called on the thread of the connection's event loop.
    init(_ transport: consuming SecureTransport) {
        recordCapacity =
            switch transport {
            case .noise: NoiseTransport.maximumPlaintext
            case .tls: Self.tlsPlaintext
            }
        self.transport = consume transport
        buffers = .ofThisThread
    }

    /// What is written to TLS at once: three full records and one that is a little shorter. A write of more than 65,483
    /// bytes halves the rate over loopback, and four full records with their overhead are 65,624.
    private static let tlsPlaintext = 65_280
    /// How much plaintext of TLS is handed on at once: as many records as one ``tlsPlaintext`` makes.
    private static let tlsBatch = 65_536

    /// An empty record to fill.
    func newRecord() -> PlaintextRecord {
        PlaintextRecord(buffers.take(recordCapacity + NoiseTransport.overhead), capacity: recordCapacity)
    }

    /// Encrypts the record for the socket.
    mutating func seal(_ record: inout PlaintextRecord) throws(SecurityError) -> ByteBuffer {
        switch transport.take() {
        case .noise(var noise):
            let result = record.sealInPlace(with: &noise)
            transport = .noise(noise)
            buffers.keep(record.buffer)
            try result.get()
            return record.sealed
        case .tls(var tls):
            let result = Self.seal(record, with: &tls, buffers)
            transport = .tls(tls)
            buffers.keep(record.buffer)
            return try result.get()
        case nil:
            preconditionFailure("a record before the channel stands")
        }
    }

    /// Decrypts from the front of `ciphertext`: nil when that needs more bytes, and then it has taken all of them.
    mutating func open(_ ciphertext: inout ByteBuffer) throws(SecurityError) -> ByteBuffer? {
        if let failure { throw failure }
        switch transport.take() {
        case .noise(var noise):
            let result = open(&ciphertext, with: &noise)
            transport = .noise(noise)
            return try result.get()
        case .tls(var tls):
            let result = Self.open(&ciphertext, with: &tls, buffers, failingLater: &failure)
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
            let goodbye = Self.takeOutput(of: &tls)
            transport = .tls(tls)
            return goodbye
        case .noise(let noise):
            transport = .noise(noise)
            return nil
        case nil:
            return nil
        }
    }

    // MARK: Noise

    private mutating func open(
        _ ciphertext: inout ByteBuffer, with noise: inout NoiseTransport
    ) -> Result<ByteBuffer?, SecurityError> {
        guard partial.readableBytes == 0 else {
            completePartial(from: &ciphertext)
            guard let length = Self.wholeRecord(in: partial) else { return .success(nil) }
            let result = Self.decrypt(&partial, length, with: &noise, buffers)
            buffers.keep(partial)
            partial = ByteBuffer()
            return result
        }
        guard let length = Self.wholeRecord(in: ciphertext) else {
            keepPartial(&ciphertext)
            return .success(nil)
        }
        return Self.decrypt(&ciphertext, length, with: &noise, buffers)
    }

    /// The length of the record at the front, without its prefix, if all of it is there.
    private static func wholeRecord(in bytes: ByteBuffer) -> Int? {
        guard let size = recordSize(in: bytes), bytes.readableBytes >= size else { return nil }
        return size - NoiseTransport.lengthPrefix
    }

    /// The size of the record at the front with its prefix, or nil when not even that is there.
    private static func recordSize(in bytes: ByteBuffer) -> Int? {
        bytes.getInteger(at: bytes.readerIndex, as: UInt16.self).map { NoiseTransport.lengthPrefix + Int($0) }
    }

    /// Copies the beginning of a record: the socket's buffer can then be read into again.
    private mutating func keepPartial(_ ciphertext: inout ByteBuffer) {
        let count = ciphertext.readableBytes
        guard count > 0 else { return }
        // A length is only a promise: room for all of it is taken once a good part has come.
        let size = Self.recordSize(in: ciphertext) ?? count
        partial = buffers.take(4 * count >= size ? size : count)
        partial.writeBuffer(&ciphertext)
    }

    /// Moves what the record at hand lacks, and no more: first its length, where that is missing, then the rest.
    private mutating func completePartial(from ciphertext: inout ByteBuffer) {
        while true {
            let missing = (Self.recordSize(in: partial) ?? NoiseTransport.lengthPrefix) - partial.readableBytes
            guard missing > 0, var piece = ciphertext.readSlice(length: min(missing, ciphertext.readableBytes)),
                piece.readableBytes > 0
            else { return }
            if partial.writableBytes < piece.readableBytes {
                var grown = buffers.take(partial.readableBytes + piece.readableBytes)
                grown.writeBuffer(&partial)
                partial = grown
            }
            partial.writeBuffer(&piece)
        }
    }

    /// Decryption takes the bytes out of the socket's buffer, which NIO's pool shares, and they are never copied again:
    /// slices of this buffer go to the streams.
    private static func decrypt(
        _ ciphertext: inout ByteBuffer, _ length: Int, with noise: inout NoiseTransport, _ buffers: RecordBuffers
    ) -> Result<ByteBuffer?, SecurityError> {
        ciphertext.moveReaderIndex(forwardBy: NoiseTransport.lengthPrefix)
        var plaintext = buffers.take(length)
        var opened = Result<Int, SecurityError>.success(0)
        ciphertext.readWithUnsafeReadableBytes { bytes in
            let record = UnsafeRawBufferPointer(rebasing: bytes[..<length])
            plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { output in
                opened = capture { () throws(SecurityError) in try noise.open(record, into: output) }
                return (try? opened.get()) ?? 0
            }
            return length
        }
        buffers.keep(plaintext)
        return opened.map { _ in plaintext }
    }

    // MARK: TLS

    private static func open(
        _ ciphertext: inout ByteBuffer, with tls: inout TLSTransport, _ buffers: RecordBuffers,
        failingLater failure: inout SecurityError?
    ) -> Result<ByteBuffer?, SecurityError> {
        guard ciphertext.readableBytes + tls.pendingInput > 0 else { return .success(nil) }
        let record = TLSTransport.maximumPlaintext
        var plaintext = buffers.take(tlsBatch)
        var outcome = Result<TLSTransport.ReadResult, SecurityError>.success(.wouldBlock)
        plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: record) { bytes in
            var count = 0
            while bytes.count - count >= record {
                let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[count...])
                outcome = read(&ciphertext, with: &tls, into: rest)
                guard case .success(.bytes(let read)) = outcome else { break }
                count += read
            }
            return count
        }
        buffers.keep(plaintext)
        guard plaintext.readableBytes > 0 else { return outcome.map { _ in nil } }
        if case .failure(let error) = outcome { failure = error }
        return .success(plaintext)
    }

    private static func read(
        _ ciphertext: inout ByteBuffer, with tls: inout TLSTransport, into output: UnsafeMutableRawBufferPointer
    ) -> Result<TLSTransport.ReadResult, SecurityError> {
        let outcome = ciphertext.withUnsafeReadableBytes { input in
            capture { () throws(SecurityError) in try tls.read(from: input, into: output) }
        }
        if case .success(let read) = outcome { ciphertext.moveReaderIndex(forwardBy: read.used) }
        return outcome.map(\.result)
    }

    private static func seal(
        _ record: PlaintextRecord, with tls: inout TLSTransport, _ buffers: RecordBuffers
    ) -> Result<ByteBuffer, SecurityError> {
        // What a read has left, an answer to the peer's, goes first.
        let waiting = tls.pendingOutput > 0 ? takeOutput(of: &tls) : nil
        let length = TLSTransport.sealedLength(of: record.count)
        var sealed = buffers.take(length)
        var result = Result<Int, SecurityError>.success(0)
        sealed.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { output in
            result = record.withPlaintext { plaintext in
                capture { () throws(SecurityError) in try tls.write(plaintext, into: output) }
            }
            return (try? result.get()) ?? 0
        }
        buffers.keep(sealed)
        return result.map { _ in
            guard var waiting else { return sealed }
            waiting.writeBuffer(&sealed)
            return waiting
        }
    }

    private static func takeOutput(of tls: inout TLSTransport) -> ByteBuffer {
        let count = tls.pendingOutput
        var output = ByteBufferAllocator().buffer(capacity: count)
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

    fileprivate init(_ buffer: consuming ByteBuffer, capacity: Int) {
        // Here, where the buffer has no other holder: a second one would make the write copy all of it.
        buffer.writeInteger(UInt16(0))
        self.capacity = capacity
        self.buffer = buffer
    }

    /// Bytes of plaintext.
    fileprivate var count: Int { buffer.readableBytes - NoiseTransport.lengthPrefix }

    /// Bytes of plaintext that still fit.
    var room: Int { capacity - (buffer.writerIndex - NoiseTransport.lengthPrefix) }

    mutating func append(_ header: YamuxFrameHeader) {
        buffer.writeMultipleIntegers(header.firstWord, header.streamID.rawValue, header.length)
    }

    /// Leaves room for a header whose length isn't known yet.
    ///
    /// - Returns: where it is, for ``setHeader(_:at:)``.
    mutating func reserveHeader() -> Int {
        defer { buffer.moveWriterIndex(forwardBy: YamuxFrameHeader.size) }
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
    fileprivate var sealed: ByteBuffer { buffer.detached(fromStorageOf: capacity) }

    mutating func append(_ payload: inout ByteBuffer) {
        buffer.writeBuffer(&payload)
    }

    fileprivate func withPlaintext<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        buffer.withUnsafeReadableBytes { bytes in
            body(UnsafeRawBufferPointer(rebasing: bytes.dropFirst(NoiseTransport.lengthPrefix)))
        }
    }

    fileprivate mutating func sealInPlace(with noise: inout NoiseTransport) -> Result<Void, SecurityError> {
        let count = count
        buffer.moveWriterIndex(forwardBy: NoiseTransport.overhead - NoiseTransport.lengthPrefix)
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
