internal import COpenSSL
internal import COpenSSLShim
internal import OxbowCore
public import OxbowCrypto

/// A host's side of every TLS connection: a certificate that its identity key vouches for, and libssl's settings.
///
/// Make one per host and share it: a certificate costs a key and two signatures.
///
/// `@unchecked Sendable`: libssl's context counts its references atomically, and nothing of it changes after `init`.
public final class TLSContext: @unchecked Sendable {
    /// The longest certificate message that is read, in bytes. An identity of RSA with 8,192 bits takes 2.5 KiB.
    static let maximumCertificateBytes = 16 * 1024

    let pointer: OpaquePointer

    /// Makes a key and a certificate. Throws ``SecurityError/local(_:)`` when `identity` can't sign.
    public convenience init(identity: PrivateKey) throws(SecurityError) {
        let key = try TLSCertificateKey()
        let template = try TLSCertificateTemplate(identity: identity, key: key)
        let certificate = try template.signed(with: key)
        try self.init()
        try use(certificate, key)
    }

    /// A context that has no certificate yet.
    ///
    /// - Parameter library: libcrypto's library context, from which random numbers are drawn; nil: the one that every
    ///   program has. Tests whose bytes have to be the same in each run make one of their own, which has to outlive all
    ///   connections. Nothing outside of this module can give one.
    init(library: OpaquePointer? = nil) throws(SecurityError) {
        guard let pointer = SSL_CTX_new_ex(library, nil, TLS_method()) else { throw .local("libssl gave no context") }
        self.pointer = pointer
        guard oxbow_tls_context_configure(pointer, Self.maximumCertificateBytes) == 1 else {
            throw .local("libssl refused our settings")
        }
        // Both ends present a certificate, and it is checked while the handshake runs: libssl gives out no
        // application data before the callback has accepted it.
        SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        SSL_CTX_set_cert_verify_callback(
            pointer,
            { store, _ in
                guard let store, let check = TLSPeerCheck.of(store) else { return 0 }
                return check.verifyCertificates(of: store) ? 1 : 0
            }, nil)
        SSL_CTX_set_alpn_select_cb(
            pointer,
            { ssl, chosen, chosenCount, offered, offeredCount, _ in
                guard let ssl, let check = TLSPeerCheck.of(connection: ssl), let offered else {
                    return SSL_TLSEXT_ERR_ALERT_FATAL
                }
                let offer = UnsafeBufferPointer(start: offered, count: Int(offeredCount))
                guard let range = check.selectProtocol(from: offer) else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                chosen?.pointee = offered + range.lowerBound
                chosenCount?.pointee = UInt8(range.count)
                return SSL_TLSEXT_ERR_OK
            }, nil)
    }

    deinit {
        SSL_CTX_free(pointer)
    }

    /// Presents `certificate` from now on. Only for a context that no connection uses yet.
    func use(_ certificate: borrowing TLSCertificate, _ key: borrowing TLSCertificateKey) throws(SecurityError) {
        guard SSL_CTX_use_certificate(pointer, certificate.x509) == 1,
            SSL_CTX_use_PrivateKey(pointer, key.pointer) == 1
        else { throw .local("libssl refused our certificate") }
    }

    /// Sends `certificate` behind the first. The specification forbids it: tests play such a peer.
    func alsoSend(_ certificate: borrowing TLSCertificate) {
        precondition(oxbow_tls_context_add_chain_certificate(pointer, certificate.x509) == 1, "libssl refused it")
    }
}
