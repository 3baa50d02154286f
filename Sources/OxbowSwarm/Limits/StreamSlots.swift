/// The slots of the scopes that one stream counts in: always five, side by side and without a list of their own, since a
/// host has one of these for each of its streams.
struct StreamSlots: RandomAccessCollection, Sendable {
    // A table never has more scopes than 32 bits can number: each takes many bytes.
    private let rootSlot: Int32
    private let connectionSlot: Int32
    private let peerSlot: Int32
    /// The transient scopes, later those of the protocol.
    var stage: StageSlots

    init(root: ScopeTable.Slot, connection: ScopeTable.Slot, peer: ScopeTable.Slot, stage: StageSlots) {
        (rootSlot, connectionSlot, peerSlot) = (Int32(root), Int32(connection), Int32(peer))
        self.stage = stage
    }

    var connection: ScopeTable.Slot { Int(connectionSlot) }
    var peer: ScopeTable.Slot { Int(peerSlot) }

    var startIndex: Int { 0 }
    var endIndex: Int { 5 }

    subscript(position: Int) -> ScopeTable.Slot {
        switch position {
        case 0: Int(rootSlot)
        case 1: Int(connectionSlot)
        case 2: Int(peerSlot)
        case 3: stage[0]
        case 4: stage[1]
        default: preconditionFailure("a stream counts in five scopes")
        }
    }
}

/// The slots of the two scopes that a stream counts in for what it is for, or for that being unknown: that of all peers
/// and that of its peer alone.
struct StageSlots: RandomAccessCollection, Hashable, Sendable {
    private let ofAll: Int32
    private let ofPeer: Int32

    init(ofAll: ScopeTable.Slot, ofPeer: ScopeTable.Slot) {
        (self.ofAll, self.ofPeer) = (Int32(ofAll), Int32(ofPeer))
    }

    var startIndex: Int { 0 }
    var endIndex: Int { 2 }

    subscript(position: Int) -> ScopeTable.Slot {
        switch position {
        case 0: Int(ofAll)
        case 1: Int(ofPeer)
        default: preconditionFailure("a stage has two scopes")
        }
    }
}
