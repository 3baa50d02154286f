/// The state of a machine as far as it decides what happens next, without ids and times: for checks and drawings.
package struct MigrationSnapshot: Hashable, Sendable {
    package enum Phase: Hashable, Sendable, CaseIterable {
        case settled, asking, initiating, responding, ended
    }

    package let phase: Phase
    /// The own FIN on the source was framed.
    package let isSourceFramed: Bool
    /// The peer's FIN on the source was read.
    package let isSourceRead: Bool
    /// The own FIN on the target was framed during the hand-off.
    package let isTargetFramed: Bool
    /// The peer's FIN on the target was read during the hand-off.
    package let isTargetRead: Bool
    package let isEOFDelivered: Bool
    package let isTainted: Bool
    package let isDenied: Bool
    package let isYielding: Bool
}

extension MigrationMachine {
    package var snapshot: MigrationSnapshot {
        let shape: (phase: MigrationSnapshot.Phase, handOff: HandOff?) =
            switch phase {
            case .settled: (.settled, nil)
            case .asking: (.asking, nil)
            case .handingOff(let handOff): (handOff.role == .initiator ? .initiating : .responding, handOff)
            case .ended: (.ended, nil)
            }
        return MigrationSnapshot(
            phase: shape.phase, isSourceFramed: source.finFramed, isSourceRead: source.finRead,
            isTargetFramed: shape.handOff?.targetFINFramed ?? false,
            isTargetRead: shape.handOff?.targetFINRead ?? false, isEOFDelivered: isEOFDelivered,
            isTainted: isTainted, isDenied: isDenied, isYielding: yielded != nil)
    }
}
