import OxbowCore

/// A queue on an array that is used in a circle: it allocates when it grows, never per element.
struct Ring<Element> {
    private var slots: [Element?] = []
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// The oldest element.
    var first: Element? { isEmpty ? nil : slots[head] }

    mutating func append(_ element: Element) {
        if count == slots.count { grow() }
        slots[(head + count) & (slots.count - 1)] = element
        count += 1
    }

    @discardableResult
    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = slots[head]
        slots[head] = nil
        head = (head + 1) & (slots.count - 1)
        count -= 1
        return element
    }

    mutating func removeAll() {
        self = Ring()
    }

    /// Calls `body` with each element, oldest first.
    func forEach(_ body: (Element) -> Void) {
        for offset in 0..<count {
            if let element = slots[(head + offset) & (slots.count - 1)] { body(element) }
        }
    }

    /// Keeps the elements that `isKept` accepts, in their order.
    mutating func filter(_ isKept: (Element) -> Bool) {
        var kept = Ring()
        forEach { element in
            if isKept(element) { kept.append(element) }
        }
        self = kept
    }

    /// Doubles the capacity, which is always a power of two, so that a mask wraps an index.
    private mutating func grow() {
        var wider: [Element?] = []
        wider.reserveCapacity(max(8, 2 * count))
        forEach { element in wider.append(element) }
        while wider.count < max(8, 2 * count) { wider.append(nil) }
        slots = wider
        head = 0
    }
}

extension Ring: Sendable where Element: Sendable {}

/// Two rings with the same elements are the same, wherever in its array each of them starts.
extension Ring: Equatable where Element: Equatable {
    static func == (lhs: Ring, rhs: Ring) -> Bool {
        guard lhs.count == rhs.count else { return false }
        for offset in 0..<lhs.count
        where lhs.slots[(lhs.head + offset) & (lhs.slots.count - 1)]
            != rhs.slots[(rhs.head + offset) & (rhs.slots.count - 1)]
        {
            return false
        }
        return true
    }
}

extension Ring: Hashable where Element: Hashable {
    func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        forEach { element in hasher.combine(element) }
    }
}

typealias StreamTable = CompactDictionary<YamuxStreamID, StreamRecord>
typealias StreamIndex = StreamTable.Index

/// Streams in the order of their turns. A stream that ends while it waits stays in the ring until its turn comes or
/// until such leftovers are the most of it: then they are swept out, which costs O(1) per ended stream. So the ring
/// stays within twice the live streams and a little, whatever a peer opens and resets.
struct StreamQueue: Hashable, Sendable {
    private(set) var ring = Ring<YamuxStreamID>()
    /// How many ids in the ring belong to ended streams.
    private(set) var leftovers = 0

    mutating func append(_ id: YamuxStreamID) {
        ring.append(id)
    }

    /// Takes the oldest stream that still exists in `streams`; the ids of ended ones before it are dropped.
    ///
    /// An argument and no closure: one that captures the session may copy it, and then its arrays.
    mutating func popFirst(in streams: StreamTable) -> StreamIndex? {
        while let id = ring.popFirst() {
            if let index = streams.index(forKey: id) { return index }
            leftovers -= 1
        }
        return nil
    }

    /// A stream that is in the ring has ended. The ring then starts with a live one, or is empty.
    mutating func leaveBehind(_ streams: StreamTable) {
        leftovers += 1
        while let id = ring.first, streams[id] == nil {
            ring.popFirst()
            leftovers -= 1
        }
        guard leftovers > 32, 2 * leftovers > ring.count else { return }
        ring.filter { streams[$0] != nil }
        leftovers = 0
    }
}
