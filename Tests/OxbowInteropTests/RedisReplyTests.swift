import NIOCore
import Testing

@testable import OxbowInterop

@Suite struct RedisReplyTests {
    private static func read(_ pieces: [String]) throws -> [RedisReply] {
        var reader = RedisReplyReader()
        var replies: [RedisReply] = []
        for piece in pieces {
            var bytes = ByteBuffer(string: piece)
            reader.receive(&bytes)
            while let reply = try reader.next() { replies.append(reply) }
        }
        return replies
    }

    private static let whole: [(String, RedisReply)] = [
        ("+OK\r\n", .text("OK")), ("+\r\n", .text("")), ("-ERR no\r\n", .error("ERR no")), (":-7\r\n", .integer(-7)),
        ("$-1\r\n", .bulk(nil)), ("$0\r\n\r\n", .bulk([])), ("$4\r\na\r\nb\r\n", .bulk(Array("a\r\nb".utf8))),
        ("*-1\r\n", .array(nil)), ("*0\r\n", .array([])),
        ("*2\r\n$1\r\nk\r\n*1\r\n:3\r\n", .array([.bulk([0x6B]), .array([.integer(3)])])),
    ]

    @Test(arguments: whole)
    func repliesAreRead(_ bytes: String, _ reply: RedisReply) throws {
        #expect(try Self.read([bytes]) == [reply])
    }

    @Test(arguments: whole)
    func theBytesMayComeInAnyPieces(_ bytes: String, _ reply: RedisReply) throws {
        let scalars = bytes.unicodeScalars.map { String($0) }
        #expect(try Self.read(scalars) == [reply])
        for cut in 1..<scalars.count {
            #expect(try Self.read([scalars[..<cut].joined(), scalars[cut...].joined()]) == [reply])
        }
    }

    @Test func oneReadMayHoldSeveralReplies() throws {
        let all = Self.whole.map(\.0).joined()
        #expect(try Self.read([all]) == Self.whole.map(\.1))
    }

    @Test(arguments: [
        "x\r\n", "\r\n", ":1\n", "+OK\n", ":\r\n", ":1x\r\n", "$-2\r\n", "$x\r\n", "$2\r\nabc\r\n", "$2\r\nab\n\r",
        "*-2\r\n", ":9223372036854775808\r\n", "*1\r\nx\r\n",
    ])
    func whatIsNoReplyIsAnError(_ bytes: String) {
        #expect(throws: RedisProtocolError.self) { try Self.read([bytes]) }
    }

    @Test func lengthsAreBoundedBeforeAnythingIsKept() {
        let deep = String(repeating: "*1\r\n", count: RedisReplyReader.maximumDepth + 1)
        let endless = "+" + String(repeating: "a", count: RedisReplyReader.maximumLine + 1)
        let value = String(repeating: "a", count: RedisReplyReader.maximumBulk)
        let many = "*64\r\n" + String(repeating: "$\(value.count)\r\n\(value)\r\n", count: 3)
        for bytes in [
            "$\(RedisReplyReader.maximumBulk + 1)\r\n", "$\(Int64.max)\r\n",
            "*\(RedisReplyReader.maximumElements + 1)\r\n",
            "*\(Int64.max)\r\n", deep, endless, many,
        ] {
            do {
                let replies = try Self.read([bytes])
                Issue.record("\(bytes.prefix(12))… gave \(replies)")
            } catch {
                guard case RedisProtocolError.tooLarge = error else {
                    Issue.record("\(bytes.prefix(12))… gave \(error)")
                    continue
                }
            }
        }
    }

    @Test func theLongestValueIsTaken() throws {
        let value = String(repeating: "a", count: RedisReplyReader.maximumBulk)
        #expect(try Self.read(["$\(value.count)\r\n", value, "\r\n"]).first?.string == value)
    }

    @Test func commandsAreArraysOfStrings() {
        var bytes = ByteBuffer()
        bytes.writeRedisCommand(["SET", "kö", ""])
        #expect(String(buffer: bytes) == "*3\r\n$3\r\nSET\r\n$3\r\nkö\r\n$0\r\n\r\n")
    }

    @Test(arguments: [
        ("redis", "redis", 6_379), ("redis:1", "redis", 1), ("127.0.0.1:65535", "127.0.0.1", 65_535),
        ("[::1]", "::1", 6_379),
        ("[::1]:7", "::1", 7),
    ])
    func addresses(_ text: String, _ host: String, _ port: Int) {
        #expect(RedisAddress(text) == RedisAddress(host: host, port: port))
    }

    @Test(arguments: ["", ":1", "redis:", "redis:0", "redis:65536", "redis:x", "::1", "[::1]x", "[]:1", "a b:1"])
    func whatIsNoAddress(_ text: String) {
        #expect(RedisAddress(text) == nil)
    }
}
