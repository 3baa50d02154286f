import NIOCore

/// A reply of a Redis server in version 2 of its protocol (RESP2).
enum RedisReply: Hashable, Sendable {
    case text(String)
    case error(String)
    case integer(Int64)
    /// A string of bytes; nil when there is no value.
    case bulk([UInt8]?)
    /// nil when a blocking command waited in vain.
    case array([RedisReply]?)

    /// The value as text, whichever way the server sent it.
    var string: String? {
        switch self {
        case .text(let text): text
        case .bulk(let bytes?): String(decoding: bytes, as: UTF8.self)
        default: nil
        }
    }
}

/// Why what came from a server isn't a reply.
enum RedisProtocolError: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownType(UInt8)
    case badNumber(String)
    case badLineEnd
    /// A reply is longer, or deeper, than the tests can need.
    case tooLarge(String)

    var description: String {
        switch self {
        case .unknownType(let byte): "a reply can't begin with byte \(byte)"
        case .badNumber(let text): "'\(text)' is no number"
        case .badLineEnd: "a line doesn't end in CR LF"
        case .tooLarge(let what): "the server sends \(what)"
        }
    }
}

/// Reads replies from bytes that come in pieces.
///
/// A reply that isn't whole yet is read again from its beginning when more has come. Its length is bounded, so that this
/// stays cheap.
struct RedisReplyReader: Sendable {
    /// The bounds: a multiaddr, a peer id and a few words are all that the tests put into Redis.
    static let maximumLine = 1_024
    static let maximumBulk = 65_536
    static let maximumElements = 64
    static let maximumDepth = 4
    /// Of a whole reply.
    static let maximumReply = 131_072

    private var waiting = ByteBuffer()

    /// Takes what came.
    mutating func receive(_ bytes: inout ByteBuffer) {
        waiting.writeBuffer(&bytes)
    }

    /// The next whole reply; nil when more has to come first.
    mutating func next() throws(RedisProtocolError) -> RedisReply? {
        var rest = waiting
        guard let reply = try Self.read(&rest, depth: 0) else {
            guard waiting.readableBytes <= Self.maximumReply else {
                throw .tooLarge("a reply of more than \(Self.maximumReply) bytes")
            }
            return nil
        }
        waiting = rest
        waiting.discardReadBytes()
        return reply
    }

    private static func read(_ bytes: inout ByteBuffer, depth: Int) throws(RedisProtocolError) -> RedisReply? {
        guard depth < maximumDepth else { throw .tooLarge("arrays in arrays, deeper than \(maximumDepth)") }
        guard let type: UInt8 = bytes.readInteger() else { return nil }
        guard isKnown(type) else { throw .unknownType(type) }
        guard let line = try readLine(&bytes) else { return nil }
        switch type {
        case UInt8(ascii: "+"): return .text(line)
        case UInt8(ascii: "-"): return .error(line)
        case UInt8(ascii: ":"): return .integer(try number(line))
        case UInt8(ascii: "$"): return try readBulk(&bytes, length: number(line))
        default: return try readArray(&bytes, count: number(line), depth: depth)
        }
    }

    private static func isKnown(_ type: UInt8) -> Bool {
        switch type {
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "$"), UInt8(ascii: "*"): true
        default: false
        }
    }

    private static func readLine(_ bytes: inout ByteBuffer) throws(RedisProtocolError) -> String? {
        let view = bytes.readableBytesView.prefix(maximumLine)
        guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else {
            guard bytes.readableBytes < maximumLine else { throw .tooLarge("a line of more than \(maximumLine) bytes") }
            return nil
        }
        let line = view[..<end]
        guard line.last == UInt8(ascii: "\r") else { throw .badLineEnd }
        let text = String(decoding: line.dropLast(), as: UTF8.self)
        bytes.moveReaderIndex(forwardBy: line.count + 1)
        return text
    }

    private static func number(_ text: String) throws(RedisProtocolError) -> Int64 {
        guard let value = Int64(text) else { throw .badNumber(text) }
        return value
    }

    private static func readBulk(
        _ bytes: inout ByteBuffer, length: Int64
    ) throws(RedisProtocolError) -> RedisReply? {
        guard length != -1 else { return .bulk(nil) }
        guard length >= 0 else { throw .badNumber("\(length)") }
        guard length <= Int64(maximumBulk) else { throw .tooLarge("a value of \(length) bytes") }
        guard bytes.readableBytes >= Int(length) + 2, let value = bytes.readBytes(length: Int(length)),
            let end: UInt16 = bytes.readInteger()
        else { return nil }
        guard end == 0x0D0A else { throw .badLineEnd }
        return .bulk(value)
    }

    private static func readArray(
        _ bytes: inout ByteBuffer, count: Int64, depth: Int
    ) throws(RedisProtocolError) -> RedisReply? {
        guard count != -1 else { return .array(nil) }
        guard count >= 0 else { throw .badNumber("\(count)") }
        guard count <= Int64(maximumElements) else { throw .tooLarge("an array of \(count) elements") }
        var elements: [RedisReply] = []
        for _ in 0..<count {
            guard let element = try read(&bytes, depth: depth + 1) else { return nil }
            elements.append(element)
        }
        return .array(elements)
    }
}

extension ByteBuffer {
    /// Appends a command: an array of strings.
    mutating func writeRedisCommand(_ words: [String]) {
        writeString("*\(words.count)\r\n")
        for word in words { writeString("$\(word.utf8.count)\r\n\(word)\r\n") }
    }
}
