/// Remembers which signatures have held: a peer that comes again with the very same one, on a second connection or a
/// later one, costs no second verification, which is the most costly step of both a handshake and an identification.
///
/// A signature that is remembered says what it said when it was verified, and nothing else. Use it where the other side
/// has shown by then that it is the signer, or has the key that was signed: otherwise a stranger could tell by the time
/// that an answer takes who was here lately.
public protocol SignatureMemory: AnyObject, Sendable {
    /// Whether exactly this signature has held before. A memory may forget.
    func contains(_ signature: VerifiedSignature) -> Bool
    /// The signature was verified and holds.
    func insert(_ signature: VerifiedSignature)
}

/// A signature that has held, with its key and what it is over, by their SHA-256.
public struct VerifiedSignature: Hashable, Sendable {
    private let digest: [UInt8]

    init(_ signature: [UInt8], by key: [UInt8], over message: [UInt8]) {
        // Each part behind its length, so that no two triples are the same bytes.
        let parts = [key, message, signature].flatMap { part in
            withUnsafeBytes(of: UInt64(part.count).bigEndian, Array.init) + part
        }
        digest = SHA256.hash(parts)
    }
}

extension PublicKey {
    /// Whether `signature` is this key's over `message`: as it is remembered, or verified now and then remembered.
    ///
    /// - Parameter memory: nil verifies each time.
    public func isValidSignature(
        _ signature: [UInt8], over message: [UInt8], remembering memory: (any SignatureMemory)?
    ) -> Bool {
        guard let memory else { return isValidSignature(signature, over: message) }
        let verified = VerifiedSignature(signature, by: protobuf, over: message)
        if memory.contains(verified) { return true }
        guard isValidSignature(signature, over: message) else { return false }
        memory.insert(verified)
        return true
    }
}
