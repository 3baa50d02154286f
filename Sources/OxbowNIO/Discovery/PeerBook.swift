package import OxbowCore
import OxbowCrypto
import OxbowProtocols
package import OxbowSwarm
import Synchronization

/// What a swarm knows of peers and of dials that failed, for every thread: an ``AddressBook`` and a ``BackOff`` that
/// share a lock and a clock.
package final class PeerBook: SwarmComponent {
    private let state: Mutex<State>
    private let now: @Sendable () -> Instant
    private let unixTime: @Sendable () -> Int64
    /// Called, outside of the lock, when there is something for storage that wasn't there before.
    private let onChange = Mutex<(@Sendable () -> Void)?>(nil)

    private struct State {
        var book: AddressBook
        var backOff: BackOff
        /// Peers whose change storage couldn't take.
        var unsaved: Set<PeerID> = []
    }

    init(
        _ configuration: SwarmConfiguration, unixTime: @escaping @Sendable () -> Int64,
        now: @escaping @Sendable () -> Instant
    ) {
        state = Mutex(
            State(
                book: AddressBook(configuration: configuration.peerStore),
                backOff: BackOff(configuration: configuration.dialing.backOff)))
        self.unixTime = unixTime
        self.now = now
    }

    private func change<Value>(_ body: (inout State, Instant) -> sending Value) -> Value {
        let now = now()
        let value = state.withLock { body(&$0, now) }
        onChange.withLock { $0 }?()
        return value
    }

    // MARK: The application

    /// - Returns: whether there is room for the peer.
    @discardableResult
    package func add(
        _ addresses: [Multiaddr], of peer: PeerID, origin: AddressOrigin, lifetime: Duration? = nil
    ) -> Bool {
        change { $0.book.add(addresses, of: peer, origin: origin, lifetime: lifetime, at: $1) }
    }

    package func peer(_ id: PeerID) -> KnownPeer? {
        let now = now()
        return state.withLock { $0.book.peer(id, at: now) }
    }

    package var peers: [PeerID] { state.withLock { $0.book.peers } }

    package func forget(_ peer: PeerID) {
        change { state, _ in
            state.book.forget(peer)
            state.backOff.succeeded(.peer(peer))
        }
    }

    package var currentTime: Instant { now() }

    // MARK: Dials

    func backOff(of peer: PeerID) -> Duration? {
        let now = now()
        return state.withLock { $0.backOff.remaining(.peer(peer), at: now) }
    }

    func candidates(for peer: PeerID) -> [DialCandidate] {
        let now = now()
        return state.withLock { state in
            state.book.addresses(of: peer, at: now).map { known in
                DialCandidate(
                    known.address, origin: known.origin, lastSuccess: known.lastSuccess,
                    backOff: state.backOff.remaining(.address(known.address, of: peer), at: now))
            }
        }
    }

    func dialSucceeded(_ address: Multiaddr, of peer: PeerID) {
        change { state, now in
            state.book.succeeded(address, of: peer, at: now)
            state.backOff.succeeded(.peer(peer))
            if let bare = address.withoutPeerID { state.backOff.succeeded(.address(bare, of: peer)) }
        }
    }

    func dialFailed(_ address: Multiaddr, of peer: PeerID) {
        change { state, now in
            state.book.failed(address, of: peer, at: now)
            if let bare = address.withoutPeerID { state.backOff.failed(.address(bare, of: peer), at: now) }
        }
    }

    func dialFailed(_ peer: PeerID) {
        change { $0.backOff.failed(.peer(peer), at: $1) }
    }

    /// Keeps what the application named for a dial that led to the peer.
    func remember(_ addresses: [Multiaddr], of peer: PeerID) {
        guard !addresses.isEmpty else { return }
        add(addresses, of: peer, origin: .given)
    }

    // MARK: Connections

    func connectionOpened(_ connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm) {
        change { state, now in
            state.book.connected(peer.id, at: now)
            // It was reached, from whichever side.
            state.backOff.succeeded(.peer(peer.id))
        }
    }

    func connectionClosed(_ connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm) {
        change { $0.book.disconnected(peer.id, at: $1) }
    }

    func identified(_ peer: PeerState, _ info: IdentifyInfo?, on connection: ConnectionDriver, in swarm: Swarm) {
        if let info { learn(info, of: peer.id) }
    }

    func identifyChanged(_ peer: PeerState, _ info: IdentifyInfo, on connection: ConnectionDriver, in swarm: Swarm) {
        learn(info, of: peer.id)
    }

    private func learn(_ info: IdentifyInfo, of peer: PeerID) {
        let description = PeerDescription(
            protocols: info.protocols, agent: info.agentVersion, publicKey: info.key.protobuf)
        change { state, now in
            if let certified = info.certified {
                let record = CertifiedRecord(
                    peer: info.peer, sequence: certified.sequence, addresses: certified.addresses,
                    envelope: certified.envelope)
                state.book.certify(record, from: peer, at: now)
            }
            state.book.identified(peer, addresses: info.listenAddresses, description, at: now)
        }
    }

    // MARK: Storage

    /// Calls `body` after each change from now on; it must not block.
    package func watchChanges(_ body: @escaping @Sendable () -> Void) {
        onChange.withLock { $0 = body }
    }

    /// Takes back what storage has kept.
    package func restore(_ stored: [StoredPeer]) {
        let (now, unix) = (now(), unixTime())
        let known = stored.map { $0.known(at: now, unix: unix) }
        state.withLock { state in
            for peer in known { state.book.restore(peer, at: now) }
        }
    }

    /// What has changed since the last call, as storage takes it.
    package func takeChanges() -> (peers: [StoredPeer], forgotten: [PeerID]) {
        let (now, unix) = (now(), unixTime())
        return state.withLock { state in
            let changed = state.unsaved.union(state.book.takeChanges()).sorted()
            state.unsaved = []
            var result: (peers: [StoredPeer], forgotten: [PeerID]) = ([], [])
            for id in changed {
                if let peer = state.book.peer(id, at: now) {
                    result.peers.append(StoredPeer(peer, at: now, unix: unix))
                } else {
                    result.forgotten.append(id)
                }
            }
            return result
        }
    }

    /// Storage couldn't take them: they come again with the next batch, as they are then.
    package func notSaved(_ peers: [PeerID]) {
        state.withLock { state in
            for peer in peers where state.unsaved.count < 2 * state.book.configuration.peers {
                state.unsaved.insert(peer)
            }
        }
    }
}

