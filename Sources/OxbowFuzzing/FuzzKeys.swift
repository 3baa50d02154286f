import OxbowCore
import OxbowCrypto

/// Identities that are the same in each run: Ed25519 keys whose seed is one byte, 32 times.
enum FuzzKeys {
    static let first = key(
        1, 0x8a88_e3dd_7409_f195, 0xfd52_db2d_3cba_5d72, 0xca67_09bf_1d94_121b, 0xf374_8801_b40f_6f5c)
    static let second = key(
        2, 0x8139_770e_a87d_175f, 0x56a3_5466_c34c_7ecc, 0xcb8d_8a91_b4ee_37a2, 0x5df6_0f5b_8fc9_b394)
    static let third = key(
        3, 0xed49_28c6_28d1_c2c6, 0xeae9_0338_9059_9561, 0x2959_273a_5c63_f936, 0x36c1_4614_ac87_37d1)
    static let all = [first, second, third]
    static let peerIDs = all.map(\.peerID)

    /// An id that is a hash, as one of an RSA key is. Nobody has a key to it.
    static let hashed: PeerID = {
        let digest = SHA256.hash([UInt8]("no key".utf8))
        guard let id = try? PeerID(multihash: [0x12, 32] + digest) else { preconditionFailure("an id of 34 bytes") }
        return id
    }()

    private static func key(_ seed: UInt8, _ publicHalf: UInt64...) -> PrivateKey {
        let half = publicHalf.flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
        }
        // The key message: type Ed25519 (1), then 64 bytes of data.
        let message: [UInt8] = [0x08, 0x01, 0x12, 0x40] + [UInt8](repeating: seed, count: 32) + half
        do { return try PrivateKey(protobuf: message) } catch { preconditionFailure("a fixed key is wrong: \(error)") }
    }
}

extension PrivateKey {
    var peerID: PeerID { publicKey.peerID }
}
