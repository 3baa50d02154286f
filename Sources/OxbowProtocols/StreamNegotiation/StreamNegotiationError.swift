public import OxbowCore
public import OxbowWire

extension MigrationDialect {
    // Made once: each stream that is opened is compared with them.
    private static let draftID: ProtocolID = "/libp2p/stream-migration"
    private static let proofOfConceptID: ProtocolID = "/libp2p/stream-migration/"

    /// The name under which a stream is negotiated that is then answered in this dialect (SM-W2).
    public var protocolID: ProtocolID {
        switch self {
        case .draft: Self.draftID
        case .proofOfConcept: Self.proofOfConceptID
        }
    }

    /// The dialect that goes with this name, or nil when it isn't the migration protocol's.
    public init?(_ protocolID: ProtocolID) {
        switch protocolID {
        case Self.draftID: self = .draft
        case Self.proofOfConceptID: self = .proofOfConcept
        default: return nil
        }
    }
}

/// Why a new stream came to nothing. Its scope is that one stream: reset it.
public enum StreamNegotiationError: Error, Hashable, Sendable {
    /// The peer answered `na` to the migration protocol itself: forget its support, and for a labelled stream open
    /// once more unlabelled when no application byte was consumed (SM-L1).
    case migrationRefused
    /// The peer answered `na` to each of these; a label, if there was one, was taken.
    case protocolRefused([ProtocolID])
    /// The peer broke the rules of multistream-select.
    case negotiation(MultistreamError)
    /// The peer opened a stream with a migration message that is too long, malformed or without a type (SM-W1).
    case malformedMessage(WireError)
    /// The peer opened a stream with an answer.
    case unexpectedAnswer
    /// The peer proposed the migration protocol a second time, inside a labelled stream.
    case nestedMigration
    /// What came in answer to a migrate isn't an answer: go on on the source, tainted (SM-F7, SM-F2).
    case malformedAnswer(WireError)
}

extension StreamNegotiationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .migrationRefused: "the peer does not support stream migration: open the stream without a label"
        case .protocolRefused(let protocols): MultistreamError.refused(protocols).description
        case .negotiation(let error): error.description
        case .malformedMessage(let error): "stream migration: \(error)"
        case .unexpectedAnswer: "stream migration: the peer opened a stream with an answer"
        case .nestedMigration: "stream migration: the peer put the migration protocol inside a labelled stream"
        case .malformedAnswer(let error): "stream migration: no valid answer to a migrate: \(error)"
        }
    }
}