extension StoredPeer {
    fileprivate init(_ known: KnownPeer, at now: Instant, unix: Int64) {
        func seconds(_ instant: Instant) -> Int64 {
            unix + (instant - now).saturatingNanoseconds / 1_000_000_000
        }
        let kept = known.addresses.filter { $0.origin != .localNetwork }.map { address in
            Address(
                address: address.address, origin: address.origin,
                // While the peer is connected its addresses have no end yet: it is as if it ended now.
                expires: address.origin == .configuration ? nil : max(unix + 3_600, seconds(address.expires)),
                lastSuccess: address.lastSuccess.map(seconds))
        }
        self.init(
            peer: known.peer, addresses: kept, protocols: known.description.protocols,
            agent: known.description.agent, publicKey: known.description.publicKey, record: known.record?.envelope)
    }

    fileprivate func known(at now: Instant, unix: Int64) -> KnownPeer {
        func instant(_ seconds: Int64) -> Instant {
            let (difference, overflow) = seconds.subtractingReportingOverflow(unix)
            guard !overflow else { return seconds < unix ? Instant(nanoseconds: .min) : .distantFuture }
            return now + .seconds(difference)
        }
        let addresses = addresses.map { address in
            KnownAddress(
                address: address.address, origin: address.origin,
                expires: address.expires.map(instant) ?? .distantFuture,
                // A success in the future is none to be ahead of others for ever.
                lastSuccess: address.lastSuccess.map { min(instant($0), now) })
        }
        // A file is no more to be trusted than a peer: a record counts only with its signature.
        let certified = record.flatMap { try? CertifiedAddresses(envelope: $0, of: peer) }
        let record = certified.map {
            CertifiedRecord(peer: peer, sequence: $0.sequence, addresses: $0.addresses, envelope: $0.envelope)
        }
        return KnownPeer(
            peer: peer, addresses: addresses,
            description: PeerDescription(protocols: protocols, agent: agent, publicKey: publicKey), record: record)
    }
}
