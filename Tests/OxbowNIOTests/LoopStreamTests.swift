import NIOCore
import OxbowCore
import OxbowTesting
import Testing

@testable import OxbowNIO

/// Streams that are read by callbacks on a loop.
@Suite struct LoopStreamTests {
    // Isolation: the test's thread, on which its virtual loop runs.
    private final class Reading: @unchecked Sendable {
        var stream: LogicalStream?
        var received = 0
        var pausesAfterEach = false
        var hasEnded = false
        var failure: StreamError?
        var loopStream: LoopStream?

        func start(on world: SimulatedWorld) {
            guard let stream else { return }
            let loopStream = LoopStream(stream, on: world.loop)
            self.loopStream = loopStream
            loopStream.start(within: nil) { [self] event in
                switch event {
                case .bytes(let buffer):
                    received += buffer.readableBytes
                    if pausesAfterEach { loopStream.pause() }
                case .end: hasEnded = true
                case .failed(let error): failure = error
                }
            }
        }
    }

    /// A stream on which the peer writes `count` bytes and ends; nobody reads it yet.
    private func scene(_ count: Int, _ body: (SimulatedWorld, SimulatedStream, Reading) -> Void) {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        let reading = Reading()
        right.swarm.setHandler(bulk) { stream, _ in reading.stream = stream }
        let link = world.connect(left, right, delay: .milliseconds(1))
        let writer = left.open(bulk, to: right, on: link)
        writer.send(count, chunk: 50_000, each: .milliseconds(1))
        world.run(for: .seconds(1))
        body(world, writer, reading)
        world.expectNothingLeft()
    }

    @Test("Bytes and the end are there before anybody reads: the window goes back once")
    func readsLate() {
        scene(1_000) { world, writer, reading in
            reading.start(on: world)
            #expect(reading.received == 1_000 && reading.hasEnded && reading.failure == nil)
            reading.stream?.closeWrite()
            world.expect { writer.end == .clean }
        }
    }

    @Test("A pause holds the sender back by its window; then all comes")
    func pauses() {
        scene(600_000) { world, writer, reading in
            reading.pausesAfterEach = true
            reading.start(on: world)
            let first = reading.received
            #expect(first > 250_000 && first <= 256 * 1_024, "the window, without the negotiation's bytes")
            world.run(for: .seconds(5))
            #expect(reading.received == first && writer.sent == 600_000)
            reading.loopStream?.resume()
            world.run(for: .seconds(1))
            #expect(reading.received > first && reading.received < 600_000)
            reading.pausesAfterEach = false
            reading.loopStream?.resume()
            world.expect { reading.hasEnded }
            #expect(reading.received == 600_000)
            reading.stream?.closeWrite()
            world.expect { writer.end == .clean }
        }
    }
}
