import NIOCore
import OxbowCore
import OxbowNIO
import OxbowTesting
import Testing

/// What a label costs, on a network in which each way takes 100 ms.
@Suite struct RoundTripTests {
    static let echo: ProtocolID = "/echo/1.0.0"

    /// When the first byte arrives at the far handler, and when its echo is back, after the open.
    private func times(isMigratable: Bool) throws -> (there: Duration, back: Duration) {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        right.serve(Self.echo) { $0.echo() }
        let link = world.connect(left, right, delay: .milliseconds(100))
        let opened = world.now
        let stream = left.open(Self.echo, to: right, on: link, isMigratable: isMigratable)
        stream.write("x")
        world.expect { stream.received.readableBytes == 1 }
        #expect((stream.logical.snapshot.id != nil) == isMigratable)
        let there = try #require(right.accepted.first?.arrivals.first).at - opened
        let back = try #require(stream.arrivals.first).at - opened
        stream.finish()
        world.expectNothingLeft()
        return (there, back)
    }

    @Test("A labelled open costs no round trip: first byte and echo arrive when those of a plain stream do")
    func labelCostsNoRoundTrip() throws {
        let plain = try times(isMigratable: false)
        let labelled = try times(isMigratable: true)
        #expect(plain.there == .milliseconds(100))
        #expect(plain.back == .milliseconds(200))
        #expect(labelled.there == plain.there)
        #expect(labelled.back == plain.back)
    }
}
