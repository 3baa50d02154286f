import ArgumentParser
package import Oxbow

/// Where a peer is, and who it has to be: a multiaddr that ends in `/p2p/ID`.
package struct PeerAddress: Sendable, Hashable {
    package let peer: PeerID
    package let address: Multiaddr

    package init(_ address: Multiaddr, peer: PeerID) {
        (self.address, self.peer) = (address, peer)
    }

    /// Reads an argument.
    package static func parse(_ text: String) throws -> PeerAddress {
        let address = try Multiaddr.parse(text)
        guard let peer = address.peerID, !address.isRelayed || address.components.last.map(isPeer) == true else {
            throw ValidationError(
                "'\(text)' doesn't say who is there: an address ends in /p2p/ID, as listening commands print it")
        }
        return PeerAddress(address, peer: peer)
    }

    private static func isPeer(_ component: Multiaddr.Component) -> Bool {
        if case .p2p = component { true } else { false }
    }

    /// The one peer that all `addresses` lead to.
    package static func commonPeer(of addresses: [PeerAddress]) throws -> PeerID {
        guard let first = addresses.first else { throw ValidationError("an address of the peer is missing") }
        guard let other = addresses.first(where: { $0.peer != first.peer }) else { return first.peer }
        throw ValidationError("the addresses lead to different peers: \(first.peer) and \(other.peer)")
    }
}

extension Multiaddr {
    /// Reads an argument.
    package static func parse(_ text: String) throws -> Multiaddr {
        do {
            return try Multiaddr(text)
        } catch {
            throw ValidationError("'\(text)' is no multiaddr, such as /ip4/127.0.0.1/tcp/4001: \(error)")
        }
    }
}
