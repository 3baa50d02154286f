internal import OxbowCrypto

/// The SymmetricState of the Noise specification (section 5.2) around a CipherState (section 5.1).
struct NoiseSymmetricState: ~Copyable, Sendable {
    private var chainingKey: [UInt8]
    private var hash: [UInt8]
    /// Nil until the first key was mixed in: until then nothing is encrypted.
    private var cipher: NoiseCipher?

    init(protocolName: [UInt8]) {
        precondition(protocolName.count == 32, "a name of another length would have to be padded or hashed")
        chainingKey = protocolName
        hash = protocolName
    }

    var hasKey: Bool {
        switch cipher {
        case .none: false
        case .some: true
        }
    }

    mutating func mixHash(_ data: ArraySlice<UInt8>) {
        hash = SHA256.hash(hash + data)
    }

    mutating func mixKey(_ secret: [UInt8]) throws(SecurityError) {
        let (next, key) = HKDFSHA256.hkdf2(chainingKey: chainingKey, input: secret)
        chainingKey = next
        cipher = try NoiseCipher(key: key)
    }

    mutating func encryptAndHash(_ plaintext: [UInt8]) throws(SecurityError) -> [UInt8] {
        let ciphertext = try cipher?.seal(plaintext, associatedData: hash) ?? plaintext
        mixHash(ciphertext[...])
        return ciphertext
    }

    mutating func decryptAndHash(_ ciphertext: ArraySlice<UInt8>) throws(SecurityError) -> [UInt8] {
        let plaintext = try cipher?.open(ciphertext, associatedData: hash) ?? [UInt8](ciphertext)
        mixHash(ciphertext)
        return plaintext
    }

    /// The transport: the initiator sends with the first key and receives with the second.
    func split(role: SecurityRole) throws(SecurityError) -> NoiseTransport {
        let (initiators, responders) = HKDFSHA256.hkdf2(chainingKey: chainingKey, input: [])
        let (sending, receiving) = role == .initiator ? (initiators, responders) : (responders, initiators)
        return try NoiseTransport(sending: NoiseCipher(key: sending), receiving: NoiseCipher(key: receiving))
    }
}
