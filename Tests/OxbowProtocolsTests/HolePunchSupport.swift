import OxbowCore
import OxbowProtocols
import OxbowWire
import Testing

/// What the tests of hole punches share.
enum Punch {
    static func peer(_ number: UInt8) throws -> PeerID {
        // An identity multihash of an Ed25519 key.
        try PeerID(multihash: [0x00, 0x24, 0x08, 0x01, 0x12, 0x20] + [UInt8](repeating: number, count: 32))
    }

    static func address(_ text: String) throws -> Multiaddr { try Multiaddr(text) }

    static func connect(_ addresses: [Multiaddr]) -> [UInt8] {
        HolePunchMessage.connect(addresses: addresses.map(\.binary)).encodedDelimited()
    }

    static let sync = HolePunchMessage.sync.encodedDelimited()

    static func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
}

extension HolePunchMachine {
    /// Takes all of `bytes`.
    mutating func receive(_ bytes: [UInt8], at now: Instant) -> [HolePunchAction] {
        var input = bytes[...]
        defer { #expect(input.isEmpty) }
        return receive(&input, at: now)
    }
}
