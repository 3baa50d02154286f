import Oxbow
import OxbowTesting
import Testing

@Suite struct ManyStreamsTests {
    @Test("A thousand streams at once over two connections, more than the backlog of 256 opened at a time")
    func thousand() async throws {
        let unlimited: (inout HostConfiguration) -> Void = { $0.swarm.limits.resources = .unlimited }
        try await HostTests.withPair("/memory/0", configure: unlimited) { left, right, addresses in
            let peer = try await left.connect(to: right.id, at: addresses)
            _ = try await left.connectAgain(to: right.id, at: addresses)
            let connections = peer.connections
            let echoed = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<1_000 {
                    group.addTask {
                        try await peer.withStream([HostTests.echo], on: connections[number % 2]) { stream in
                            let bytes = Pattern.bytes(from: number, count: 1_000)
                            try await stream.outbound.write(bytes)
                            stream.outbound.finish()
                            var back = ByteBuffer()
                            for try await piece in stream.inbound { back.writeImmutableBuffer(piece) }
                            return back == bytes ? 1 : 0
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(echoed == 1_000)
            try await eventually { left.census.streams == 0 && right.census.streams == 0 }
            #expect(left.census.labels == 0 && right.census.labels == 0)
        }
    }

    @Test("A reader that stands still stops the writer; bounded at both ends")
    func backPressure() async throws {
        try await HostTests.withPair("/memory/0") { left, right, addresses in
            let gate = AsyncStream<Void>.makeStream()
            right.handle("/slow/1.0.0") { stream in
                for await _ in gate.stream { break }
                var count = 0
                for try await piece in stream.inbound { count += piece.readableBytes }
                try await stream.outbound.write(ByteBuffer(integer: UInt64(count)))
            }
            let peer = try await left.connect(to: right.id, at: addresses)
            try await peer.withStream(["/slow/1.0.0"]) { stream in
                let piece = ByteBuffer(repeating: 7, count: 65_536)
                var written = 0
                // The peer's window and this side's queue up to its high watermark; then nothing moves any more.
                let bound = 256 * 1_024 + StreamLimits().writeHighWatermark
                try await eventually {
                    while (try? stream.outbound.tryWrite(piece)) == true { written += piece.readableBytes }
                    return written >= bound
                }
                #expect(try !stream.outbound.tryWrite(piece))
                #expect(written < bound + piece.readableBytes)
                gate.continuation.yield()
                for _ in 0..<10 { try await stream.outbound.write(piece) }
                stream.outbound.finish()
                let count = try await stream.read(exactly: 8)?.getInteger(at: 0, as: UInt64.self)
                #expect(count == UInt64(written + 10 * 65_536))
            }
        }
    }

    @Test("A task that is cancelled while it reads or writes gets an error, and the stream is unharmed")
    func cancelled() async throws {
        try await HostTests.withPair("/memory/0") { left, right, addresses in
            _ = try await left.connect(to: right.id, at: addresses)
            let stream = try await left.open(to: right.id, [HostTests.echo])
            let reader = Task { try await stream.read(exactly: 1) }
            for _ in 0..<100 { await Task.yield() }
            reader.cancel()
            await #expect(throws: StreamError.cancelled) { try await reader.value }
            try await stream.outbound.write([9])
            #expect(try await stream.read(exactly: 1) == ByteBuffer(bytes: [9]))
            stream.close()
        }
    }
}
