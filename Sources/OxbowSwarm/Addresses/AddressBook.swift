public import OxbowCore

/// What is known of peers, so that they can be dialled by their id alone: a machine.
///
/// Bounded in every direction, and fair: what a stranger says never pushes out a peer that is connected, that the
/// application named, or that was connected to; of those that may go, the one goes that was seen longest ago. A peer
/// fills nothing but its own entry.
public struct AddressBook: Sendable {
    public let configuration: AddressBookConfiguration
    private(set) var entries: [PeerID: Entry] = [:]
    /// How many of them are not proven.
    private(set) var unprovenCount = 0
    var order = EvictionOrder()
    /// Peers about which something worth keeping has changed; see ``takeChanges()``.
    var changes: Set<PeerID> = []
    private var nextSweep = Instant.zero

    struct Entry: Sendable {
        var addresses: [KnownAddress] = []
        var description = PeerDescription()
        var record: CertifiedRecord?
        var connections = 0
        /// Whether a connection stood once, or the application named the peer.
        var isProven = false
        /// The place in ``EvictionOrder`` that counts.
        var stamp: UInt64 = 0

        var isConnected: Bool { connections > 0 }
        var isPermanent: Bool { addresses.contains { $0.origin == .configuration } }
        var isProtected: Bool { isConnected || isPermanent }
    }

    public init(configuration: AddressBookConfiguration = AddressBookConfiguration()) {
        self.configuration = configuration
    }

    // MARK: Reading

    /// How many peers are known, some perhaps by expired addresses.
    public var count: Int { entries.count }

    /// The peers that are known, by id.
    public var peers: [PeerID] { entries.keys.sorted() }

    /// What is known of a peer; nil when that is nothing.
    public func peer(_ id: PeerID, at now: Instant) -> KnownPeer? {
        guard let entry = entries[id] else { return nil }
        let addresses = entry.addresses.filter { isValid($0, of: entry, at: now) }
            .enumerated().sorted { ($0.element.origin, $0.offset) < ($1.element.origin, $1.offset) }.map(\.element)
        return KnownPeer(
            peer: id, addresses: addresses, description: entry.description, record: entry.record,
            isConnected: entry.isConnected)
    }

    /// The addresses of a peer that are valid now, the most trusted first.
    public func addresses(of id: PeerID, at now: Instant) -> [KnownAddress] {
        peer(id, at: now)?.addresses ?? []
    }

    func isValid(_ known: KnownAddress, of entry: Entry, at now: Instant) -> Bool {
        // What a connected peer said, or how it was reached, holds as long as it is there. A multicast has its own time.
        (entry.isConnected && known.origin != .localNetwork) || known.expires > now
    }

    // MARK: Learning

    /// Adds addresses, or prolongs them. Those that name another peer are left out, as what exceeds a bound.
    ///
    /// - Parameter lifetime: how long they last; the origin's own time when nil, or when that is shorter. Zero takes
    ///   back what this origin said.
    /// - Returns: whether there is room for the peer.
    @discardableResult
    public mutating func add(
        _ addresses: [Multiaddr], of peer: PeerID, origin: AddressOrigin, lifetime: Duration? = nil, at now: Instant
    ) -> Bool {
        sweep(at: now)
        if let lifetime, lifetime <= .zero {
            remove(addresses, of: peer, origin: origin)
            return true
        }
        let usable = addresses.compactMap { bare($0, of: peer) }
        guard !usable.isEmpty else { return entries[peer] != nil }
        guard makeRoom(for: peer, isProven: origin <= .given) else { return false }
        let limit = configuration.lifetime(origin)
        let time = limit.map { min($0, lifetime ?? $0) } ?? lifetime
        let expires = time.map { now + $0 } ?? .distantFuture
        for address in usable.prefix(configuration.addressesPerPeer) {
            put(KnownAddress(address: address, origin: origin, expires: expires), of: peer)
        }
        touch(peer)
        return true
    }

