import Foundation
import Oxbow
import OxbowTesting
import Testing

/// Multicast DNS on real sockets: needs an interface with multicast and a private address, which not every machine has,
/// so it runs when it is asked for: `OXBOW_MULTICAST=1`.
@Suite(
    .enabled(if: ProcessInfo.processInfo.environment["OXBOW_MULTICAST"] != nil), .timeLimit(.minutes(1)))
struct MulticastTests {
    @Test("Two hosts on one network find and connect to each other")
    func finds() async throws {
        var configuration = HostConfiguration(listenAddresses: [
            try Multiaddr("/ip4/0.0.0.0/tcp/0"), try Multiaddr("/ip6/::/tcp/0"),
        ])
        configuration.discovery.localNetwork = LocalNetworkDiscovery()
        try await withHost(identity: FixedKeys.all[0], configuration: configuration) { left in
            let events = left.events()
            configuration.discovery.localNetwork?.isConnecting = true
            try await withHost(identity: FixedKeys.all[1], configuration: configuration) { right in
                for await event in events {
                    if case .peerDiscovered(right.id, let addresses) = event {
                        #expect(addresses.allSatisfy { !$0.isLoopback })
                        break
                    }
                }
                _ = try await left.connect(to: right.id)
            }
        }
    }
}
