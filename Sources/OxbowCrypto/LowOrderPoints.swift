/// The Ed25519 keys whose point is of low order (1, 2, 4 or 8): nobody has their private half, and yet signatures that
/// hold under them can be made by everybody. RFC 8032 lets them pass, and so does libcrypto; a peer id must not be one
/// of them, since all who like could be that peer.
enum LowOrderPoints {
    /// The y coordinates of the eight points, little-endian, in their reduced and unreduced forms, without the sign of x.
    private static let coordinates: [[UInt8]] = [
        [UInt8](repeating: 0, count: 32),
        [1] + [UInt8](repeating: 0, count: 31),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
        nearPrime(0xec),  // p - 1
        nearPrime(0xed),  // p, which is 0 unreduced
        nearPrime(0xee),  // p + 1, which is 1 unreduced
    ]

    /// 2^255 - 2^8 + `lowest`.
    private static func nearPrime(_ lowest: UInt8) -> [UInt8] {
        [lowest] + [UInt8](repeating: 0xff, count: 30) + [0x7f]
    }

    /// Whether the 32 bytes of a key are one of them.
    static func contain(_ key: [UInt8]) -> Bool {
        guard let last = key.last else { return false }
        return coordinates.contains(key.dropLast() + [last & 0x7f])
    }
}
