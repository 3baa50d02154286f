import NIOCore
import OxbowCore

extension Swarm {
    /// What finds peers, as configured.
    static func discoveryComponents(
        _ configuration: SwarmConfiguration, localPeer: PeerID, group: any EventLoopGroup
    ) -> [any SwarmComponent] {
        let discovery = configuration.discovery
        var components: [any SwarmComponent] = []
        let bootstrap = discovery.bootstrap.filter { $0.peerID != localPeer }
        if !bootstrap.isEmpty { components.append(BootstrapComponent(bootstrap, configuration)) }
        if let local = discovery.localNetwork {
            components.append(LocalDiscoveryComponent(local, bus: discovery.multicast, on: group.next()))
        }
        return components
    }
}
