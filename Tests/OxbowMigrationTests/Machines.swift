import OxbowCore
import OxbowMigration

// Machines in the states that tests start from. The stream's id is 0; an own target has id 2, the peer's 3.

func settled(lower: Bool = true) -> MigrationMachine {
    MigrationMachine(id: 0, isLowerPeer: lower, isNegotiated: true)
}

func asking(lower: Bool = true) throws -> MigrationMachine {
    var machine = settled(lower: lower)
    try machine.begin(target: 2, at: .zero)
    return machine
}

func handingOff(_ role: MigrationRole, lower: Bool = true) throws -> MigrationMachine {
    switch role {
    case .initiator:
        var machine = try asking(lower: lower)
        _ = machine.answered(accepted: true, on: .target, at: .zero)
        return machine
    case .responder:
        var machine = settled(lower: lower)
        _ = machine.accept(target: 3, at: .zero)
        return machine
    }
}

/// Tainted by an attempt that was lost (SM-F2).
func tainted(lower: Bool = true) throws -> MigrationMachine {
    var machine = try asking(lower: lower)
    _ = machine.lost(.target, at: .zero)
    return machine
}

extension MigrationMachine {
    /// The application closes, and the FIN is framed where it belongs.
    mutating func closeAndFrame() -> [MigrationAction] {
        closeWrite()
        return finFramed(on: writeLeg, at: .zero)
    }
}

extension Instant {
    static func seconds(_ seconds: Int) -> Instant { .zero + .seconds(seconds) }
}

let roles: [MigrationRole] = [.initiator, .responder]
