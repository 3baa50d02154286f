/// Either handshake, for whoever drives both the same way.
public enum SecureHandshake: ~Copyable, Sendable {
    case noise(NoiseHandshake)
    case tls(TLSHandshake)

    /// What to send first; nothing for the responder. Called once.
    public mutating func start() -> [UInt8] {
        switch consume self {
        case .noise(var handshake):
            let output = handshake.start()
            self = .noise(handshake)
            return output
        case .tls(var handshake):
            let output = handshake.start()
            self = .tls(handshake)
            return output
        }
    }

    /// Takes whole messages from the front of `input`.
    public mutating func receive(_ input: inout ArraySlice<UInt8>) throws(SecurityError) -> HandshakeStep {
        switch consume self {
        case .noise(var handshake):
            let step = Self.result { () throws(SecurityError) in try handshake.receive(&input) }
            self = .noise(handshake)
            return try step.get()
        case .tls(var handshake):
            let step = Self.result { () throws(SecurityError) in try handshake.receive(&input) }
            self = .tls(handshake)
            return try step.get()
        }
    }

    /// What still has to be sent after ``receive(_:)`` has thrown: TLS has an alert, Noise has none.
    public mutating func takeOutput() -> [UInt8] {
        switch consume self {
        case .noise(let handshake):
            self = .noise(handshake)
            return []
        case .tls(var handshake):
            let output = handshake.takeOutput()
            self = .tls(handshake)
            return output
        }
    }

    /// The connection's transport. Only after ``HandshakeStep/finished(send:_:)``.
    public consuming func takeTransport() -> SecureTransport {
        switch consume self {
        case .noise(let handshake): .noise(handshake.takeTransport())
        case .tls(let handshake): .tls(handshake.takeTransport())
        }
    }

    private static func result(
        _ body: () throws(SecurityError) -> HandshakeStep
    ) -> Result<HandshakeStep, SecurityError> {
        do {
            return .success(try body())
        } catch {
            return .failure(error)
        }
    }
}

/// Either transport. They differ in shape: Noise works on records where they lie, TLS has buffers of its own.
public enum SecureTransport: ~Copyable, Sendable {
    case noise(NoiseTransport)
    case tls(TLSTransport)
}
