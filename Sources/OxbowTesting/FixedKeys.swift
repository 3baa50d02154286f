package import OxbowCrypto

/// Identities that are the same in each run, so that a failure repeats: Ed25519 keys whose seed is one byte, 32 times.
package enum FixedKeys {
    private static let publicHalves = [
        "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
        "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394",
        "ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1",
        "ca93ac1705187071d67b83c7ff0efe8108e8ec4530575d7726879333dbdabe7c",
        "6e7a1cdd29b0b78fd13af4c5598feff4ef2a97166e3ca6f2e4fbfccd80505bf1",
        "8a875fff1eb38451577acd5afee405456568dd7c89e090863a0557bc7af49f17",
        "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c",
        "1398f62c6d1a457c51ba6a4b5f3dbd2f69fca93216218dc8997e416bd17d93ca",
    ]

    /// The keys, lowest peer id first: the one with the lower index wins a glare (SM-F4) and gives even ids (SM-L2).
    package static let all: [PrivateKey] = {
        let keys = publicHalves.enumerated().map { index, text in
            key(seed: [UInt8](repeating: UInt8(index + 1), count: 32), publicHalf: bytes(text))
        }
        return keys.sorted { $0.publicKey.peerID < $1.publicKey.peerID }
    }()

    private static func key(seed: [UInt8], publicHalf: [UInt8]) -> PrivateKey {
        // The key message: type Ed25519 (1), then 64 bytes of data.
        let message: [UInt8] = [0x08, 0x01, 0x12, 0x40] + seed + publicHalf
        do { return try PrivateKey(protobuf: message) } catch { preconditionFailure("a fixed key is wrong: \(error)") }
    }

    private static func bytes(_ text: String) -> [UInt8] {
        let digits = text.compactMap { $0.hexDigitValue }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
