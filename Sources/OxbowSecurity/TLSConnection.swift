internal import COpenSSL
internal import COpenSSLShim
internal import OxbowCore

/// One of libssl's connections between two memory buffers, freed with the value.
///
/// `@unchecked Sendable`: there is one owner at a time, and libssl ties a connection to no thread.
struct TLSConnection: ~Copyable, @unchecked Sendable {
    let ssl: OpaquePointer
    /// Bytes from the other side that wait for libssl. Owned by `window`.
    private let incoming: OpaquePointer
    /// Bytes for the other side that libssl has written. Owned by `window`.
    private let outgoing: OpaquePointer
    /// What libssl reads and writes: the two above, and a caller's memory where it is lent. Owned by `ssl`.
    private let window: OpaquePointer
    let check: TLSPeerCheck
    /// No function of libssl may be called on a connection that failed.
    private(set) var hasFailed = false

    /// `offer` is the initiator's list of application protocols, and nil `check`'s: tests offer what we never would.
    init(
        role: SecurityRole, context: TLSContext, check: TLSPeerCheck, offer: [UInt8]? = nil
    ) throws(SecurityError) {
        guard let ssl = SSL_new(context.pointer) else { throw .local("no memory for a TLS connection") }
        let incoming = BIO_new(BIO_s_mem())
        let outgoing = BIO_new(BIO_s_mem())
        let offer = offer ?? check.offer
        // Unlike libssl's other functions, the one for ALPN gives 0 when it has succeeded. The window comes last: it owns the buffers.
        guard let incoming, let outgoing, SSL_set_ex_data(ssl, TLSPeerCheck.applicationData, check.pointer) == 1,
            SSL_set_alpn_protos(ssl, offer, UInt32(offer.count)) == 0,
            let window = oxbow_tls_window_new(incoming, outgoing)
        else {
            BIO_free(incoming)
            BIO_free(outgoing)
            SSL_free(ssl)
            throw .local("libssl refused a TLS connection")
        }
        SSL_set_bio(ssl, window, window)
        switch role {
        case .initiator: SSL_set_connect_state(ssl)
        case .responder: SSL_set_accept_state(ssl)
        }
        self.ssl = ssl
        self.incoming = incoming
        self.outgoing = outgoing
        self.window = window
        self.check = check
    }

    deinit {
        SSL_free(ssl)
    }

    /// Hands bytes from the other side to libssl, which copies them.
    mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(SecurityError) {
        guard !hasFailed else { throw .closed }
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
        precondition(bytes.count <= Int(Int32.max), "more than 2 GiB at once")
        guard BIO_write(incoming, base, Int32(bytes.count)) == Int32(bytes.count) else {
            throw fail(.local("no memory for bytes from the other side"))
        }
    }

    /// Lets libssl read `bytes` where they are while `body` runs: behind what was handed to it before, and without a copy.
    ///
    /// - Returns: how many of them it has read.
    mutating func lending<Value>(
        input bytes: UnsafeRawBufferPointer, _ body: (inout TLSConnection) throws(SecurityError) -> Value
    ) throws(SecurityError) -> (value: Value, read: Int) {
        oxbow_tls_window_lend_input(window, bytes.baseAddress, bytes.count)
        let value: Value
        do throws(SecurityError) {
            value = try body(&self)
        } catch {
            _ = oxbow_tls_window_return_input(window)
            throw error
        }
        return (value, bytes.count - oxbow_tls_window_return_input(window))
    }

    /// Lets libssl write to `bytes` while `body` runs. What finds no room there, or would pass what waits already, waits
    /// for ``takeOutput(into:)``.
    ///
    /// - Returns: how many bytes it has written there.
    mutating func lending(
        output bytes: UnsafeMutableRawBufferPointer, _ body: (inout TLSConnection) throws(SecurityError) -> Void
    ) throws(SecurityError) -> Int {
        oxbow_tls_window_lend_output(window, bytes.baseAddress, bytes.count)
        do throws(SecurityError) {
            try body(&self)
        } catch {
            _ = oxbow_tls_window_return_output(window)
            throw error
        }
        return oxbow_tls_window_return_output(window)
    }

    /// How many bytes from the other side libssl has not looked at.
    var pendingInput: Int {
        BIO_ctrl_pending(incoming)
    }

    /// How many bytes wait to be sent.
    var pendingOutput: Int {
        BIO_ctrl_pending(outgoing)
    }

    /// Moves bytes that wait to be sent into `buffer` and gives their count.
    mutating func takeOutput(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard let base = buffer.baseAddress, !buffer.isEmpty else { return 0 }
        return Int(max(0, BIO_read(outgoing, base, Int32(clamping: buffer.count))))
    }

    mutating func takeOutput() -> [UInt8] {
        let pending = pendingOutput
        return [UInt8](unsafeUninitializedCapacity: pending) { buffer, count in
            count = takeOutput(into: UnsafeMutableRawBufferPointer(buffer))
        }
    }

    /// What one of libssl's functions came to.
    enum Outcome: Equatable {
        case done
        case needsInput
        /// The other side sent close_notify.
        case ended
    }

    /// Runs one of libssl's functions, which returns 1 when it has succeeded.
    mutating func run(_ operation: (OpaquePointer) -> Int32) throws(SecurityError) -> Outcome {
        guard !hasFailed else { throw .closed }
        // libssl looks into the thread's error queue to tell what happened: nothing older may stand in it.
        ERR_clear_error()
        let result = operation(ssl)
        if result == 1 { return .done }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .needsInput
        case SSL_ERROR_ZERO_RETURN: return .ended
        default: throw fail(check.refusal ?? Self.queuedError())
        }
    }

    mutating func fail(_ error: SecurityError) -> SecurityError {
        hasFailed = true
        ERR_clear_error()
        return error
    }

    /// The first entry of the error queue is the cause; later ones are its consequences.
    private static func queuedError() -> SecurityError {
        let code = ERR_peek_error()
        let reason = ERR_GET_REASON(code)
        let alertOffset = 1000  // SSL_AD_REASON_OFFSET: libssl's reasons from here on are alerts that were received.
        if ERR_GET_LIB(code) == ERR_LIB_SSL {
            switch reason {
            case Int32(alertOffset)..<Int32(alertOffset + 256):
                return .tlsAlert(TLSAlert(code: UInt8(truncatingIfNeeded: Int(reason) - alertOffset)))
            case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return .certificate(.missing)
            case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC: return .decryptionFailed
            default: break
            }
        }
        return .tls(ERR_reason_error_string(code).map { String(cString: $0) } ?? "an unknown error (\(code))")
    }
}
