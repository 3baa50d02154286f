import NIOCore
import NIOEmbedded
import OxbowCore
import Testing

@testable import OxbowNIO

/// A circuit as the pipe under a connection: what it says of the room in its queue.
@Suite struct CircuitTransportTests {
    private final class Delegate: ByteTransportDelegate {
        var calls = 0

        func transport(_ transport: any ByteTransport, received buffer: ByteBuffer) {}
        func transportBecameWritable(_ transport: any ByteTransport) { calls += 1 }
        func transportClosed(_ transport: any ByteTransport, error: (any Error)?) {}
    }

    @Test("Room that was used up again before anybody was told of it is told of once more")
    func roomUsedUpAtOnce() {
        let (carrier, token, delegate) = (StubCarrier(), LegToken(rawValue: 1), Delegate())
        let limits = StreamLimits().forCircuits
        let stream = carrier.makeStream(on: token, limits: limits)
        let transport = CircuitTransport(CircuitStream(stream, on: carrier.loop), limit: nil) {}
        transport.start(delegate: delegate)
        let flood = ByteBuffer(repeating: 1, count: limits.writeHighWatermark)
        func drain() {
            while stream.takeOutbound(on: token, maximum: .max).piece != nil {}
        }
        transport.write(flood)
        #expect(!transport.isWritable)
        // The queue empties, and what arrives on the circuit makes its connection write again, in the same turn of the loop.
        drain()
        #expect(transport.isWritable)
        transport.write(flood)
        carrier.loop.run()
        #expect(!transport.isWritable && delegate.calls == 0, "there is no room to tell of")
        drain()
        carrier.loop.run()
        #expect(transport.isWritable && delegate.calls == 1)
        transport.close(discarding: true)
        carrier.loop.run()
    }
}
