internal import COpenSSL
internal import COpenSSLShim
internal import OxbowCore
internal import OxbowCrypto

/// Checks a certificate by every rule of the libp2p TLS specification, "Peer Authentication".
enum TLSCertificateCheck {
    /// The sizes of an RSA key of the certificate itself, in bits: larger ones burn our time (CVE-2023-39533).
    private static let rsaBits = 2048...8192

    /// The identity key that `certificate` proves.
    ///
    /// What is cheap is checked first. `unixTime` is in seconds since 1970, UTC.
    static func identity(
        in certificate: borrowing TLSCertificate, at unixTime: Int64
    ) throws(CertificateError) -> PublicKey {
        try identity(inX509: certificate.x509, at: unixTime)
    }

    static func identity(inX509 x509: OpaquePointer, at unixTime: Int64) throws(CertificateError) -> PublicKey {
        try checkValidity(x509, at: unixTime)
        var issuerID: UnsafePointer<ASN1_BIT_STRING>?
        var subjectID: UnsafePointer<ASN1_BIT_STRING>?
        X509_get0_uids(x509, &issuerID, &subjectID)
        guard issuerID == nil, subjectID == nil else { throw .uniqueIdentifier }
        let signedKey = try signedKey(in: x509)
        try checkSelfSignature(x509)

        let identity: PublicKey
        do {
            identity = try PublicKey(protobuf: signedKey.publicKey)
        } catch {
            throw .badIdentityKey(error)
        }
        let subjectPublicKeyInfo = encodeDER { i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), $0) }
        let signed = LibP2PTLS.signaturePrefix + subjectPublicKeyInfo
        guard !subjectPublicKeyInfo.isEmpty, identity.isValidSignature(signedKey.signature, over: signed) else {
            throw .badSignature
        }
        return identity
    }

    /// A time that can't be read is neither before nor after now: refused by both.
    private static func checkValidity(_ x509: OpaquePointer, at unixTime: Int64) throws(CertificateError) {
        var now = time_t(unixTime)
        guard X509_cmp_time(X509_get0_notBefore(x509), &now) < 0 else { throw .notYetValid }
        guard X509_cmp_time(X509_get0_notAfter(x509), &now) > 0 else { throw .expired }
    }

    /// Reads the libp2p extension, and refuses critical extensions that we don't understand.
    private static func signedKey(in x509: OpaquePointer) throws(CertificateError) -> SignedKey {
        var found: SignedKey?
        for index in 0..<max(0, X509_get_ext_count(x509)) {
            guard let item = X509_get_ext(x509, index), let object = X509_EXTENSION_get_object(item) else {
                throw .unreadable
            }
            let identifier = identifier(of: object)
            if identifier == LibP2PTLS.extensionIdentifier {
                guard found == nil else { throw .repeatedExtension }
                guard let parsed = SignedKey(der: content(of: item)) else { throw .malformedExtension }
                found = parsed
            } else if X509_EXTENSION_get_critical(item) != 0 {
                try checkCritical(identifier, of: x509)
            }
        }
        guard let found else { throw .missingExtension }
        return found
    }

    /// The two critical extensions that we understand, because py-libp2p's certificates have them.
    ///
    /// Basic constraints speak about certificates signed by this one, and there are none. Key usage must allow what
    /// TLS 1.3 uses the key for.
    private static func checkCritical(_ identifier: String, of x509: OpaquePointer) throws(CertificateError) {
        let basicConstraints = "2.5.29.19"
        let keyUsage = "2.5.29.15"
        switch identifier {
        case basicConstraints: return
        case keyUsage:
            guard X509_get_key_usage(x509) & UInt32(KU_DIGITAL_SIGNATURE) != 0 else { throw .keyUsage }
        default: throw .unknownCriticalExtension(identifier)
        }
    }

    private static func checkSelfSignature(_ x509: OpaquePointer) throws(CertificateError) {
        guard let key = X509_get0_pubkey(x509) else { throw .unsupportedKey }
        switch EVP_PKEY_get_base_id(key) {
        case EVP_PKEY_EC, EVP_PKEY_ED25519: break
        case EVP_PKEY_RSA, EVP_PKEY_RSA_PSS:
            guard rsaBits.contains(Int(EVP_PKEY_get_bits(key))) else { throw .unsupportedKey }
        default: throw .unsupportedKey
        }
        guard X509_verify(x509, key) == 1 else { throw .badSelfSignature }
    }

    /// The dotted form; a longer one than 80 characters is cut off, and then known to nobody.
    private static func identifier(of object: OpaquePointer) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 81) { text in
            text.initialize(repeating: 0)
            OBJ_obj2txt(text.baseAddress, Int32(text.count), object, 1)
            return text.baseAddress.map { String(cString: $0) } ?? ""
        }
    }

    private static func content(of item: OpaquePointer) -> [UInt8] {
        let octets = X509_EXTENSION_get_data(item)
        let count = ASN1_STRING_length(octets)
        guard count > 0, let bytes = ASN1_STRING_get0_data(octets) else { return [] }
        return [UInt8](UnsafeBufferPointer(start: bytes, count: Int(count)))
    }
}
