import Oxbow
import Testing

/// What a peer reads when a connection is closed while a stream still has bytes to send.
@Suite struct ClosingTests {
    /// The peer doesn't read, so its window fills; the closing side gives up after its close timeout with bytes and the
    /// end of the stream still queued. An end without these bytes would be a false one.
    @Test func anEndIsNeverSentWithoutTheBytesBeforeIt() async throws {
        var configuration = HostConfiguration()
        configuration.swarm.connection.closeTimeout = .milliseconds(100)
        configuration.swarm.stream.writeHighWatermark = 2 << 20
        let (left, right) = (try PrivateKey.generate(.ed25519), try PrivateKey.generate(.ed25519))
        let outcome = AsyncStream<String>.makeStream()
        let closed = AsyncStream<Void>.makeStream()
        try await withHost(identity: left, configuration: configuration) { left in
            try await withHost(identity: right, configuration: configuration) { right in
                let addresses = try await right.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0"))
                right.handle("/slow/1.0.0") { stream in
                    for await _ in closed.stream { break }
                    var count = 0
                    do {
                        for try await bytes in stream.inbound { count += bytes.readableBytes }
                        outcome.continuation.yield("a clean end after \(count) bytes")
                    } catch {
                        outcome.continuation.yield("an error")
                    }
                }
                let peer = try await left.connect(to: right.id, at: addresses)
                let stream = try await left.open(to: right.id, ["/slow/1.0.0"])
                let events = left.events()
                try await stream.outbound.write(ByteBuffer(repeating: 7, count: 1 << 20))
                stream.outbound.finish()
                for connection in peer.connections { connection.close() }
                for await event in events { if case .connectionClosed = event { break } }
                closed.continuation.yield(())
                for await text in outcome.stream {
                    #expect(text == "an error")
                    break
                }
            }
        }
    }
}
