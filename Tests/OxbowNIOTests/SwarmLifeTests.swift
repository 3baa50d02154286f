import OxbowCore
import OxbowNIO
import OxbowTesting
import Testing

/// What is left of a swarm that was closed.
@Suite struct SwarmLifeTests {
    @Test("A closed swarm is freed: nothing that it holds refers back to it")
    func isFreed() {
        weak var swarm: Swarm?
        weak var connection: ConnectionDriver?
        do {
            let world = SimulatedWorld()
            let (left, right) = (world.makeHost(), world.makeHost())
            right.serve(echo)
            let link = world.connect(left, right, delay: .milliseconds(1))
            let stream = left.open(echo, to: right, on: link)
            stream.write("hello")
            stream.closeWrite()
            world.run(for: .seconds(1))
            right.accepted.first?.closeWrite()
            world.expect { stream.end == .clean }
            (swarm, connection) = (left.swarm, link.connection(of: left))
            #expect(swarm != nil && connection != nil)
            world.expectNothingLeft()
            world.forget()
        }
        #expect(swarm == nil)
        #expect(connection == nil)
    }
}
