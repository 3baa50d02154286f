import NIOCore
import Oxbow
import OxbowNIO

/// `/oxbow/file/1.0.0`, as `Specs/file-transfer.md` defines it.
enum FileTransfer {
    static let protocolID: ProtocolID = "/oxbow/file/1.0.0"
    static let maximumNameLength = 1_024
    static let maximumReasonLength = 512
    static let headerTimeout = Duration.seconds(30)
    /// Transfers that a receiver serves at once.
    static let maximumConcurrent = 8
    static let chunk = 262_144

    /// What goes before the file.
    struct Header: Hashable, Sendable {
        var name: String
        var size: UInt64

        var encoded: ByteBuffer {
            var buffer = ByteBuffer()
            let name = ByteBuffer(string: name)
            precondition((1...maximumNameLength).contains(name.readableBytes), "a name of 1 to 1,024 bytes")
            buffer.writeInteger(UInt16(name.readableBytes))
            buffer.writeImmutableBuffer(name)
            buffer.writeInteger(size)
            return buffer
        }

        /// Reads a header from the front of what the peer sends.
        static func read(from stream: OxbowStream) async throws -> Header {
            guard var prefix = try await stream.read(exactly: 2), let length: UInt16 = prefix.readInteger() else {
                throw FileTransferError.noHeader
            }
            guard (1...maximumNameLength).contains(Int(length)) else {
                throw FileTransferError.nameLength(Int(length))
            }
            let rest = try await stream.read(exactly: Int(length) + 8)
            guard var rest, let name = rest.readSlice(length: Int(length)), let size: UInt64 = rest.readInteger() else {
                throw FileTransferError.noHeader
            }
            guard size <= UInt64(Int64.max) else { throw FileTransferError.size(size) }
            return Header(name: String(buffer: name), size: size)
        }
    }

    /// What the receiver says in the end.
    enum Answer: Hashable, Sendable {
        case stored(digest: [UInt8])
        case refused(String)
        case notStored(String)
        case damaged(String)

        var encoded: ByteBuffer {
            switch self {
            case .stored(let digest): ByteBuffer(bytes: [0] + digest)
            case .refused(let reason): Self.encode(1, reason)
            case .notStored(let reason): Self.encode(2, reason)
            case .damaged(let reason): Self.encode(3, reason)
            }
        }

        private static func encode(_ verdict: UInt8, _ reason: String) -> ByteBuffer {
            ByteBuffer(bytes: [verdict] + reason.utf8.prefix(maximumReasonLength))
        }

        /// Reads all that the peer says.
        init(_ bytes: ByteBuffer) throws(FileTransferError) {
            var bytes = bytes
            guard let verdict: UInt8 = bytes.readInteger() else { throw .noAnswer }
            let rest = bytes.readBytes(length: bytes.readableBytes) ?? []
            let reason = String(decoding: rest.prefix(maximumReasonLength), as: UTF8.self)
            switch verdict {
            case 0 where rest.count == 32: self = .stored(digest: rest)
            case 1: self = .refused(reason)
            case 2: self = .notStored(reason)
            case 3: self = .damaged(reason)
            default: throw .malformedAnswer
            }
        }

        static func read(from stream: OxbowStream) async throws -> Answer {
            var bytes = ByteBuffer()
            for try await piece in stream.inbound {
                bytes.writeImmutableBuffer(piece)
                guard bytes.readableBytes <= 1 + maximumReasonLength else { throw FileTransferError.malformedAnswer }
            }
            return try Answer(bytes)
        }
    }

    /// The name under which a file from a peer may be stored: nothing in it leads out of the folder, hides the file, or
    /// makes it look like an option.
    static func safeName(_ name: String) -> String? {
        let last = name.split(omittingEmptySubsequences: false) { $0 == "/" || $0 == "\\" }.last ?? ""
        var safe = ""
        for scalar in last.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned: safe += "_"
            default: safe.unicodeScalars.append(scalar)
            }
        }
        if let first = safe.unicodeScalars.first, first == "." || first == "-" {
            safe = "_" + String(safe.unicodeScalars.dropFirst())
        }
        // The room that a file system leaves for ".part" in a name of 255 bytes, and some more.
        guard !safe.isEmpty, safe != "_", safe.utf8.count <= 240 else { return nil }
        return safe
    }
}

/// Why a transfer failed.
enum FileTransferError: Error, Hashable, Sendable, CustomStringConvertible {
    case noHeader
    case nameLength(Int)
    case size(UInt64)
    case noAnswer
    case malformedAnswer
    case refused(String)
    case notStored(String)
    case damaged(String)
    /// The file has another length now than when the transfer began.
    case fileChanged(String)
    /// The sender ended too early, or sent too much.
    case wrongLength
    case digestMismatch(sender: String, receiver: String)

    var description: String {
        switch self {
        case .noHeader: "the sender ended before it said what it sends"
        case .nameLength(let length): "the sender gives a name of \(length) bytes; 1 to 1024 are allowed"
        case .size(let size): "the sender gives a size of \(size) bytes, which no file has"
        case .noAnswer: "the receiver ended the stream without an answer; whether it has the file is unknown"
        case .malformedAnswer: "the receiver's answer can't be understood; whether it has the file is unknown"
        case .refused(let reason): "the receiver refused the file: \(reason)"
        case .notStored(let reason): "the receiver could not store the file: \(reason)"
        case .damaged(let reason): "the receiver got something else than was sent: \(reason)"
        case .fileChanged(let name): "\(name) became shorter while it was sent"
        case .wrongLength: "the sender's bytes are not as many as it said"
        case .digestMismatch(let sender, let receiver):
            "the digests differ: SHA-256 \(sender) was sent, \(receiver) was received"
        }
    }
}

/// Bytes as lower-case hexadecimal digits.
func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}
