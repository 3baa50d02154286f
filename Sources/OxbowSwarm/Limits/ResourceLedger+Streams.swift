public import OxbowCore

extension ResourceLedger {
    /// Books a stream on a connection whose peer is authenticated. The number must not be in use.
    ///
    /// - Parameter protocolID: what the stream is for, if that is known already.
    public mutating func open(
        stream number: UInt64, _ direction: ResourceDirection, on connection: UInt64, for protocolID: ProtocolID? = nil
    ) throws(ResourceRefusal) {
        precondition(streams[number] == nil, "a number names one stream")
        guard let owner = connections[connection], let peer = owner.peer else {
            preconditionFailure("a stream needs a connection that stands")
        }
        let stage =
            if let protocolID {
                hold(protocolID, with: peer.id)
            } else {
                (table.hold(.transient, limits.transient), table.hold(.negotiations(peer.id), limits.negotiations))
            }
        let slots = StreamSlots(
            root: table.hold(owner.root), connection: table.hold(owner.own), peer: table.hold(peer.slot), stage: stage)
        let entry = Stream(
            direction: direction, protocolID: protocolID, slots: slots, memory: limits.memoryPerStream)
        if let refusal = table.refusal(of: entry.used, by: entry.slots) {
            table.letGo(entry.slots)
            throw refusal
        }
        table.add(entry.used, to: entry.slots)
        streams[number] = entry
    }

    /// It is known what a stream is for: from now on it counts as one of that protocol. On a refusal it stays what it
    /// was, and is to be reset. Nothing happens when it is in the books as that already.
    public mutating func assign(stream number: UInt64, to protocolID: ProtocolID) throws(ResourceRefusal) {
        guard let entry = streams[number], entry.protocolID != protocolID else { return }
        guard case .peer(let peer) = table.scope(entry.slots.peer) else {
            preconditionFailure("a stream is of a peer")
        }
        var slots = entry.slots
        slots.stage = hold(protocolID, with: peer)
        if let refusal = table.refusal(of: entry.used, by: slots.ofStage) {
            table.letGo(slots.ofStage)
            throw refusal
        }
        table.add(entry.used, to: slots.ofStage)
        table.subtract(entry.used, from: entry.slots.ofStage)
        table.letGo(entry.slots.ofStage)
        streams[number]?.slots = slots
        streams[number]?.protocolID = protocolID
    }

    private mutating func hold(
        _ protocolID: ProtocolID, with peer: PeerID
    ) -> (ScopeTable.Slot, ScopeTable.Slot) {
        (
            table.hold(.protocol(protocolID), limits.protocols[protocolID] ?? limits.protocol),
            table.hold(
                .protocolOfPeer(protocolID, peer), limits.protocolsOfPeer[protocolID] ?? limits.protocolOfPeer)
        )
    }

    /// The stream is over: gives back what it had. Nothing happens for one that isn't in the books.
    public mutating func close(stream number: UInt64) {
        guard let entry = streams.removeValue(forKey: number) else { return }
        table.subtract(entry.used, from: entry.slots)
        table.letGo(entry.slots)
    }
}
