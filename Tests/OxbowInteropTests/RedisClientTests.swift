import NIOCore
import NIOPosix
import Testing

@testable import OxbowInterop

/// The client against a server that answers as it is told.
@Suite(.timeLimit(.minutes(1))) struct RedisClientTests {
    private static var soon: ContinuousClock.Instant { .now + .seconds(20) }

    @Test func aValueMayBeTextOrTheFirstOfAList() async throws {
        try await withServer(["+string\r\n", "$1\r\na\r\n", "+none\r\n", "+list\r\n", "$1\r\nb\r\n"]) { client, heard in
            let first = try await client.value(of: "k", until: Self.soon)
            let second = try await client.value(of: "k", until: Self.soon)
            #expect((first, second) == ("a", "b"))
            #expect(heard.all == ["TYPE k", "GET k", "TYPE k", "TYPE k", "LPOP k"])
        }
    }

    @Test func theOlderTestsUseLists() async throws {
        try await withServer([":1\r\n", "*2\r\n$1\r\nl\r\n$1\r\nv\r\n"]) { client, heard in
            try await client.push("v", to: "l", until: Self.soon)
            let value = try await client.pop("l", until: Self.soon)
            #expect(value == "v")
            #expect(heard.all.first == "RPUSH l v")
            #expect(heard.all.last?.hasPrefix("BLPOP l ") == true)
        }
    }

    @Test func waitingInVainIsAnError() async throws {
        try await withServer(["*-1\r\n"]) { client, _ in
            await #expect { try await client.pop("l", until: Self.soon) } throws: { error in
                if case RedisError.timedOut = error { true } else { false }
            }
        }
    }

    @Test func theServersRefusalIsNamed() async throws {
        try await withServer(["-WRONGTYPE no list\r\n"]) { client, _ in
            await #expect { try await client.push("v", to: "l", until: Self.soon) } throws: { error in
                if case RedisError.refused("WRONGTYPE no list") = error { true } else { false }
            }
        }
    }

    @Test(arguments: ["?\r\n", "+OK\r\n+OK\r\n", "$70000\r\n"])
    func aServerThatBreaksTheProtocolIsLeft(_ answer: String) async throws {
        try await withServer([answer]) { client, _ in
            await #expect(throws: RedisError.self) {
                _ = try await client.send("A", until: Self.soon)
                _ = try await client.send("B", until: Self.soon)
            }
        }
    }

    @Test func anEndOfTheConnectionEndsTheWait() async throws {
        try await withServer([]) { client, _ in
            await #expect { try await client.send("A", until: Self.soon) } throws: { error in
                if case RedisError.closed = error { true } else { false }
            }
        }
    }

    @Test func aDeadlineEndsTheWait() async throws {
        try await withServer([""]) { client, _ in
            await #expect { try await client.send("A", until: .now + .milliseconds(50)) } throws: { error in
                if case RedisError.timedOut = error { true } else { false }
            }
        }
    }

    @Test func whereNobodyListensTheErrorSaysSo() async throws {
        await #expect {
            try await RedisClient.connect(to: RedisAddress(host: "127.0.0.1", port: 1), until: .now)
        } throws: {
            if case RedisError.unreachable = $0 { true } else { false }
        }
    }

    /// Runs `body` with a client of a server that gives one answer to each command, and closes when it has none left.
    private func withServer(
        _ answers: [String], _ body: (RedisClient, HeardCommands) async throws -> Void
    ) async throws {
        let heard = HeardCommands(answers)
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ScriptedServer(heard))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        let client = try await RedisClient.connect(to: RedisAddress(host: "127.0.0.1", port: port), until: Self.soon)
        try await body(client, heard)
        await client.close()
        try await server.close()
    }
}
