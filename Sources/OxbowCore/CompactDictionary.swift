public import OrderedCollections

/// A dictionary in no order whose memory goes by what is in it, for tables of very many large values. `Dictionary` keeps its
/// values in the hash table itself, which doubles: just behind a doubling, five of eight places are empty, each as large as a
/// value. Here the values stand side by side, and only the numbers of their places, of a few bits each, are in a hash table.
public struct CompactDictionary<Key: Hashable, Value> {
    /// Where an entry is, until one is inserted or removed.
    public typealias Index = Int

    @usableFromInline var entries: OrderedDictionary<Key, Value> = [:]

    /// An empty one.
    @inlinable public init() {}

    /// How many entries there are.
    @inlinable public var count: Int { entries.count }
    /// Whether there is none.
    @inlinable public var isEmpty: Bool { entries.isEmpty }

    /// The value of a key, if it has one. Constant time, as all that follows unless it says otherwise.
    @inlinable public subscript(key: Key) -> Value? { entries[key] }

    /// Where a key is; nil when it isn't there.
    @inlinable public func index(forKey key: Key) -> Index? { entries.index(forKey: key) }

    /// The key of an entry.
    @inlinable public func key(at index: Index) -> Key { entries.keys[index] }

    /// The value of an entry, changed where it is.
    @inlinable public subscript(at index: Index) -> Value {
        get { entries.values[index] }
        _modify { yield &entries.values[index] }
    }

    /// Adds a key that isn't there yet, with its value.
    @inlinable @discardableResult
    public mutating func insert(_ value: Value, forKey key: Key) -> Index {
        entries[key] = value
        return entries.count - 1
    }

    /// Takes an entry out. The last one moves to its place: to close the gap would take linear time.
    @inlinable @discardableResult
    public mutating func remove(at index: Index) -> Value {
        entries.swapAt(index, entries.count - 1)
        return entries.removeLast().value
    }

    /// Takes all entries out, and gives their memory back.
    @inlinable public mutating func removeAll() {
        entries = [:]
    }
}

extension CompactDictionary: Sequence {
    /// One entry after the other.
    public struct Iterator: IteratorProtocol {
        @usableFromInline var entries: OrderedDictionary<Key, Value>.Iterator

        @inlinable init(_ entries: OrderedDictionary<Key, Value>) {
            self.entries = entries.makeIterator()
        }

        /// Another entry; nil behind the last.
        @inlinable public mutating func next() -> (key: Key, value: Value)? { entries.next() }
    }

    /// Begins with any of them.
    @inlinable public func makeIterator() -> Iterator { Iterator(entries) }
}

extension CompactDictionary: Sendable where Key: Sendable, Value: Sendable {}

/// Two of them are the same when they have the same entries, in whatever places. Linear time.
extension CompactDictionary: Equatable where Value: Equatable {
    public static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.count == rhs.count && lhs.entries.allSatisfy { rhs.entries[$0.key] == $0.value }
    }
}

extension CompactDictionary: Hashable where Value: Hashable {
    public func hash(into hasher: inout Hasher) {
        // A sum doesn't depend on the order, and isn't undone by a second entry of the same hash.
        var sum = 0
        for (key, value) in entries {
            var own = hasher
            own.combine(key)
            own.combine(value)
            sum &+= own.finalize()
        }
        hasher.combine(count)
        hasher.combine(sum)
    }
}
