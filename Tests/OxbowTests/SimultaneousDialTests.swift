import NIOCore
import Oxbow
import OxbowTesting
import Testing

@Suite("Simultaneous dials on sockets")
struct SimultaneousDialTests {
    private static let echo: ProtocolID = "/echo/1.0.0"

    @Test("100 times on loopback: one connection is left, and every stream that lived meanwhile is whole")
    func loopback() async throws {
        for round in 0..<100 {
            let identities = round.isMultiple(of: 2) ? [0, 1] : [1, 0]
            try await withHost(identity: FixedKeys.all[identities[0]], configuration: Self.configuration) { left in
                try await withHost(identity: FixedKeys.all[identities[1]], configuration: Self.configuration) { right in
                    try await Self.meet(left, right)
                }
            }
        }
    }

    private static var configuration: HostConfiguration {
        var configuration = HostConfiguration(listenAddresses: [])
        // Long enough that streams of the round are there, short enough for a hundred rounds.
        configuration.swarm.policy.duplicateGrace = .milliseconds(50)
        configuration.swarm.policy.pruneGrace = .milliseconds(20)
        configuration.swarm.connection.retirementPause = .milliseconds(20)
        return configuration
    }

    private static func meet(_ left: OxbowHost, _ right: OxbowHost) async throws {
        for host in [left, right] {
            try await host.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0"))
            host.handle(echo) { stream in
                for try await bytes in stream.inbound { try await stream.outbound.write(bytes) }
            }
        }
        async let there = left.connect(to: right.id, at: right.listenAddresses)
        async let here = right.connect(to: left.id, at: left.listenAddresses)
        let peers = try await [there, here]
        // Each side streams until the other connection is gone, and a while longer.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for peer in peers {
                for _ in 0..<2 {
                    group.addTask {
                        try await stream(to: peer, until: { peers.allSatisfy { $0.connections.count == 1 } })
                    }
                }
            }
            try await group.waitForAll()
        }
        for peer in peers { #expect(peer.connections.count == 1) }
    }

    private static func stream(to peer: Peer, until isDone: @escaping @Sendable () -> Bool) async throws {
        try await peer.withStream([echo]) { stream in
            var position = 0
            repeat {
                try await stream.outbound.write(Pattern.bytes(from: position, count: 1_000))
                let back = try await stream.read(exactly: 1_000)
                #expect(back.map { Pattern.matches($0, from: position) } == true)
                position += 1_000
            } while !isDone()
            stream.outbound.finish()
            #expect(try await stream.read(exactly: 1) == nil)
        }
    }
}
