internal import COpenSSL
internal import COpenSSLShim
internal import OxbowCore
internal import OxbowCrypto

/// The names that the libp2p TLS specification gives.
enum LibP2PTLS {
    static let extensionIdentifier = "1.3.6.1.4.1.53594.1.1"
    /// What the identity key signs: this, then the certificate's SubjectPublicKeyInfo.
    static let signaturePrefix = [UInt8]("libp2p-tls-handshake:".utf8)
    /// The application protocol that stands for "no multiplexer agreed".
    static let applicationProtocol = "libp2p"
}

/// An X.509 certificate of libcrypto's, freed with the value.
struct TLSCertificate: ~Copyable {
    let x509: OpaquePointer

    /// Takes over `x509`.
    init(owning x509: OpaquePointer) {
        self.x509 = x509
    }

    /// Reads a certificate that is all of `der`.
    init(der: [UInt8]) throws(CertificateError) {
        let x509: OpaquePointer? = der.withUnsafeBufferPointer { bytes in
            var position = bytes.baseAddress
            guard let parsed = d2i_X509(nil, &position, bytes.count) else { return nil }
            guard position == bytes.baseAddress.map({ $0 + bytes.count }) else {
                X509_free(parsed)
                return nil
            }
            return parsed
        }
        ERR_clear_error()
        guard let x509 else { throw .unreadable }
        self.x509 = x509
    }

    deinit {
        X509_free(x509)
    }

    var der: [UInt8] {
        encodeDER { i2d_X509(x509, $0) }
    }
}

/// Runs one of libcrypto's `i2d` functions, which allocate their result when given a null pointer.
func encodeDER(_ encode: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>) -> Int32) -> [UInt8] {
    var bytes: UnsafeMutablePointer<UInt8>?
    let count = encode(&bytes)
    guard count > 0, let bytes else { return [] }
    defer { oxbow_tls_free(bytes) }
    return [UInt8](UnsafeBufferPointer(start: bytes, count: Int(count)))
}

/// A certificate's own key, freed with the value. It has nothing to do with the identity key (libp2p/specs, tls).
struct TLSCertificateKey: ~Copyable {
    let pointer: OpaquePointer

    /// A fresh ECDSA key on P-256, which every implementation can verify, and quickly.
    init() throws(SecurityError) {
        guard let pointer = oxbow_tls_generate_p256() else { throw .local("no key for the certificate could be made") }
        self.pointer = pointer
    }

    deinit {
        EVP_PKEY_free(pointer)
    }

    var subjectPublicKeyInfo: [UInt8] {
        encodeDER { i2d_PUBKEY(pointer, $0) }
    }
}

/// What goes into a certificate of ours. Tests change a field to get a certificate that must be refused.
struct TLSCertificateTemplate {
    struct Extension {
        var identifier: String
        var isCritical = false
        var value: [UInt8]
    }

    /// The validity, in the form that RFC 5280 gives. It starts in the past and ends where others' does, so that no
    /// clock is needed to make a certificate and clocks that differ do no harm.
    var notBefore = "19750101000000Z"
    var notAfter = "40960101000000Z"
    var extensions: [Extension]

    /// The libp2p extension alone. It is not marked critical: rustls refuses to load such a certificate.
    init(identity: PrivateKey, key: borrowing TLSCertificateKey) throws(SecurityError) {
        let signed = LibP2PTLS.signaturePrefix + key.subjectPublicKeyInfo
        let signature: [UInt8]
        do {
            signature = try identity.sign(signed)
        } catch {
            throw .local("the identity key can't sign: \(error)")
        }
        let signedKey = SignedKey(publicKey: identity.publicKey.protobuf, signature: signature)
        extensions = [Extension(identifier: LibP2PTLS.extensionIdentifier, value: signedKey.der)]
    }

    func signed(with key: borrowing TLSCertificateKey) throws(SecurityError) -> TLSCertificate {
        guard let x509 = X509_new() else { throw .local("no memory for a certificate") }
        let certificate = TLSCertificate(owning: x509)
        let version3 = 2
        // A serial number must be positive and differ between certificates; their keys do.
        let serial = SHA256.hash(key.subjectPublicKeyInfo).prefix(7).reduce(1) { UInt64($0) << 8 | UInt64($1) }
        guard X509_set_version(x509, version3) == 1,
            ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial) == 1,
            Self.setTime(notBefore, { X509_set1_notBefore(x509, $0) }),
            Self.setTime(notAfter, { X509_set1_notAfter(x509, $0) }),
            setNames(x509),
            X509_set_pubkey(x509, key.pointer) == 1,
            extensions.allSatisfy({ add($0, to: x509) }),
            X509_sign(x509, key.pointer, EVP_sha256()) > 0
        else { throw .local("the certificate couldn't be made") }
        return certificate
    }

    private static func setTime(_ text: String, _ set: (UnsafePointer<ASN1_TIME>) -> Int32) -> Bool {
        guard let time = ASN1_TIME_new() else { return false }
        defer { ASN1_TIME_free(time) }
        return ASN1_TIME_set_string_X509(time, text) == 1 && set(time) == 1
    }

    /// RFC 5280 wants an issuer that isn't empty.
    private func setNames(_ x509: OpaquePointer) -> Bool {
        guard let name = X509_get_subject_name(x509) else { return false }
        let organization = [UInt8]("libp2p".utf8)
        let count = Int32(organization.count)
        return X509_NAME_add_entry_by_txt(name, "O", V_ASN1_UTF8STRING, organization, count, -1, 0) == 1
            && X509_set_issuer_name(x509, name) == 1
    }

    private func add(_ item: Extension, to x509: OpaquePointer) -> Bool {
        guard let object = OBJ_txt2obj(item.identifier, 1), let value = ASN1_OCTET_STRING_new() else { return false }
        defer {
            ASN1_OBJECT_free(object)
            ASN1_OCTET_STRING_free(value)
        }
        guard ASN1_OCTET_STRING_set(value, item.value, Int32(item.value.count)) == 1,
            let made = X509_EXTENSION_create_by_OBJ(nil, object, item.isCritical ? 1 : 0, value)
        else { return false }
        defer { X509_EXTENSION_free(made) }
        return X509_add_ext(x509, made, -1) == 1
    }
}
