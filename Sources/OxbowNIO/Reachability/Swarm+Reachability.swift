package import OxbowCore
import OxbowProtocols
package import OxbowSwarm
import Synchronization

// What a swarm knows of where it can be reached.

extension Swarm {
    var reachabilityService: ReachabilityService? {
        components.lazy.compactMap { $0 as? ReachabilityService }.first
    }

    /// Whether this host can be reached from outside.
    package var reachability: HostReachability {
        reachabilityService?.state.withLock { $0.host } ?? .unknown
    }

    /// What is known of the NAT in front of this host.
    package var natMapping: NATMapping {
        reachabilityService?.state.withLock { $0.mapping } ?? .unknown
    }

    /// The addresses at which servers of AutoNAT have reached this host.
    package var reachableAddresses: [Multiaddr] {
        reachabilityService?.state.withLock { $0.tracker.reachable } ?? []
    }

    /// Where a peer should knock to punch a hole, the best guess first: what was reached from outside, what peers agree on,
    /// what the host announces itself, and what any peer has said. Which of them are sent is for the policy of hole
    /// punching to say.
    package var holePunchAddresses: [Multiaddr] {
        let announced = announcedAddresses.filter { !$0.isRelayed }
        guard let service = reachabilityService else { return announced }
        let all = service.state.withLock { state in
            state.tracker.reachable + state.observed.confirmed + announced + state.observed.guesses()
        }
        var seen: Set<Multiaddr> = []
        return all.filter { seen.insert($0).inserted }
    }
}
