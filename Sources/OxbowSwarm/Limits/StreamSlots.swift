/// The slots of the scopes that one stream counts in: always five, side by side and without a list of their own, since a
/// host has one of these for each of its streams.
struct StreamSlots: RandomAccessCollection, Sendable {
    // A table never has more scopes than 32 bits can number: each takes many bytes.
    private let rootSlot: Int32
    private let connectionSlot: Int32
    private let peerSlot: Int32
    private var stageSlots: (Int32, Int32)

    /// - Parameter stage: the transient scopes, later those of the protocol.
    init(
        root: ScopeTable.Slot, connection: ScopeTable.Slot, peer: ScopeTable.Slot,
        stage: (ScopeTable.Slot, ScopeTable.Slot)
    ) {
        (rootSlot, connectionSlot, peerSlot) = (Int32(root), Int32(connection), Int32(peer))
        stageSlots = (Int32(stage.0), Int32(stage.1))
    }

    var peer: ScopeTable.Slot { Int(peerSlot) }

    var stage: (ScopeTable.Slot, ScopeTable.Slot) {
        get { (Int(stageSlots.0), Int(stageSlots.1)) }
        set { stageSlots = (Int32(newValue.0), Int32(newValue.1)) }
    }

    /// Those of ``stage`` alone.
    var ofStage: SubSequence { self[3...] }

    var startIndex: Int { 0 }
    var endIndex: Int { 5 }

    subscript(position: Int) -> ScopeTable.Slot {
        switch position {
        case 0: Int(rootSlot)
        case 1: Int(connectionSlot)
        case 2: Int(peerSlot)
        case 3: Int(stageSlots.0)
        case 4: Int(stageSlots.1)
        default: preconditionFailure("a stream counts in five scopes")
        }
    }
}
