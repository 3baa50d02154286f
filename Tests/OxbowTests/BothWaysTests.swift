import Oxbow
import OxbowSeeds
import OxbowTesting
import Testing

/// One stream, bulk data both ways, moved by both sides in turn.
@Suite struct BothWaysTests {
    /// Sends the pattern; how it is cut into buffers varies.
    static func send(_ count: Int, on stream: Oxbow.Stream) async throws {
        var sizes = SplitMix64(seed: 7)
        var next = 0
        while next < count {
            let size = min(count - next, Int.random(in: 1...160_000, using: &sizes))
            try await stream.outbound.write(Pattern.bytes(from: next, count: size))
            next += size
        }
        stream.outbound.finish()
    }

    static func receive(on stream: Oxbow.Stream, side: String, progress: (Int) async throws -> Void) async throws -> Int
    {
        var count = 0
        for try await piece in stream.inbound {
            guard Pattern.matches(piece, from: count) else {
                Issue.record("\(side): wrong bytes behind \(count), after \(stream.migrationCount) moves")
                throw StreamError.cancelled
            }
            count += piece.readableBytes
            try await progress(count)
        }
        return count
    }

    @Test(arguments: 0..<10)
    func bytesKeepTheirOrder(_ round: Int) async throws {
        let count = 8 << 20
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
