package import OxbowSecurity

// Short messages over either transport, as an upgrade sends them. Bulk data takes the transports' own interfaces, which
// don't copy.

extension SecureTransport {
    /// Encrypts a short message.
    package mutating func seal(_ message: [UInt8]) throws(SecurityError) -> [UInt8] {
        switch consume self {
        case .noise(var noise):
            let result = Self.seal(message, with: &noise)
            self = .noise(noise)
            return try result.get()
        case .tls(var tls):
            let result = Self.seal(message, with: &tls)
            self = .tls(tls)
            return try result.get()
        }
    }

    /// Decrypts what `input` holds: whole records from its front. Gives nothing when the first isn't complete.
    package mutating func open(_ input: inout ArraySlice<UInt8>) throws(SecurityError) -> [UInt8] {
        switch consume self {
        case .noise(var noise):
            let result = Self.open(&input, with: &noise)
            self = .noise(noise)
            return try result.get()
        case .tls(var tls):
            let result = Self.open(&input, with: &tls)
            self = .tls(tls)
            return try result.get()
        }
    }

    // MARK: Noise

    private static func seal(
        _ message: [UInt8], with noise: inout NoiseTransport
    ) -> Result<[UInt8], SecurityError> {
        var record = [UInt8](repeating: 0, count: message.count + NoiseTransport.overhead)
        return message.withUnsafeBytes { plaintext in
            record.withUnsafeMutableBytes { output in
                Result { () throws(SecurityError) in try noise.seal(plaintext, into: output) }
            }
        }.map { record }
    }

    /// One record at a time: what follows stays in `input`, where a layer change finds it.
    private static func open(
        _ input: inout ArraySlice<UInt8>, with noise: inout NoiseTransport
    ) -> Result<[UInt8], SecurityError> {
        let prefix = [UInt8](input.prefix(NoiseTransport.lengthPrefix))
        guard prefix.count == NoiseTransport.lengthPrefix else { return .success([]) }
        let length = Int(prefix[0]) << 8 | Int(prefix[1])
        guard input.count >= prefix.count + length else { return .success([]) }
        var record = [UInt8](input.dropFirst(prefix.count).prefix(length))
        input = input.dropFirst(prefix.count + length)
        return record.withUnsafeMutableBytes { bytes in
            Result { () throws(SecurityError) in try noise.open(bytes) }
        }.map { [UInt8](record.prefix($0)) }
    }

    // MARK: TLS

    private static func seal(_ message: [UInt8], with tls: inout TLSTransport) -> Result<[UInt8], SecurityError> {
        let written = message.withUnsafeBytes { plaintext in
            Result { () throws(SecurityError) in try tls.write(plaintext) }
        }
        return written.map { takeOutput(of: &tls) }
    }

    static func takeOutput(of tls: inout TLSTransport) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: tls.pendingOutput)
        let count = output.withUnsafeMutableBytes { tls.takeOutput(into: $0) }
        output.removeLast(output.count - count)
        return output
    }

    private static func open(
        _ input: inout ArraySlice<UInt8>, with tls: inout TLSTransport
    ) -> Result<[UInt8], SecurityError> {
        let bytes = [UInt8](input)
        input = []
        let fed = bytes.withUnsafeBytes { ciphertext in
            Result { () throws(SecurityError) in try tls.receive(ciphertext) }
        }
        return fed.flatMap { readAll(of: &tls) }
    }

    private static func readAll(of tls: inout TLSTransport) -> Result<[UInt8], SecurityError> {
        var plaintext: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: TLSTransport.maximumPlaintext)
        while true {
            let read = chunk.withUnsafeMutableBytes { buffer in
                Result { () throws(SecurityError) in try tls.read(into: buffer) }
            }
            switch read {
            case .success(.bytes(let count)): plaintext += chunk.prefix(count)
            case .success(.wouldBlock): return .success(plaintext)
            case .success(.closed): return plaintext.isEmpty ? .failure(.closed) : .success(plaintext)
            case .failure(let error): return .failure(error)
            }
        }
    }
}

extension Result where Failure == SecurityError, Success: ~Copyable {
    fileprivate init(_ body: () throws(SecurityError) -> Success) {
        do throws(SecurityError) { self = .success(try body()) } catch { self = .failure(error) }
    }
}
