public import OxbowCore
import OxbowNIO
public import OxbowSwarm

/// What a host knows of peers: where they are, what they told, which records they signed. Bounded by
/// `SwarmConfiguration.peerStore`; addresses expire, unless the application put them there.
///
/// Isolation: everything may be called from any task; nothing waits.
public struct PeerStore: Sendable {
    let book: PeerBook

    /// Remembers addresses of a peer for good, until ``forget(_:)``.
    ///
    /// - Parameter addresses: with the peer's id behind or without; those that name another peer are left out.
    /// - Returns: whether there was room.
    @discardableResult
    public func add(_ addresses: [Multiaddr], of peer: PeerID) -> Bool {
        book.add(addresses, of: peer, origin: .configuration)
    }

    /// Remembers addresses of a peer for some time.
    ///
    /// - Parameter lifetime: how long, at most `AddressBookConfiguration.proven`.
    @discardableResult
    public func add(_ addresses: [Multiaddr], of peer: PeerID, for lifetime: Duration) -> Bool {
        book.add(addresses, of: peer, origin: .given, lifetime: lifetime)
    }

    /// What is known of a peer; nil when that is nothing.
    public subscript(peer: PeerID) -> KnownPeer? { book.peer(peer) }

    /// The addresses of a peer that are valid now, the most trusted first, each with its id behind.
    public func addresses(of peer: PeerID) -> [Multiaddr] {
        (book.peer(peer)?.addresses ?? []).compactMap { try? $0.address.appending(peer: peer) }
    }

    /// The peers that are known.
    public var peers: [PeerID] { book.peers }

    /// Forgets a peer. A connection with it stays, and what it tells later is remembered again.
    public func forget(_ peer: PeerID) {
        book.forget(peer)
    }
}
