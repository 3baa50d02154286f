import OxbowCore

/// What happened in a run, in order: a running hash of it, and the events themselves when they are wanted.
package struct SimulationTrace: Sendable {
    /// FNV-1a over the times and numbers of all events.
    package private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    package private(set) var count = 0
    package private(set) var lines: [String] = []
    private let keeps: Bool

    package init(keeps: Bool) {
        self.keeps = keeps
    }

    /// - Parameters:
    ///   - at: virtual time.
    ///   - numbers: what happened, for the hash.
    ///   - text: the same for people.
    mutating func note(_ at: Duration, _ numbers: (Int, Int, Int, Int), _ text: @autoclosure () -> String) {
        count += 1
        mix(UInt64(bitPattern: at.saturatingNanoseconds))
        for number in [numbers.0, numbers.1, numbers.2, numbers.3] { mix(UInt64(bitPattern: Int64(number))) }
        guard keeps else { return }
        let microseconds = at.saturatingNanoseconds / 1_000
        let (whole, rest) = (String(microseconds / 1_000), String(microseconds % 1_000))
        let time = String(repeating: " ", count: max(0, 8 - whole.count)) + whole + "."
        lines.append(time + String(repeating: "0", count: 3 - rest.count) + rest + " ms  " + text())
    }

    private mutating func mix(_ value: UInt64) {
        var value = value
        for _ in 0..<8 {
            hash = (hash ^ (value & 0xFF)) &* 0x0000_0100_0000_01B3
            value >>= 8
        }
    }
}
