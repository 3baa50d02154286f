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
        let lasting = [table.hold(owner.root), table.hold(owner.own), table.hold(peer.slot)]
        let stage: [ScopeTable.Slot]
        if let protocolID {
            stage = hold(protocolID, with: peer.id)
        } else {
            stage = [
                table.hold(.transient, limits.transient), table.hold(.negotiations(peer.id), limits.negotiations),
            ]
        }
        let entry = Stream(
            direction: direction, connection: connection, peer: peer.id, protocolID: protocolID, lasting: lasting,
            stage: stage, used: .stream(direction, memory: limits.memoryPerStream))
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
        let stage = hold(protocolID, with: entry.peer)
        if let refusal = table.refusal(of: entry.used, by: stage) {
            table.letGo(stage)
            throw refusal
        }
        table.add(entry.used, to: stage)
        table.subtract(entry.used, from: entry.stage)
        table.letGo(entry.stage)
        streams[number]?.stage = stage
        streams[number]?.protocolID = protocolID
    }

    private mutating func hold(_ protocolID: ProtocolID, with peer: PeerID) -> [ScopeTable.Slot] {
        [
            table.hold(.protocol(protocolID), limits.protocols[protocolID] ?? limits.protocol),
            table.hold(
                .protocolOfPeer(protocolID, peer), limits.protocolsOfPeer[protocolID] ?? limits.protocolOfPeer),
        ]
    }

    /// The stream is over: gives back what it had. Nothing happens for one that isn't in the books.
    public mutating func close(stream number: UInt64) {
        guard let entry = streams.removeValue(forKey: number) else { return }
        table.subtract(entry.used, from: entry.slots)
        table.letGo(entry.slots)
    }
}
