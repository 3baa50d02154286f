import NIOCore

/// What goes over a soak's streams, in both directions.
enum SoakFrame: Hashable, Sendable {
    /// Which stream this is; the dialer's first.
    case hello(stream: Int)
    /// The next bytes of the sender's pattern.
    case data(ByteBuffer)
    /// The migration with this number, which the sender asked for, is complete: the other end has the next turn.
    case moved(Int)
    /// All that the sender has sent of its pattern. Nothing follows but the end of the stream.
    case end(bytes: UInt64, digest: [UInt8])

    static let headerLength = 3
    static let helloLength = headerLength + 4

    /// A kind, the length of what follows (both big-endian), and that.
    var encoded: ByteBuffer {
        switch self {
        case .hello(let stream): Self.frame(0) { $0.writeInteger(UInt32(stream)) }
        case .data(let bytes): Self.frame(1) { $0.writeImmutableBuffer(bytes) }
        case .moved(let number): Self.frame(2) { $0.writeInteger(UInt32(number)) }
        case .end(let count, let digest):
            Self.frame(3) {
                $0.writeInteger(count)
                $0.writeBytes(digest)
            }
        }
    }

    private static func frame(_ kind: UInt8, _ body: (inout ByteBuffer) -> Void) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(kind)
        buffer.writeInteger(UInt16(0))
        body(&buffer)
        buffer.setInteger(UInt16(buffer.readableBytes - headerLength), at: 1)
        return buffer
    }

    fileprivate init(kind: UInt8, _ body: ByteBuffer) throws(SoakError) {
        var body = body
        let length = body.readableBytes
        switch kind {
        case 0 where length == 4: self = .hello(stream: Int(body.readInteger(as: UInt32.self) ?? 0))
        case 1 where length > 0: self = .data(body)
        case 2 where length == 4: self = .moved(Int(body.readInteger(as: UInt32.self) ?? 0))
        case 3 where length == 40:
            self = .end(bytes: body.readInteger() ?? 0, digest: body.readBytes(length: 32) ?? [])
        default: throw .malformedFrame(kind: kind, length: length)
        }
    }
}

/// Cuts what arrives into frames.
struct SoakFrameReader {
    private var waiting = ByteBuffer()

    /// Whether nothing of a frame waits for its rest.
    var isEmpty: Bool { waiting.readableBytes == 0 }

    mutating func append(_ bytes: ByteBuffer) {
        if isEmpty { waiting = bytes } else { waiting.writeImmutableBuffer(bytes) }
    }

    /// The next frame; nil when it isn't whole yet.
    mutating func next() throws(SoakError) -> SoakFrame? {
        guard let kind = waiting.getInteger(at: waiting.readerIndex, as: UInt8.self),
            let length = waiting.getInteger(at: waiting.readerIndex + 1, as: UInt16.self),
            waiting.readableBytes >= SoakFrame.headerLength + Int(length)
        else { return nil }
        waiting.moveReaderIndex(forwardBy: SoakFrame.headerLength)
        let frame = try SoakFrame(kind: kind, waiting.readSlice(length: Int(length)) ?? ByteBuffer())
        // What is read up keeps no memory.
        if isEmpty { waiting = ByteBuffer() } else { waiting.discardReadBytes() }
        return frame
    }
}
