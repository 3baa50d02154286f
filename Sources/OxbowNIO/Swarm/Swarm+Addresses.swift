package import OxbowCore
import Synchronization

/// Where an address that this host announces comes from.
package enum AddressSource: Hashable, Sendable, CaseIterable {
    /// A socket that listens.
    case listener
    /// Peers see the host there, and it was found to be reachable.
    case observed
    /// A relay holds a reservation for it.
    case relay
}

// The addresses at which this host says that it can be reached.

extension Swarm {
    /// Where the host listens itself.
    package var listenAddresses: [Multiaddr] { state.withLock { $0.addresses[.listener] ?? [] } }

    /// What identify tells: everything from every source, each address once.
    package var announcedAddresses: [Multiaddr] {
        let bySource = state.withLock { $0.addresses }
        var seen: Set<Multiaddr> = []
        return AddressSource.allCases.flatMap { bySource[$0] ?? [] }.filter { seen.insert($0).inserted }
    }

    package func addListenAddresses(_ addresses: [Multiaddr]) {
        changeAddresses(of: .listener) { $0 += addresses }
    }

    /// Announces exactly these addresses of one source from now on, and tells the peers if that is a change.
    package func setAddresses(_ addresses: [Multiaddr], of source: AddressSource) {
        changeAddresses(of: source) { $0 = addresses }
    }

    private func changeAddresses(of source: AddressSource, _ change: (inout [Multiaddr]) -> Void) {
        let isChanged = state.withLock { state in
            let before = state.addresses[source] ?? []
            var after = before
            change(&after)
            state.addresses[source] = after
            return after != before
        }
        guard isChanged else { return }
        for component in components { component.announcedAddressesChanged(in: self) }
        pushIdentify()
    }
}
