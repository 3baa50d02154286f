public import OxbowCore

/// Keeps the books of what the connections and streams of a host use, and refuses what would be too much, in the manner
/// of go-libp2p's resource manager.
///
/// Each connection and each stream counts in several scopes at once: the host, the peer, the protocol and so on. A
/// reservation is made in all of them or, when one refuses, in none. Whoever reserves names what it reserves for by a
/// number of its own; a release gives back exactly what is booked under that number. A *stream* is one of a connection's
/// multiplexer: one that is moving is two for as long as it has two, each in the books of its connection (SM-F10).
///
/// Everything takes constant time. The tables hold what is open and, for as long as a connection is, the few scopes that
/// its next stream needs.
public struct ResourceLedger: Sendable {
    struct Connection: Sendable {
        let direction: ResourceDirection
        /// Of the whole, and this connection's own scope: they are its streams' too.
        var root: ScopeTable.Slot
        let own: ScopeTable.Slot
        var isAllowlisted: Bool
        /// Until the peer is authenticated; then those of blocks of addresses are all that is left here.
        var transient: [ScopeTable.Slot]
        var addresses: [ScopeTable.Slot]
        var peer: Peer?
        /// What the connection itself uses: its place and its memory, without its streams'.
        var used: ResourceUsage

        var slots: [ScopeTable.Slot] {
            [root, own] + transient + addresses + (peer.map { [$0.slot] } ?? [])
        }

        /// Whose it is, and what it keeps for its streams, so that most of them need no look-up. Nothing of its own is
        /// booked there, but for the scope of the peer.
        struct Peer: Sendable {
            let id: PeerID
            let slot: ScopeTable.Slot
            /// For streams while it is unknown what they are for.
            let unknown: StageSlots
            /// Of the protocol that its last stream was for: the next is likely for the same.
            var recent: Recent?
        }

        struct Recent: Sendable {
            let protocolID: ProtocolID
            let stage: StageSlots
        }
    }

    // In this order it takes 48 bytes, and 56 with the direction first.
    struct Stream: Sendable {
        var protocolID: ProtocolID?
        var slots: StreamSlots
        let direction: ResourceDirection
        /// In bytes.
        var memory: Int

        var used: ResourceUsage { .stream(direction, memory: memory) }
    }

    /// The limits, as they were when the ledger was made.
    public let limits: ResourceLimits
    var table = ScopeTable()
    var connections: [UInt64: Connection] = [:]
    var streams = CompactDictionary<UInt64, Stream>()

    /// An empty ledger. Limits with a ``ResourceLimits/problem`` are a mistake of the caller's.
    public init(limits: ResourceLimits) {
        if let problem = limits.problem { preconditionFailure(problem) }
        self.limits = limits
    }

    // MARK: Looking at it

    /// Connections in the books.
    public var connectionCount: Int { connections.count }
    /// Streams in the books.
    public var streamCount: Int { streams.count }
    /// Scopes that something is booked in, or that a connection keeps for its streams; 0 when nothing is open.
    public var scopeCount: Int { table.count }

    /// What is booked in a scope.
    public func used(_ scope: ResourceScope) -> ResourceUsage {
        if case .stream(let number) = scope { return streams[number]?.used ?? ResourceUsage() }
        return table.used(scope)
    }

    // MARK: Connections

    /// Books a connection whose peer isn't known yet. The number must not be in use.
    ///
    /// - Parameter address: where an inbound connection comes from; nil when that isn't an IP address of the peer's own,
    ///   as behind a relay.
    public mutating func open(
        connection number: UInt64, _ direction: ResourceDirection, from address: IPPrefix? = nil
    ) throws(ResourceRefusal) {
        precondition(connections[number] == nil, "a number names one connection")
        let isAllowed = address.map { address in limits.allowedAddresses.contains { $0.contains(address) } } ?? false
        let root = hold(root: isAllowed)
        let own = table.hold(.connection(number), limits.connection)
        var entry = Connection(
            direction: direction, root: root, own: own, isAllowlisted: isAllowed, transient: [], addresses: [],
            used: .connection(direction, memory: limits.memoryPerConnection))
        if !isAllowed {
            entry.transient.append(table.hold(.transient, limits.transient))
            if direction == .inbound, let address { hold(blocksOf: address, in: &entry) }
        }
        if let refusal = table.refusal(of: entry.used, by: entry.slots) {
            table.letGo(entry.slots)
            throw refusal
        }
        table.add(entry.used, to: entry.slots)
        connections[number] = entry
    }