    /// Takes what identify told on a connection of this peer's. It replaces what identify told before; while signed
    /// addresses hold, unsigned ones don't count.
    public mutating func identified(
        _ peer: PeerID, addresses: [Multiaddr], _ description: PeerDescription, at now: Instant
    ) {
        guard entries[peer]?.isConnected == true else { return }
        var kept = description
        kept.protocols = Array(kept.protocols.prefix(configuration.protocolsPerPeer))
        update(peer) { entry in
            entry.description = kept
            entry.addresses.removeAll { $0.origin == .identify }
        }
        guard entries[peer]?.record == nil else { return }
        add(addresses, of: peer, origin: .identify, at: now)
    }

    /// Takes a signed record that came on a connection with `source`. It replaces the record before it, and what that
    /// peer told unsigned. The same record again renews its addresses.
    @discardableResult
    public mutating func certify(_ record: CertifiedRecord, from source: PeerID, at now: Instant) -> RecordVerdict {
        guard record.peer == source else { return .ofAnotherPeer }
        guard let entry = entries[source], entry.isConnected else { return .notConnected }
        guard record.envelope.count <= configuration.maximumEnvelope else { return .tooLong }
        if let known = entry.record, known.sequence >= record.sequence {
            guard known == record else { return .outdated }
            // The very same again, on a later connection: its addresses, which may have had their time, hold anew.
            add(record.addresses, of: source, origin: .record, at: now)
            return .accepted
        }
        update(source) { entry in
            entry.record = record
            entry.addresses.removeAll { $0.origin == .record || $0.origin == .identify }
        }
        add(record.addresses, of: source, origin: .record, at: now)
        return .accepted
    }

    /// One more connection with the peer stands.
    public mutating func connected(_ peer: PeerID, at now: Instant) {
        sweep(at: now)
        if !makeRoom(for: peer, isProven: true) { set(peer, Entry()) }
        update(peer) { entry in
            entry.connections += 1
            entry.isProven = true
        }
    }

    /// A connection with the peer is over. Behind the last, the times of its addresses begin.
    public mutating func disconnected(_ peer: PeerID, at now: Instant) {
        guard let entry = entries[peer], entry.isConnected else { return }
        let configuration = configuration
        update(peer) { entry in
            entry.connections -= 1
            guard !entry.isConnected else { return }
            for index in entry.addresses.indices where entry.addresses[index].origin != .localNetwork {
                guard let lifetime = configuration.lifetime(entry.addresses[index].origin) else { continue }
                entry.addresses[index].expires = max(entry.addresses[index].expires, now + lifetime)
            }
        }
        touch(peer)
        if entries.count > configuration.peers { evict() }
    }

    /// A dial to `address` has led to the peer.
    public mutating func succeeded(_ address: Multiaddr, of peer: PeerID, at now: Instant) {
        guard add([address], of: peer, origin: .dialled, at: now), let bare = bare(address, of: peer) else { return }
        update(peer) { entry in
            guard let index = entry.addresses.firstIndex(where: { $0.address == bare }) else { return }
            entry.addresses[index].lastSuccess = now
        }
    }

    /// A dial to `address` has failed. That alone makes nobody known.
    public mutating func failed(_ address: Multiaddr, of peer: PeerID, at now: Instant) {
        guard let bare = bare(address, of: peer) else { return }
        update(peer, isChange: false) { entry in
            guard let index = entry.addresses.firstIndex(where: { $0.address == bare }) else { return }
            entry.addresses[index].lastFailure = now
        }
    }

    /// Takes back what storage has kept. What is known already, or has expired, stays as it is.
    public mutating func restore(_ known: KnownPeer, at now: Instant) {
        let valid = known.addresses.filter { $0.expires > now }
        guard !valid.isEmpty, makeRoom(for: known.peer, isProven: true) else { return }
        for address in valid.prefix(configuration.addressesPerPeer) {
            var address = address
            if let lifetime = configuration.lifetime(address.origin) {
                // A clock that was wrong then must not make an address immortal.
                address.expires = min(address.expires, now + lifetime)
            }
            put(address, of: known.peer, isChange: false)
        }
        update(known.peer, isChange: false) { entry in
            entry.isProven = true
            if entry.description == PeerDescription() { entry.description = known.description }
            entry.record = entry.record ?? known.record
        }
        touch(known.peer)
    }

