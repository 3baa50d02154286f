import Oxbow
import Testing

/// One stream, bulk data both ways, moved by both sides in turn.
@Suite struct BothWaysTests {
    /// Sends 64-bit counters; how they are cut into buffers varies.
    static func send(_ count: Int, on stream: Oxbow.Stream) async throws {
        var next: UInt64 = 0
        let words = UInt64(count / 8)
        while next < words {
            let size = min(words - next, 1 + (next &* 2_654_435_761) % 20_000)
            var buffer = ByteBuffer()
            for word in next..<(next + size) { buffer.writeInteger(word) }
            next += size
            try await stream.outbound.write(buffer)
        }
        stream.outbound.finish()
    }

    static func receive(on stream: Oxbow.Stream, side: String, progress: (Int) async throws -> Void) async throws -> Int
    {
        var rest = ByteBuffer()
        var expected: UInt64 = 0
        for try await piece in stream.inbound {
            rest.writeImmutableBuffer(piece)
            while let word = rest.readInteger(as: UInt64.self) {
                if word != expected {
                    Issue.record(
                        "\(side): word \(expected) is \(word), off by \(Int64(bitPattern: word &- expected)); \(stream.migrationCount) moves"
                    )
                    throw StreamError.cancelled
                }
                expected += 1
            }
            rest.discardReadBytes()
            try await progress(Int(expected) * 8)
        }
        return Int(expected) * 8
    }

    @Test(arguments: 0..<10)
    func bytesKeepTheirOrder(_ round: Int) async throws {
        let count = 32 << 20
        let identities = try (0..<2).map { _ in try PrivateKey.generate(.ed25519) }
        try await withHost(identity: identities[0]) { a in
            try await withHost(identity: identities[1]) { b in
                let addresses = try await b.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0"))
                let (done, finished) = AsyncStream<Int>.makeStream()
                b.handle("/both/1.0.0") { stream in
                    async let sent: Void = Self.send(count, on: stream)
                    var due = 1
                    let peer = try #require(b.peer(a.id))
                    let received = try await Self.receive(on: stream, side: "B") { bytes in
                        guard bytes > due * count / 12, due < 12 else { return }
                        due += 1
                        guard let other = peer.connections.first(where: { $0.path != stream.connection }) else {
                            return
                        }
                        _ = try? await peer.migrate(stream, to: other)
                    }
                    try await sent
                    finished.yield(received)
                    finished.finish()
                }
                let peer = try await a.connect(to: b.id, at: addresses)
                for _ in 0..<3 { _ = try await a.connectAgain(to: b.id, at: addresses) }
                try await peer.withStream(["/both/1.0.0"]) { stream in
                    async let sent: Void = Self.send(count, on: stream)
                    var due = 1
                    let received = try await Self.receive(on: stream, side: "A") { bytes in
                        guard bytes > due * count / 12, due < 12 else { return }
                        due += 1
                        guard let other = peer.connections.last(where: { $0.path != stream.connection }) else { return }
                        _ = try? await peer.migrate(stream, to: other)
                    }
                    #expect(received == count)
                    try await sent
                    for await received in done { #expect(received == count) }
                    #expect(stream.migrationCount > 5)
                }
            }
        }
    }
}
