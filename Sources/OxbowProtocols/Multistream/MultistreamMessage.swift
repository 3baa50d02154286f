public import OxbowCore

/// What one negotiation may cost.
public struct MultistreamLimits: Hashable, Sendable {
    /// The longest message in bytes, line feed included; the bound of the other implementations is 1,024.
    public var maximumMessageLength: Int
    /// How many proposals a listener answers before it gives up on the peer.
    public var maximumProposals: Int

    /// Both bounds are at least 1.
    public init(maximumMessageLength: Int = 1024, maximumProposals: Int = 64) {
        precondition(maximumMessageLength > 0 && maximumProposals > 0, "a negotiation needs at least one message")
        self.maximumMessageLength = maximumMessageLength
        self.maximumProposals = maximumProposals
    }
}

/// Why a multistream-select negotiation ended without a protocol.
public enum MultistreamError: Error, Hashable, Sendable {
    /// A message's length isn't an unsigned varint.
    case malformedLength(VarintError)
    /// A message promises this many bytes, more than the bound.
    case messageTooLong(length: UInt64, limit: Int)
    /// A message of no bytes: it lacks even its line feed.
    case emptyMessage
    /// A message doesn't end in a line feed.
    case missingLineFeed
    /// A message isn't UTF-8.
    case invalidText
    /// The first message wasn't `/multistream/1.0.0`.
    case wrongHeader(String)
    /// The answer neither was `na` nor repeated the proposal.
    case unexpectedAnswer(proposal: ProtocolID, answer: String)
    /// The listener has answered `na` as often as its limits allow.
    case tooManyProposals(limit: Int)
    /// The peer answered `na` to each of these.
    case refused([ProtocolID])
}

extension MultistreamError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .malformedLength:
            "multistream-select: a message's length is not an unsigned varint; the peer speaks something else"
        case .messageTooLong(let length, let limit):
            "multistream-select: a message of \(length) bytes is over the limit of \(limit)"
        case .emptyMessage:
            "multistream-select: a message of no bytes"
        case .missingLineFeed:
            "multistream-select: a message does not end in a line feed"
        case .invalidText:
            "multistream-select: a message is not UTF-8"
        case .wrongHeader(let text):
            "multistream-select: the peer began with \(excerpt(of: text)) instead of \(MultistreamMessage.headerText)"
        case .unexpectedAnswer(let proposal, let answer):
            "multistream-select: the peer answered \(excerpt(of: answer)) to the proposal of \(proposal)"
        case .tooManyProposals(let limit):
            "multistream-select: the peer proposed more than \(limit) protocols that are not supported here"
        case .refused(let protocols):
            "the peer supports none of: \(protocols.map(\.rawValue).joined(separator: ", "))"
        }
    }

    /// A remote text as it may appear in a log line: short, and with every control character escaped.
    private func excerpt(of text: String) -> String {
        let start = String(text.unicodeScalars.prefix(64))
        return start.debugDescription + (start.utf8.count < text.utf8.count ? "…" : "")
    }
}

/// The framing of multistream-select 1.0: an unsigned varint length, the text, a line feed that the length counts.
/// Source: libp2p/specs connections/README.md, multiformats/multistream-select.
enum MultistreamMessage {
    static let headerText = "/multistream/1.0.0"
    /// The whole header as it is on the wire.
    static let header = encoded(headerText)
    /// "Not available": the refusal of one proposal.
    static let notAvailable = encoded("na")
    /// Room for what either side sends when a labelled stream is opened, unless the protocol's name is very long: two
    /// headers, the name of the migration protocol, a label and that name. Made once, it isn't made piece by piece.
    static let usualFlight = 128

    static func encoded(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        append(text, to: &bytes)
        return bytes
    }

    static func append(_ text: String, to output: inout [UInt8]) {
        let text = text.utf8
        Varint.encode(UInt64(text.count + 1), into: &output)
        output.append(contentsOf: text)
        output.append(UInt8(ascii: "\n"))
    }

    /// Takes one whole message from the front of `input` and returns its text without the line feed, or returns nil
    /// and takes nothing when the message isn't all there.
    static func read(
        _ input: inout ArraySlice<UInt8>, limit: Int
    ) throws(MultistreamError) -> ArraySlice<UInt8>? {
        let prefix: (value: UInt64, length: Int)?
        do { prefix = try Varint.decode(input) } catch { throw .malformedLength(error) }
        guard let prefix else { return nil }
        guard prefix.value <= UInt64(limit) else { throw .messageTooLong(length: prefix.value, limit: limit) }
        guard prefix.value > 0 else { throw .emptyMessage }
        let body = input.dropFirst(prefix.length).prefix(Int(prefix.value))
        guard body.count == Int(prefix.value) else { return nil }
        guard body.last == UInt8(ascii: "\n") else { throw .missingLineFeed }
        input.removeFirst(prefix.length + body.count)
        return body.dropLast()
    }

    /// Like ``read(_:limit:)``, as text.
    static func readText(_ input: inout ArraySlice<UInt8>, limit: Int) throws(MultistreamError) -> String? {
        guard let bytes = try read(&input, limit: limit) else { return nil }
        return try text(bytes)
    }

    static func text(_ bytes: ArraySlice<UInt8>) throws(MultistreamError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .invalidText }
        return text
    }

    /// Takes the header from the front of `input`; false when it isn't all there.
    static func readHeader(_ input: inout ArraySlice<UInt8>, limit: Int) throws(MultistreamError) -> Bool {
        if input.span.extracting(first: header.count).isEqual(to: header.span) {
            input.removeFirst(header.count)
            return true
        }
        guard let text = try readText(&input, limit: limit) else { return false }
        throw .wrongHeader(text)
    }
}

extension ArraySlice<UInt8> {
    func hasSuffix(_ other: [UInt8]) -> Bool {
        span.extracting(last: other.count).isEqual(to: other.span)
    }
}