    private mutating func hold(root isAllowed: Bool) -> ScopeTable.Slot {
        isAllowed ? table.hold(.allowlisted, limits.allowlisted) : table.hold(.system, limits.system)
    }

    private mutating func hold(blocksOf address: IPPrefix, in entry: inout Connection) {
        for block in limits.addresses.blocks(for: address) {
            let prefix = address.shortened(to: block.prefixLength)
            entry.addresses.append(
                table.hold(.address(prefix), ScopeLimits(inboundConnections: block.connections)))
            entry.transient.append(
                table.hold(.handshakes(prefix), ScopeLimits(inboundConnections: block.handshakes)))
        }
    }

    /// The peer of a connection is authenticated: from now on it counts as that peer's. On a refusal it stays what it
    /// was, and is to be closed.
    public mutating func authenticated(connection number: UInt64, as peer: PeerID) throws(ResourceRefusal) {
        guard var entry = connections[number] else { preconditionFailure("a connection that is open") }
        precondition(entry.peer == nil, "a peer is authenticated once, before the first stream")
        let slot = table.hold(.peer(peer), limits.peers[peer] ?? limits.peer)
        var added = [slot]
        var removed = entry.transient
        if !entry.isAllowlisted, limits.allowedPeers.contains(peer) {
            let root = hold(root: true)
            added.append(root)
            removed += [entry.root] + entry.addresses
            (entry.root, entry.addresses, entry.isAllowlisted) = (root, [], true)
        }
        if let refusal = table.refusal(of: entry.used, by: added) {
            table.letGo(added)
            throw refusal
        }
        let unknown = StageSlots(
            ofAll: table.hold(.transient, limits.transient),
            ofPeer: table.hold(.negotiations(peer), limits.negotiations))
        entry.transient = []
        entry.peer = Connection.Peer(id: peer, slot: slot, unknown: unknown)
        table.add(entry.used, to: added)
        table.subtract(entry.used, from: removed)
        table.letGo(removed)
        connections[number] = entry
    }

    /// The connection is over: gives back what it had. Streams of it are in the books until they are closed themselves.
    /// Nothing happens for a connection that isn't in the books.
    public mutating func close(connection number: UInt64) {
        guard let entry = connections.removeValue(forKey: number) else { return }
        table.subtract(entry.used, from: entry.slots)
        table.letGo(entry.slots)
        guard let peer = entry.peer else { return }
        table.letGo(peer.unknown)
        if let recent = peer.recent { table.letGo(recent.stage) }
    }

    // MARK: Memory

    /// Books memory for a connection whose peer is authenticated, on top of what it has.
    public mutating func reserve(memory bytes: Int, connection number: UInt64) throws(ResourceRefusal) {
        precondition(bytes >= 0)
        guard let entry = connections[number] else { preconditionFailure("a connection that is open") }
        let request = ResourceUsage.memory(bytes)
        if let refusal = table.refusal(of: request, by: entry.slots) { throw refusal }
        table.add(request, to: entry.slots)
        connections[number]?.used += request
    }

    /// Gives memory of a connection back: at most what was booked on top of its cost at rest.
    public mutating func release(memory bytes: Int, connection number: UInt64) {
        guard let entry = connections[number] else { return }
        precondition(bytes >= 0 && bytes <= entry.used.memory, "more was released than reserved")
        table.subtract(.memory(bytes), from: entry.slots)
        connections[number]?.used -= .memory(bytes)
    }

    /// Books memory for a stream, on top of what it has.
    public mutating func reserve(memory bytes: Int, stream number: UInt64) throws(ResourceRefusal) {
        precondition(bytes >= 0)
        guard let place = streams.index(forKey: number) else { preconditionFailure("a stream that is open") }
        let entry = streams[at: place]
        let request = ResourceUsage.memory(bytes)
        if limits.stream.exceeded(by: request, over: entry.used) != nil {
            throw ResourceRefusal(
                scope: .stream(number), resource: .memory, limit: limits.stream.memory, used: entry.used.memory,
                requested: bytes)
        }
        if let refusal = table.refusal(of: request, by: entry.slots) { throw refusal }
        table.add(request, to: entry.slots)
        streams[at: place].memory += bytes
    }

    /// Gives memory of a stream back: at most what was booked on top of its cost at rest.
    public mutating func release(memory bytes: Int, stream number: UInt64) {
        guard let place = streams.index(forKey: number) else { return }
        let entry = streams[at: place]
        precondition(bytes >= 0 && bytes <= entry.used.memory, "more was released than reserved")
        table.subtract(.memory(bytes), from: entry.slots)
        streams[at: place].memory -= bytes
    }
}
