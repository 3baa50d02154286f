internal import COpenSSL
internal import OxbowCore

/// The handshake of libp2p's TLS 1.3, protocol `/tls/1.0.0` (libp2p/specs, tls), on libssl.
///
/// Both ends are verified before ``HandshakeStep/finished(send:_:)`` is reported, on either side. A client has
/// finished before the server has seen its certificate: when the server refuses it, the client's *transport* throws
/// ``SecurityError/tlsAlert(_:)``.
///
/// libssl draws its own random numbers, so this is the one machine whose bytes differ from run to run: a simulation
/// that must replay uses Noise with known keys.
///
/// Records are taken from the input one by one, so that what follows the last one of the handshake stays there.
public struct TLSHandshake: ~Copyable, Sendable {
    /// The most bytes that are read before the handshake has finished. Certificates are the bulk of it.
    static let maximumBytes = 64 * 1024
    /// RFC 8446, section 5.2: 2^14 bytes, and 256 that encryption may add.
    static let maximumRecord = 16_384 + 256
    static let headerLength = 5

    private enum Phase: Sendable {
        case running
        case finished
        case failed(SecurityError)
    }

    private var connection: TLSConnection
    private var phase = Phase.running
    private var received = 0

    /// - Parameters:
    ///   - context: of the host whose identity `configuration` names.
    ///   - unixTime: the time in seconds since 1970, UTC, by which the other side's certificate is judged.
    public init(
        role: SecurityRole, context: TLSContext, configuration: SecurityConfiguration, unixTime: Int64
    ) throws(SecurityError) {
        let check = TLSPeerCheck(
            muxers: configuration.muxers, expectedPeer: configuration.expectedPeer, unixTime: unixTime)
        connection = try TLSConnection(role: role, context: context, check: check)
    }

    /// For tests, whose other end does what ours never would.
    init(connection: consuming TLSConnection) {
        self.connection = connection
    }

    /// What to send first: the initiator's ClientHello, nothing for the responder.
    public mutating func start() -> [UInt8] {
        do {
            _ = try advance()
        } catch {
            phase = .failed(error)
        }
        return connection.takeOutput()
    }

    /// Takes whole records from the front of `input`.
    ///
    /// - Throws: when the handshake has failed. ``takeOutput()`` then has the alert that tells the other side.
    public mutating func receive(_ input: inout ArraySlice<UInt8>) throws(SecurityError) -> HandshakeStep {
        switch phase {
        case .running: break
        case .finished: return .needMore
        case .failed(let error):
            phase = .failed(.closed)
            throw error
        }
        do {
            return try receiveRecords(&input)
        } catch {
            phase = .failed(.closed)
            throw error
        }
    }

    /// What still has to be sent after ``receive(_:)`` has thrown: an alert, or nothing.
    public mutating func takeOutput() -> [UInt8] {
        connection.takeOutput()
    }

    /// The connection's transport. Only after ``HandshakeStep/finished(send:_:)``.
    public consuming func takeTransport() -> TLSTransport {
        guard case .finished = phase else { preconditionFailure("the handshake has not finished") }
        return TLSTransport(connection: connection)
    }

    private mutating func receiveRecords(_ input: inout ArraySlice<UInt8>) throws(SecurityError) -> HandshakeStep {
        while let count = try nextRecord(in: input) {
            try feed(input.prefix(count))
            input = input.dropFirst(count)
            let peer = try advance()
            let output = connection.takeOutput()
            if let peer { return .finished(send: output, peer) }
            if !output.isEmpty { return .send(output) }
        }
        return .needMore
    }

    /// The length of the record at the front of `input` with its header, or nil when it isn't complete.
    private mutating func nextRecord(in input: ArraySlice<UInt8>) throws(SecurityError) -> Int? {
        let header = [UInt8](input.prefix(Self.headerLength))
        guard header.count == Self.headerLength else { return nil }
        let length = Int(header[3]) << 8 | Int(header[4])
        let contentTypes: ClosedRange<UInt8> = 20...23
        guard contentTypes.contains(header[0]), header[1] == 3 else {
            throw connection.fail(.malformed("no TLS record where one should start"))
        }
        guard length <= Self.maximumRecord else {
            throw connection.fail(.recordTooLong(length: length, limit: Self.maximumRecord))
        }
        let count = Self.headerLength + length
        guard received + count <= Self.maximumBytes else {
            throw connection.fail(.recordTooLong(length: received + count, limit: Self.maximumBytes))
        }
        return count <= input.count ? count : nil
    }

    private mutating func feed(_ record: ArraySlice<UInt8>) throws(SecurityError) {
        received += record.count
        let bytes = [UInt8](record)
        // A closure can't throw a typed error through `withUnsafeBytes` of a slice: the result carries it.
        let failure: SecurityError? = bytes.withUnsafeBytes { bytes in
            do throws(SecurityError) {
                try connection.feed(bytes)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }

    /// Lets libssl go on; gives the other side when the handshake has finished.
    private mutating func advance() throws(SecurityError) -> AuthenticatedPeer? {
        switch try connection.run({ SSL_do_handshake($0) }) {
        case .needsInput: return nil
        case .ended: throw connection.fail(.closed)
        case .done: break
        }
        guard let identity = connection.check.identity else { throw connection.fail(.certificate(.missing)) }
        let muxer: ProtocolID?
        do {
            muxer = try agreedMuxer()
        } catch {
            throw connection.fail(error)
        }
        phase = .finished
        return AuthenticatedPeer(peer: identity.peer, publicKey: identity.publicKey, muxer: muxer)
    }

    private func agreedMuxer() throws(SecurityError) -> ProtocolID? {
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(connection.ssl, &name, &count)
        return try connection.check.muxer(agreed: UnsafeBufferPointer(start: name, count: Int(count)))
    }
}
