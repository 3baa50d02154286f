import NIOCore
import OxbowCore
import OxbowSecurity
import OxbowSwarm
import OxbowTesting
import Testing

@testable import OxbowNIO

extension SimulatedHost {
    /// Tells of what limits refused, in the order in which it was told.
    var refusals: [(refusal: ResourceRefusal, count: Int)] {
        events.compactMap { if case .refused(let refusal, let count) = $0 { (refusal, count) } else { nil } }
    }

    /// How many connections of others were told to have failed.
    var inboundFailures: Int {
        events.count { if case .inboundFailed = $0 { true } else { false } }
    }
}

extension SimulatedWorld {
    /// A socket that somebody at `address` opens to `host` and on which nothing is said.
    ///
    /// - Returns: the host's end of it.
    func openSilently(_ host: SimulatedHost, from address: String) throws -> MemoryTransport {
        let (_, far) = pipe(MemoryLink(delay: .milliseconds(1)))
        host.swarm.adopt(far, role: .listener, remoteAddress: try Multiaddr("\(address)/tcp/4001"))
        return far
    }

    /// A peer at `address` that dials `host` and does all that is right.
    func connectRaw(_ key: Int, at address: String, to host: SimulatedHost) throws -> RawPeer {
        let (near, far) = pipe(MemoryLink(delay: .milliseconds(1)))
        host.swarm.adopt(far, role: .listener, remoteAddress: try Multiaddr("\(address)/tcp/4001"))
        let peer = try RawPeer(identity: FixedKeys.all[key], role: .initiator, transport: near)
        peer.identifies = []
        near.start(delegate: peer)
        run(for: .milliseconds(50))
        return peer
    }
}
