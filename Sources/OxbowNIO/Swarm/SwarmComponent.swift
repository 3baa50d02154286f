import OxbowCore
import OxbowProtocols

/// A part of a swarm that looks after one thing by itself: relaying, hole punching, reachability, where streams live.
///
/// Calls about a connection come on that connection's event loop, outside of every lock, in the order in which things
/// happened to it; the others on any thread. A component keeps no strong reference to its swarm.
protocol SwarmComponent: AnyObject, Sendable {
    /// Registers the protocols that the component serves. Called once, before any connection is there.
    func register(in swarm: Swarm)
    /// The host runs: what a component does on its own account begins.
    func started(in swarm: Swarm)
    /// A connection stands: its peer is authenticated, and is asked to identify itself.
    func connectionOpened(_ connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm)
    /// A connection that had stood is over, and not among the peer's any more.
    func connectionClosed(_ connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm)
    /// identify has told about a peer on a new connection; nil when it told nothing.
    func identified(_ peer: PeerState, _ info: IdentifyInfo?, on connection: ConnectionDriver, in swarm: Swarm)
    /// A push has told about a peer.
    func identifyChanged(_ peer: PeerState, _ info: IdentifyInfo, on connection: ConnectionDriver, in swarm: Swarm)
    /// The round trip of a connection was measured.
    func measured(_ roundTrip: Duration, of connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm)
    /// The addresses that this host announces have changed.
    func announcedAddressesChanged(in swarm: Swarm)
    /// The swarm closes: what waits or repeats ends now.
    func close(in swarm: Swarm)
}

extension SwarmComponent {
    func register(in swarm: Swarm) {}
    func started(in swarm: Swarm) {}
    func connectionOpened(_ connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm) {}
    func connectionClosed(_ connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm) {}
    func identified(_ peer: PeerState, _ info: IdentifyInfo?, on connection: ConnectionDriver, in swarm: Swarm) {}
    func identifyChanged(_ peer: PeerState, _ info: IdentifyInfo, on connection: ConnectionDriver, in swarm: Swarm) {}
    func measured(_ roundTrip: Duration, of connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm) {}
    func announcedAddressesChanged(in swarm: Swarm) {}
    func close(in swarm: Swarm) {}
}
