internal import COpenSSL
internal import COpenSSLShim
internal import OxbowCore
internal import OxbowCrypto

/// What libssl's callbacks ask us during one handshake, and what we answered.
///
/// libssl reaches it through the connection's application data, so it lives as long as the connection: see
/// ``TLSConnection``.
final class TLSPeerCheck {
    private let muxers: [ProtocolID]
    private let expectedPeer: PeerID?
    private let unixTime: Int64

    /// Who the certificate says the other side is; nil until one was accepted.
    private(set) var identity: (peer: PeerID, publicKey: PublicKey)?
    /// Why we refused what the other side presented.
    private(set) var refusal: SecurityError?

    init(muxers: [ProtocolID], expectedPeer: PeerID?, unixTime: Int64) {
        self.muxers = muxers
        self.expectedPeer = expectedPeer
        self.unixTime = unixTime
    }

    /// libssl's index of a connection's application data (`SSL_set_app_data`).
    static let applicationData: Int32 = 0

    /// What libssl keeps for us. It doesn't keep the object alive.
    var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    static func of(connection ssl: OpaquePointer) -> TLSPeerCheck? {
        SSL_get_ex_data(ssl, applicationData).map { Unmanaged<TLSPeerCheck>.fromOpaque($0).takeUnretainedValue() }
    }

    static func of(_ store: OpaquePointer) -> TLSPeerCheck? {
        guard let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()) else { return nil }
        return of(connection: OpaquePointer(ssl))
    }

    // MARK: Certificates

    /// Checks what the other side presented. On refusal `store` gets the error that libssl turns into an alert.
    func verifyCertificates(of store: OpaquePointer) -> Bool {
        // What libcrypto leaves in the thread's error queue would be taken for a failure of the connection.
        defer { ERR_clear_error() }
        do {
            identity = try verified(store)
            return true
        } catch {
            refusal = error
            X509_STORE_CTX_set_error(store, Self.verifyCode(for: error))
            return false
        }
    }

    private func verified(_ store: OpaquePointer) throws(SecurityError) -> (peer: PeerID, publicKey: PublicKey) {
        let count = Int(oxbow_tls_certificate_count(X509_STORE_CTX_get0_untrusted(store)))
        guard count > 0, let x509 = X509_STORE_CTX_get0_cert(store) else { throw .certificate(.missing) }
        guard count == 1 else { throw .certificate(.moreThanOne(count)) }
        let publicKey: PublicKey
        do {
            publicKey = try TLSCertificateCheck.identity(inX509: x509, at: unixTime)
        } catch {
            throw .certificate(error)
        }
        let peer = publicKey.peerID
        if let expectedPeer, expectedPeer != peer { throw .peerIDMismatch(expected: expectedPeer, actual: peer) }
        return (peer, publicKey)
    }

    /// The verification error whose alert tells the other side what was wrong.
    private static func verifyCode(for error: SecurityError) -> Int32 {
        switch error {
        case .certificate(.expired): X509_V_ERR_CERT_HAS_EXPIRED
        case .certificate(.notYetValid): X509_V_ERR_CERT_NOT_YET_VALID
        case .certificate(.badSelfSignature), .certificate(.badSignature): X509_V_ERR_CERT_SIGNATURE_FAILURE
        case .certificate(.unknownCriticalExtension): X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION
        default: X509_V_ERR_CERT_REJECTED
        }
    }

    // MARK: Application protocols

    /// The list that a client of ours offers: its multiplexers, then `libp2p` (inlined-muxer-negotiation).
    ///
    /// A name of more than 255 bytes can't be offered here: multistream-select can still agree on it.
    var offer: [UInt8] {
        let names = muxers.map { [UInt8]($0.rawValue.utf8) } + [[UInt8](LibP2PTLS.applicationProtocol.utf8)]
        return names.filter { $0.count <= 255 }.flatMap { [UInt8($0.count)] + $0 }
    }

    /// The first of the client's protocols that we have too: where its name stands in `offer`.
    func selectProtocol(from offer: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
        var position = 0
        while position < offer.count {
            let start = position + 1
            let end = start + Int(offer[position])
            guard end <= offer.count else { break }
            if isOurs(offer[start..<end]) { return start..<end }
            position = end
        }
        refusal = .noCommonMuxer
        return nil
    }

    /// The multiplexer that was agreed on, or nil for `libp2p` and for a side that negotiates no protocol.
    func muxer(agreed name: UnsafeBufferPointer<UInt8>) throws(SecurityError) -> ProtocolID? {
        guard !name.isEmpty, !name.elementsEqual(LibP2PTLS.applicationProtocol.utf8) else { return nil }
        // libssl doesn't compare a server's answer with what we offered.
        guard let muxer = muxers.first(where: { name.elementsEqual($0.rawValue.utf8) }) else {
            throw .malformed("it chose a multiplexer that we didn't offer")
        }
        return muxer
    }

    private func isOurs(_ name: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        name.elementsEqual(LibP2PTLS.applicationProtocol.utf8)
            || muxers.contains { name.elementsEqual($0.rawValue.utf8) }
    }
}
