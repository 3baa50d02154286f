import OxbowCore
import OxbowSeeds

/// `text` in the framing of multistream-select, made without the code under test.
func line(_ text: String) -> [UInt8] {
    let body = Array(text.utf8) + [0x0a]
    return (body.count < 128 ? [UInt8(body.count)] : [UInt8(body.count & 0x7f) | 0x80, UInt8(body.count >> 7)]) + body
}

let header = line("/multistream/1.0.0")

func hex(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

extension SplitMix64 {
    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}

/// Calls `body` with `bytes` cut at every single place, and with each byte alone.
func everySplit(_ bytes: [UInt8], _ body: ([ArraySlice<UInt8>]) throws -> Void) rethrows {
    for cut in 0...bytes.count { try body([bytes[..<cut], bytes[cut...]]) }
    try body(bytes.indices.map { bytes[$0...$0] })
}
