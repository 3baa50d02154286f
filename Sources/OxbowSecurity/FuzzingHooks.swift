package import OxbowCrypto

// Ways in for the fuzzer's harnesses (`OxbowFuzzing`), which test what lies behind a handshake without one. Package access:
// nobody else sees them.

extension NoiseTransport {
    /// A transport whose keys are known. `firstNonce` is the number of the next record, in both directions.
    package init(sendingKey: [UInt8], receivingKey: [UInt8], firstNonce: UInt64 = 0) throws(SecurityError) {
        let sending = try NoiseCipher(key: sendingKey, firstNonce: firstNonce)
        let receiving = try NoiseCipher(key: receivingKey, firstNonce: firstNonce)
        self.init(sending: sending, receiving: receiving)
    }
}

/// The check of a certificate, and of the extension in it, by itself.
package enum TLSCertificateProbe {
    /// A certificate of ours in DER, with a fresh key of its own.
    package static func certificate(of identity: PrivateKey) throws(SecurityError) -> [UInt8] {
        let key = try TLSCertificateKey()
        return try TLSCertificateTemplate(identity: identity, key: key).signed(with: key).der
    }

    /// The identity key that a certificate proves at a time in seconds since 1970.
    package static func identity(inCertificate der: [UInt8], at unixTime: Int64) throws(CertificateError) -> PublicKey {
        try TLSCertificateCheck.identity(in: TLSCertificate(der: der), at: unixTime)
    }

    /// What the extension's content is written as again, when it can be read.
    package static func rewritten(extension der: [UInt8]) -> [UInt8]? {
        SignedKey(der: der)?.der
    }
}
