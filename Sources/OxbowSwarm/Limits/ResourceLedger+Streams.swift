public import OxbowCore

extension ResourceLedger {
    /// Books a stream on a connection whose peer is authenticated. The number must not be in use.
    ///
    /// - Parameter protocolID: what the stream is for, if that is known already.
    public mutating func open(
        stream number: UInt64, _ direction: ResourceDirection, on connection: UInt64, for protocolID: ProtocolID? = nil
    ) throws(ResourceRefusal) {
        precondition(streams[number] == nil, "a number names one stream")
        guard let owner = owner(connection) else {
            preconditionFailure("a stream needs a connection that stands")
        }
        let stage =
            if let protocolID {
                hold(protocolID, with: owner.peer.id, recent: owner.peer.recent)
            } else {
                table.hold(owner.peer.unknown)
            }
        let slots = StreamSlots(
            root: table.hold(owner.root), connection: table.hold(owner.connection), peer: table.hold(owner.peer.slot),
            stage: stage)
        let entry = Stream(
            protocolID: protocolID, slots: slots, direction: direction, memory: limits.memoryPerStream)
        if let refusal = table.refusal(of: entry.used, by: entry.slots) {
            table.letGo(entry.slots)
            throw refusal
        }
        table.add(entry.used, to: entry.slots)
        streams.insert(entry, forKey: number)
        if let protocolID { keep(stage, of: protocolID, with: owner) }
    }

    /// It is known what a stream is for: from now on it counts as one of that protocol. On a refusal it stays what it
    /// was, and is to be reset. Nothing happens when it is in the books as that already.
    public mutating func assign(stream number: UInt64, to protocolID: ProtocolID) throws(ResourceRefusal) {
        guard let place = streams.index(forKey: number) else { return }
        let entry = streams[at: place]
        guard entry.protocolID != protocolID else { return }
        guard case .peer(let peer) = table.scope(entry.slots.peer) else {
            preconditionFailure("a stream is of a peer")
        }
        let owner = owner(of: entry.slots)
        let stage = hold(protocolID, with: peer, recent: owner?.peer.recent)
        if let refusal = table.refusal(of: entry.used, by: stage) {
            table.letGo(stage)
            throw refusal
        }
        table.add(entry.used, to: stage)
        table.subtract(entry.used, from: entry.slots.stage)
        table.letGo(entry.slots.stage)
        streams[at: place].slots.stage = stage
        streams[at: place].protocolID = protocolID
        if let owner { keep(stage, of: protocolID, with: owner) }
    }

    /// What a connection whose peer is authenticated has for its streams, and where it is in the books.
    private struct Owner {
        let place: Dictionary<UInt64, Connection>.Index
        let root: ScopeTable.Slot
        let connection: ScopeTable.Slot
        let peer: Connection.Peer
    }

    private func owner(_ number: UInt64) -> Owner? {
        guard let place = connections.index(forKey: number) else { return nil }
        let connection = connections.values[place]
        guard let peer = connection.peer else { return nil }
        return Owner(place: place, root: connection.root, connection: connection.own, peer: peer)
    }

    /// The connection of a stream; nil when it is over, since streams may outlive theirs. By then another peer's may have
    /// its number.
    private func owner(of slots: StreamSlots) -> Owner? {
        guard case .connection(let number) = table.scope(slots.connection), let owner = owner(number),
            owner.peer.slot == slots.peer
        else { return nil }
        return owner
    }

    /// Holds the scopes of a protocol: without looking them up when they are those that the connection keeps.
    private mutating func hold(
        _ protocolID: ProtocolID, with peer: PeerID, recent: Connection.Recent?
    ) -> StageSlots {
        if let recent, recent.protocolID == protocolID { return table.hold(recent.stage) }
        return StageSlots(
            ofAll: table.hold(.protocol(protocolID), limits.protocols[protocolID] ?? limits.protocol),
            ofPeer: table.hold(
                .protocolOfPeer(protocolID, peer), limits.protocolsOfPeer[protocolID] ?? limits.protocolOfPeer))
    }

    /// Keeps the scopes of a protocol that a connection has a stream for, instead of those of the one before.
    private mutating func keep(_ stage: StageSlots, of protocolID: ProtocolID, with owner: Owner) {
        let former = owner.peer.recent
        guard former?.stage != stage else { return }
        connections.values[owner.place].peer?.recent = Connection.Recent(
            protocolID: protocolID, stage: table.hold(stage))
        if let former { table.letGo(former.stage) }
    }

    /// The stream is over: gives back what it had. Nothing happens for one that isn't in the books.
    public mutating func close(stream number: UInt64) {
        guard let place = streams.index(forKey: number) else { return }
        let entry = streams.remove(at: place)
        table.subtract(entry.used, from: entry.slots)
        table.letGo(entry.slots)
    }
}
