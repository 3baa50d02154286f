import OxbowCore

/// The frame of most libp2p messages: the length of the body as an unsigned varint, then the body.
public enum LengthDelimited {
    /// Takes one body from the front of `input`.
    ///
    /// - Parameters:
    ///   - input: what has arrived and isn't consumed. It is untouched unless a whole body was there.
    ///   - limit: the most bytes a body may have. A prefix that promises more throws at once, before the body comes.
    ///   - message: what the error calls the message.
    /// - Returns: the body, or nil when more bytes are needed.
    /// - Throws: ``WireError/tooLarge(message:size:limit:)`` or ``WireError/badLengthPrefix(_:)``.
    public static func decode(
        from input: inout ArraySlice<UInt8>, limit: Int, message: String = "length-delimited"
    ) throws(WireError) -> ArraySlice<UInt8>? {
        let prefix: (value: UInt64, length: Int)?
        do { prefix = try Varint.decode(input) } catch { throw .badLengthPrefix(error) }
        guard let (size, prefixLength) = prefix else { return nil }
        guard let count = Int(exactly: size), count <= limit else {
            throw .tooLarge(message: message, size: size, limit: limit)
        }
        let rest = input.dropFirst(prefixLength)
        guard rest.count >= count else { return nil }
        input = rest.dropFirst(count)
        return rest.prefix(count)
    }

    /// The body behind its length.
    public static func encode(_ body: some Collection<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(body.count + 3)
        Varint.encode(UInt64(body.count), into: &output)
        output.append(contentsOf: body)
        return output
    }
}
