import NIOCore
import OxbowCore
import OxbowSwarm
import OxbowTesting
import Testing

@testable import OxbowNIO

/// Receive windows grow on memory that is booked, under ceilings of the host and of each peer; without it they stay, and
/// the bytes flow all the same.
@Suite struct WindowMemoryTests {
    private struct Scene {
        let world = SimulatedWorld()
        let host: SimulatedHost
        var senders: [SimulatedStream] = []
        var peak = 0
        /// By the time of the last byte.
        var ended: Duration = .zero

        /// `peers` hosts send `count` bytes each to one host, which reads them.
        init(peers: Int, count: Int, _ configure: (inout ResourceLimits) -> Void) {
            let world = world
            host = world.makeHost { configure(&$0.limits.resources) }
            host.serve(bulk)
            for _ in 0..<peers {
                let peer = world.makeHost()
                let link = world.connect(peer, host, delay: .milliseconds(40))
                let stream = peer.open(bulk, to: host, on: link)
                stream.send(count, chunk: 400_000, each: .milliseconds(4))
                senders.append(stream)
            }
            let isOver = world.run(upTo: .seconds(60)) {
                peak = max(peak, host.swarm.ledger.used(.system).memory)
                return host.accepted.count == peers && host.accepted.allSatisfy { $0.end != nil }
            }
            #expect(isOver && host.accepted.allSatisfy { $0.end == .clean && $0.received.readableBytes == count })
            ended = world.now
        }

        func end() {
            for stream in host.accepted { stream.closeWrite() }
            world.run(for: .seconds(1))
            world.expectOnlyConnections()
            // What is kept for the next stream is one step.
            let rest = host.swarm.ledger.used(.system)
            let atRest = rest.connections * ResourceLimits(memory: 0).memoryPerConnection
            #expect(rest.memory - atRest <= rest.connections << 20 + rest.streams << 20)
            world.expectNothingLeft()
        }
    }

    @Test("With memory, windows grow to what the path needs, and give it back")
    func grows() {
        let free = Scene(peers: 1, count: 24 << 20) { _ in }
        #expect(free.peak > 2 << 20 && free.peak < 64 << 20)
        let starved = Scene(peers: 1, count: 24 << 20) { $0.system.memory = 512 << 10 }
        #expect(starved.peak <= 512 << 10)
        #expect(starved.ended > free.ended + .seconds(2), "256 KiB in a round trip of 80 ms")
        #expect(starved.host.refusals.allSatisfy { $0.refusal.scope == .system && $0.refusal.resource == .memory })
        #expect(!starved.host.refusals.isEmpty)
        free.end()
        starved.end()
    }

    @Test("Many peers that want large windows stay under the host's ceiling; each gets its bytes through")
    func hostCeiling() {
        let scene = Scene(peers: 6, count: 8 << 20) { $0.system.memory = 8 << 20 }
        #expect(scene.peak <= 8 << 20 && scene.peak > 4 << 20)
        scene.end()
    }

    @Test("A peer's own ceiling is no event: its windows just stay")
    func peerCeiling() {
        let scene = Scene(peers: 2, count: 8 << 20) { $0.peer.memory = 2 << 20 }
        #expect(scene.peak <= 2 * (2 << 20) && scene.peak > 2 << 20)
        #expect(scene.host.refusals.isEmpty)
        scene.end()
    }
}
