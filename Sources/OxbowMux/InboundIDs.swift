/// Which stream ids the peer has used, in bounded memory: the highest, and those below it that it skipped.
///
/// A peer numbers a stream when its application opens it, but go-yamux queues the SYNs of two tasks in any order and
/// rust-yamux sends a SYN with the stream's first write. So a SYN below the highest id is right if its id was skipped.
/// Only the highest `bound` skipped ids are remembered; an older one counts as used.
struct InboundIDs: Hashable, Sendable {
    let bound: Int
    /// 0 until the first.
    private(set) var highest: UInt32 = 0
    /// Ascending.
    private(set) var skipped: [UInt32] = []

    init(bound: Int) {
        self.bound = bound
    }

    /// Whether a SYN with this id, whose parity is right, may come.
    func isUnused(_ id: UInt32) -> Bool {
        id > highest || index(of: id) != nil
    }

    /// A SYN with this unused id came.
    mutating func use(_ id: UInt32) {
        if let index = index(of: id) {
            skipped.remove(at: index)
            return
        }
        precondition(id > highest)
        // 64 bits: `highest + 2` can't overflow there.
        let first = highest == 0 ? UInt64(id & 1 == 1 ? 1 : 2) : UInt64(highest) + 2
        let between = (UInt64(id) - first) / 2
        let kept = min(between, UInt64(bound))
        for index in 0..<kept {
            skipped.append(UInt32(truncatingIfNeeded: UInt64(id) - 2 * (kept - index)))
        }
        if skipped.count > bound { skipped.removeFirst(skipped.count - bound) }
        highest = id
    }

    private func index(of id: UInt32) -> Int? {
        var low = 0
        var high = skipped.count
        while low < high {
            let middle = (low + high) / 2
            if skipped[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low < skipped.count && skipped[low] == id ? low : nil
    }
}
