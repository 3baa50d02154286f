import OxbowCore

/// In which order peers were seen last, in two classes. Places are never moved, only left behind: a place counts when
/// its stamp is still the peer's, so that every step costs a constant time on average.
struct EvictionOrder: Sendable {
    private(set) var proven: [Place] = []
    private(set) var unproven: [Place] = []
    private var provenHead = 0
    private var unprovenHead = 0
    private var next: UInt64 = 1

    struct Place: Sendable {
        let peer: PeerID
        let stamp: UInt64
    }

    /// Puts a peer at the end.
    ///
    /// - Returns: the stamp that makes the place count.
    mutating func append(_ peer: PeerID, isProven: Bool) -> UInt64 {
        let place = Place(peer: peer, stamp: next)
        next += 1
        if isProven { proven.append(place) } else { unproven.append(place) }
        return place.stamp
    }

    mutating func popFirst(isProven: Bool) -> Place? {
        if isProven { return Self.pop(&proven, &provenHead) }
        return Self.pop(&unproven, &unprovenHead)
    }

    private static func pop(_ places: inout [Place], _ head: inout Int) -> Place? {
        guard head < places.count else {
            places = []
            head = 0
            return nil
        }
        defer {
            head += 1
            if head > 1_024, head > places.count / 2 {
                places.removeFirst(head)
                head = 0
            }
        }
        return places[head]
    }

    /// Drops the places that don't count when they have become more than those that do.
    mutating func compact(atMost limit: Int, _ counts: (Place) -> Bool) {
        guard proven.count + unproven.count > limit else { return }
        proven = proven[provenHead...].filter(counts)
        unproven = unproven[unprovenHead...].filter(counts)
        (provenHead, unprovenHead) = (0, 0)
    }
}

extension AddressBook {
    /// Makes an entry for the peer, if need be in place of another.
    ///
    /// - Parameter isProven: whether the peer is more than a rumour: only then may it replace a proven one.
    mutating func makeRoom(for peer: PeerID, isProven: Bool) -> Bool {
        guard entries[peer] == nil else { return true }
        if isProven {
            if entries.count >= configuration.peers, !evict() { return false }
        } else {
            let isFull = entries.count >= configuration.peers || unprovenCount >= configuration.unprovenPeers
            if isFull, !evictOne(isProven: false) { return false }
        }
        set(peer, Entry())
        return true
    }

    /// Takes out the peer that was seen longest ago, one that was never connected to first.
    @discardableResult
    mutating func evict() -> Bool {
        evictOne(isProven: false) || evictOne(isProven: true)
    }

    private mutating func evictOne(isProven: Bool) -> Bool {
        while let place = order.popFirst(isProven: isProven) {
            guard let entry = entries[place.peer], entry.stamp == place.stamp, !entry.isProtected else { continue }
            set(place.peer, nil)
            if entry.isProven { noteChange(of: place.peer) }
            return true
        }
        return false
    }

    /// The peer was seen just now.
    mutating func touch(_ peer: PeerID) {
        guard let entry = entries[peer] else { return }
        stamp(peer, order.append(peer, isProven: entry.isProven))
        let entries = entries
        order.compact(atMost: 2 * configuration.peers + 1_024) { entries[$0.peer]?.stamp == $0.stamp }
    }

    /// Remembers a change for storage. Past the bound the oldest knowledge on disk stays as it is and expires there.
    mutating func noteChange(of peer: PeerID) {
        guard changes.count < 2 * configuration.peers else { return }
        changes.insert(peer)
    }
}
