// What a ``Walk`` needs of what it goes through.

/// The bounds of a world.
package protocol WalkPlan: Sendable, CustomStringConvertible {
    associatedtype World: WalkWorld where World.Plan == Self

    var name: String { get }
}

/// A state: a value, which a walk copies, changes and hashes.
package protocol WalkWorld: Hashable, Sendable {
    associatedtype Plan: Sendable
    associatedtype Event: Hashable, Sendable
    associatedtype Run: WalkRun where Run.Plan == Plan

    /// Where each walk begins.
    init(_ plan: Plan)

    /// What can happen next.
    func events(_ plan: Plan) -> [Event]
    /// Whether a world in which this can happen isn't at rest.
    func isMandatory(_ event: Event, _ plan: Plan) -> Bool
    /// Lets an event happen, and checks what must always hold.
    mutating func apply(_ event: Event, _ run: Run) throws(Violation)
    /// Checks what must hold when nothing mandatory can happen any more.
    func checkRest(_ plan: Plan) throws(Violation)
    /// Draws what happens along a path. The last event may be the one that violates a property.
    static func chart(_ plan: Plan, _ path: [Event]) -> String
}

/// What one walk is about, and what it saw.
package protocol WalkRun: AnyObject {
    associatedtype Plan

    var tally: Tally { get set }

    init(_ plan: Plan)
}

extension WalkWorld {
    /// 64 bits that stand for the state.
    package var fingerprint: UInt64 {
        var hasher = Hasher()
        hash(into: &hasher)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// At rest nothing has to happen any more.
    func isAtRest(given events: [Event], _ plan: Plan) -> Bool {
        !events.contains { isMandatory($0, plan) }
    }
}

extension Plan: WalkPlan {
    package typealias World = OxbowExplorer.World
}

extension Run: WalkRun {}

extension World: WalkWorld {
    package func isMandatory(_ event: Event, _ plan: Plan) -> Bool { event.isMandatory }
}

extension PathsPlan: WalkPlan {
    package typealias World = PathsWorld
}

extension PathsWorld: WalkWorld {}