    /// Forgets a peer: everything, or all but what its connection needs when it is connected.
    public mutating func forget(_ peer: PeerID) {
        guard let entry = entries[peer] else { return }
        changes.insert(peer)
        guard entry.isConnected else { return set(peer, nil) }
        update(peer) { entry in
            entry.addresses = []
            entry.record = nil
            entry.description = PeerDescription()
        }
    }

    /// Peers about which something worth keeping has changed since the last call, in order.
    public mutating func takeChanges() -> [PeerID] {
        defer { changes = [] }
        return changes.sorted()
    }

    // MARK: Parts

    /// The address without the peer's id; nil when it is another's, or nothing else is in it.
    private func bare(_ address: Multiaddr, of peer: PeerID) -> Multiaddr? {
        if let named = address.peerID, named != peer { return nil }
        return address.withoutPeerID
    }

    private mutating func put(_ new: KnownAddress, of peer: PeerID, isChange: Bool = true) {
        let limit = configuration.addressesPerPeer
        update(peer, isChange: isChange) { entry in
            if new.origin <= .given { entry.isProven = true }
            if let index = entry.addresses.firstIndex(where: { $0.address == new.address }) {
                let known = entry.addresses[index]
                entry.addresses[index].origin = min(known.origin, new.origin)
                entry.addresses[index].expires = max(known.expires, new.expires)
                return
            }
            if entry.addresses.count >= limit {
                // The least trusted goes, and of those the one that ends first; the application's own never.
                let candidates = entry.addresses.indices.filter { entry.addresses[$0].origin != .configuration }
                let worst = candidates.max { left, right in
                    let (left, right) = (entry.addresses[left], entry.addresses[right])
                    return (left.origin, right.expires) < (right.origin, left.expires)
                }
                guard let worst, entry.addresses[worst].origin >= new.origin else { return }
                entry.addresses.remove(at: worst)
            }
            entry.addresses.append(new)
        }
    }

    private mutating func remove(_ addresses: [Multiaddr], of peer: PeerID, origin: AddressOrigin) {
        let bare = Set(addresses.compactMap { self.bare($0, of: peer) })
        guard entries[peer] != nil else { return }
        update(peer) { entry in
            entry.addresses.removeAll { $0.origin == origin && bare.contains($0.address) }
        }
        dropIfEmpty(peer)
    }

    mutating func update(_ peer: PeerID, isChange: Bool = true, _ body: (inout Entry) -> Void) {
        guard var entry = entries[peer] else { return }
        // Nobody else may hold the arrays inside, or each change would copy them.
        set(peer, nil)
        body(&entry)
        set(peer, entry)
        if isChange, entry.isProven { noteChange(of: peer) }
    }

    /// The one place that changes which peers there are.
    mutating func set(_ peer: PeerID, _ entry: Entry?) {
        let old = entries[peer]
        entries[peer] = entry
        if let old, !old.isProven { unprovenCount -= 1 }
        if let entry, !entry.isProven { unprovenCount += 1 }
    }

    mutating func stamp(_ peer: PeerID, _ stamp: UInt64) {
        entries[peer]?.stamp = stamp
    }

    /// Forgets what has expired, now and then: once for each minute that passes.
    private mutating func sweep(at now: Instant) {
        guard now >= nextSweep else { return }
        nextSweep = now + .seconds(60)
        for (peer, entry) in entries where !entry.isConnected && !entry.isPermanent {
            let valid = entry.addresses.filter { isValid($0, of: entry, at: now) }
            guard valid.count != entry.addresses.count else { continue }
            update(peer) { $0.addresses = valid }
            dropIfEmpty(peer)
        }
    }

    private mutating func dropIfEmpty(_ peer: PeerID) {
        guard let entry = entries[peer], entry.addresses.isEmpty, !entry.isConnected else { return }
        set(peer, nil)
    }
}
