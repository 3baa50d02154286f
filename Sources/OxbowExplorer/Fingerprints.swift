/// A set of 64-bit fingerprints that stand for states: open addressing, eight bytes a place, at most three quarters full.
///
/// Two different states are taken for one with a chance of about n²/2^65 for n states: 3·10^-6 for ten million, 3·10^-4
/// for a hundred million. Each process hashes with its own random key, so what one run misses by chance another doesn't.
package struct Fingerprints: Sendable {
    private var places: [UInt64]
    package private(set) var count = 0

    package init(capacity: Int = 1 << 12) {
        var size = 16
        while size < capacity { size *= 2 }
        places = Array(repeating: 0, count: size)
    }

    /// The index of a fingerprint's place, or of the free place where it belongs.
    private func place(of fingerprint: UInt64) -> Int {
        let mask = places.count - 1
        var index = Int(truncatingIfNeeded: fingerprint) & mask
        while places[index] != 0, places[index] != fingerprint { index = (index + 1) & mask }
        return index
    }

    /// - Returns: whether it is new.
    package mutating func insert(_ fingerprint: UInt64) -> Bool {
        // 0 marks a free place.
        let fingerprint = fingerprint == 0 ? 1 : fingerprint
        let index = place(of: fingerprint)
        guard places[index] == 0 else { return false }
        places[index] = fingerprint
        count += 1
        if 4 * count > 3 * places.count { grow() }
        return true
    }

    private mutating func grow() {
        let old = places
        places = Array(repeating: 0, count: 2 * old.count)
        for fingerprint in old where fingerprint != 0 { places[place(of: fingerprint)] = fingerprint }
    }
}
