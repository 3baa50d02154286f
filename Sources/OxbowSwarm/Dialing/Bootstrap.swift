public import OxbowCore

/// How a host gets into a network: a machine that connects to known peers, all of them at the start and as often as
/// it takes whenever none is left.
public struct Bootstrap: Hashable, Sendable {
    /// What the driver has to do.
    public enum Action: Hashable, Sendable {
        case dial(PeerID)
    }

    private enum Stage: Hashable, Sendable {
        case idle
        case dialling
        case connected
    }

    private struct Entry: Hashable, Sendable {
        var stage = Stage.idle
        var failures = 0
        var notBefore = Instant(nanoseconds: .min)
        /// The start is over for this peer: it has been tried.
        var wasTried = false
    }

    private let peers: [PeerID]
    private let wanted: Int
    private let backOff: BackOffConfiguration
    private var entries: [PeerID: Entry] = [:]
    private var isOver = false

    /// - Parameters:
    ///   - peers: whom to connect to; repetitions count once.
    ///   - wanted: so many connections are kept, as far as there are peers.
    public init(peers: [PeerID], keeping wanted: Int = 1, backOff: BackOffConfiguration = BackOffConfiguration()) {
        self.wanted = wanted
        self.backOff = backOff
        for peer in peers { entries[peer] = Entry() }
        self.peers = entries.keys.sorted()
    }

    /// How many of the peers are connected.
    public var connected: Int { entries.values.count { $0.stage == .connected } }

    /// When ``advance(at:)`` is due; nil when there is nothing to wait for.
    public var nextWake: Instant? {
        guard !isOver, connected < wanted else { return nil }
        return entries.values.filter { $0.stage == .idle }.map(\.notBefore).min()
    }

    /// The start, or time has passed.
    public mutating func advance(at now: Instant) -> [Action] {
        guard !isOver else { return [] }
        return peers.compactMap { peer in
            guard var entry = entries[peer], entry.stage == .idle, entry.notBefore <= now else { return nil }
            guard !entry.wasTried || connected < wanted else { return nil }
            entry.stage = .dialling
            entry.wasTried = true
            entries[peer] = entry
            return .dial(peer)
        }
    }

    /// A dial has ended.
    public mutating func dialled(_ peer: PeerID, succeeded: Bool, at now: Instant) {
        guard var entry = entries[peer], entry.stage == .dialling else { return }
        entry.stage = .idle
        if succeeded {
            entry.stage = .connected
        } else {
            entry.failures = min(entry.failures + 1, 32)
            entry.notBefore = now + backOff.wait(after: entry.failures)
        }
        entries[peer] = entry
    }

    /// A connection with a peer stands, whoever made it.
    public mutating func connected(_ peer: PeerID) {
        guard entries[peer] != nil else { return }
        entries[peer]?.stage = .connected
        entries[peer]?.wasTried = true
    }

    /// The last connection with a peer is over.
    public mutating func disconnected(_ peer: PeerID, at now: Instant) {
        guard var entry = entries[peer], entry.stage == .connected else { return }
        // A peer that accepts and closes at once is waited for as one that refuses.
        entry.stage = .idle
        entry.failures = min(entry.failures + 1, 32)
        entry.notBefore = now + backOff.wait(after: entry.failures)
        entries[peer] = entry
    }

    /// The connection has held for a while: the next failure is the first again.
    public mutating func held(_ peer: PeerID) {
        guard entries[peer]?.stage == .connected else { return }
        entries[peer]?.failures = 0
    }

    /// No more dials.
    public mutating func end() {
        isOver = true
    }
}
