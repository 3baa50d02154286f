import OxbowCore

/// The scopes that are in use, each with its limits and what it uses of them.
///
/// A scope lives in a slot as long as somebody holds it. Finding its slot costs a look-up, everything else is an index:
/// each operation takes constant time, whatever the number of peers, connections and streams.
struct ScopeTable: Sendable {
    /// The index of a scope that is held.
    typealias Slot = Int

    private struct Entry: Sendable {
        var scope: ResourceScope
        var limits: ScopeLimits
        var used = ResourceUsage()
        var holders = 0
    }

    private var entries: [Entry] = []
    private var free: [Slot] = []
    private var slots: [ResourceScope: Slot] = [:]

    /// How many scopes are held.
    var count: Int { slots.count }
    var isEmpty: Bool { slots.isEmpty }

    func used(_ slot: Slot) -> ResourceUsage { entries[slot].used }
    /// Which scope a slot has that is held.
    func scope(_ slot: Slot) -> ResourceScope { entries[slot].scope }

    /// What a scope uses; nothing when nobody holds it.
    func used(_ scope: ResourceScope) -> ResourceUsage {
        slots[scope].map { entries[$0].used } ?? ResourceUsage()
    }

    /// Holds a scope once more.
    mutating func hold(_ scope: ResourceScope, _ limits: @autoclosure () -> ScopeLimits) -> Slot {
        let slot: Slot
        if let known = slots[scope] {
            slot = known
        } else if let unused = free.popLast() {
            slot = unused
            entries[slot] = Entry(scope: scope, limits: limits())
            slots[scope] = slot
        } else {
            slot = entries.count
            entries.append(Entry(scope: scope, limits: limits()))
            slots[scope] = slot
        }
        entries[slot].holders += 1
        return slot
    }

    /// Holds a scope once more that is held already.
    mutating func hold(_ slot: Slot) -> Slot {
        entries[slot].holders += 1
        return slot
    }

    /// Holds both scopes of a stage once more, which are held already.
    mutating func hold(_ stage: StageSlots) -> StageSlots {
        for slot in stage { entries[slot].holders += 1 }
        return stage
    }

    /// Lets go of scopes; one that nobody holds is forgotten.
    mutating func letGo(_ held: some Sequence<Slot>) {
        for slot in held {
            entries[slot].holders -= 1
            guard entries[slot].holders == 0 else { continue }
            assert(entries[slot].used.isZero, "\(entries[slot].scope) is idle and uses \(entries[slot].used)")
            slots[entries[slot].scope] = nil
            free.append(slot)
        }
        // After a flood, nothing of its size is kept.
        if slots.isEmpty { (entries, free, slots) = ([], [], [:]) }
    }

    /// The first refusal of `request` by one of the scopes; nil when it fits into all of them.
    func refusal(of request: ResourceUsage, by held: some Sequence<Slot>) -> ResourceRefusal? {
        for slot in held {
            guard let resource = entries[slot].limits.exceeded(by: request, over: entries[slot].used) else { continue }
            let entry = entries[slot]
            return ResourceRefusal(
                scope: entry.scope, resource: resource, limit: entry.limits[resource], used: entry.used[resource],
                requested: request[resource])
        }
        return nil
    }

    mutating func add(_ usage: ResourceUsage, to held: some Sequence<Slot>) {
        for slot in held { entries[slot].used += usage }
    }

    mutating func subtract(_ usage: ResourceUsage, from held: some Sequence<Slot>) {
        for slot in held { entries[slot].used -= usage }
    }
}
