import CProtobufC
import OxbowMessagesC

/// The message that opens a labelled or a migrating stream, or answers the latter (SM-W1).
public enum StreamMigrationMessage: WireMessage {
    /// The stream's id, so that it can migrate later.
    case label(id: UInt64)
    /// This stream, with the id `id`, is to take over from the one with the id `from`.
    case migrate(id: UInt64, from: UInt64)
    /// The answer to a migrate; a denial when `deny` is true.
    case ackMigrate(deny: Bool?)

    public static let name = "StreamMigration"
    /// 1 KiB (SM-W1), for what needs 24 bytes at most: the rest is room for fields to come.
    public static let maximumSize = 1 << 10

    /// - Throws: ``WireError/typeNotSet(message:)`` when no type is set, ``WireError/malformed(message:)`` when a
    ///   required field is missing, too.
    public init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let unpacked = try Self.unpack(bytes, oxbow__stream_migration__unpack)
        defer { oxbow__stream_migration__free_unpacked(unpacked, nil) }
        let message = unpacked.pointee
        switch message.type_case {
        case OXBOW__STREAM_MIGRATION__TYPE_LABEL:
            guard let label = message.label else { throw .malformed(message: Self.name) }
            self = .label(id: label.pointee.id)
        case OXBOW__STREAM_MIGRATION__TYPE_MIGRATE:
            guard let migrate = message.migrate else { throw .malformed(message: Self.name) }
            self = .migrate(id: migrate.pointee.id, from: migrate.pointee.from)
        case OXBOW__STREAM_MIGRATION__TYPE_ACK_MIGRATE:
            guard let ack = message.ack_migrate else { throw .malformed(message: Self.name) }
            self = .ackMigrate(deny: ack.pointee.denial)
        default:
            throw .typeNotSet(message: Self.name)
        }
    }

    public func encoded() -> [UInt8] {
        var arena = PackArena()
        var message = Oxbow__StreamMigration()
        oxbow__stream_migration__init(&message)
        switch self {
        case .label(let id):
            var label = Oxbow__Label()
            oxbow__label__init(&label)
            label.id = id
            message.type_case = OXBOW__STREAM_MIGRATION__TYPE_LABEL
            message.label = arena.list([label])
        case .migrate(let id, let from):
            var migrate = Oxbow__Migrate()
            oxbow__migrate__init(&migrate)
            migrate.id = id
            migrate.from = from
            message.type_case = OXBOW__STREAM_MIGRATION__TYPE_MIGRATE
            message.migrate = arena.list([migrate])
        case .ackMigrate(let deny):
            message.type_case = OXBOW__STREAM_MIGRATION__TYPE_ACK_MIGRATE
            message.ack_migrate = arena.list([Oxbow__AckMigrate(denial: deny)])
        }
        return arena.pack(
            message, size: oxbow__stream_migration__get_packed_size, pack: oxbow__stream_migration__pack)
    }
}

/// How an answer to a migrate is written (SM-W2).
public enum MigrationDialect: Hashable, Sendable {
    /// As the draft has it: an AckMigrate inside a StreamMigration message.
    case draft
    /// As the proof of concept of 2022 has it: a bare AckMigrate.
    case proofOfConcept
}

/// The answer to a migrate, in either dialect. It says yes unless the peer said no.
public enum MigrationAnswer: Hashable, Sendable {
    case accept
    case deny

    /// Decodes one whole answer in either dialect, without its length prefix.
    ///
    /// The bare form is taken only when it is beyond doubt: no byte at all, or a `deny_migrate` field, which the
    /// draft's form can't start with. A message of some future type is therefore never read as a consent.
    ///
    /// - Throws: ``WireError/unexpectedType(message:)`` for a label or a migrate (SM-F7), or as
    ///   ``StreamMigrationMessage/init(decoding:)-(ArraySlice<UInt8>)`` does.
    public static func decode(_ bytes: ArraySlice<UInt8>) throws(WireError) -> MigrationAnswer {
        guard !bytes.isEmpty else { return .accept }
        if let bare = try? BareAckMigrate(decoding: bytes), let deny = bare.deny {
            return deny ? .deny : .accept
        }
        switch try StreamMigrationMessage(decoding: bytes) {
        case .ackMigrate(let deny): return deny == true ? .deny : .accept
        case .label, .migrate: throw .unexpectedType(message: StreamMigrationMessage.name)
        }
    }

    /// Takes one answer behind its length from the front of `input`, or returns nil when more bytes are needed.
    public static func decodeDelimited(from input: inout ArraySlice<UInt8>) throws(WireError) -> MigrationAnswer? {
        let body = try LengthDelimited.decode(
            from: &input, limit: StreamMigrationMessage.maximumSize, message: StreamMigrationMessage.name)
        guard let body else { return nil }
        return try decode(body)
    }

    /// The answer in the dialect that the stream was negotiated with, without a length prefix.
    public func encoded(in dialect: MigrationDialect) -> [UInt8] {
        let deny: Bool? = self == .deny ? true : nil
        switch dialect {
        case .draft: return StreamMigrationMessage.ackMigrate(deny: deny).encoded()
        case .proofOfConcept: return BareAckMigrate(deny: deny).encoded()
        }
    }

    /// The answer behind its length.
    public func encodedDelimited(in dialect: MigrationDialect) -> [UInt8] {
        LengthDelimited.encode(encoded(in: dialect))
    }
}

private struct BareAckMigrate: WireMessage {
    static let name = "AckMigrate"
    static let maximumSize = StreamMigrationMessage.maximumSize

    var deny: Bool?

    init(deny: Bool?) {
        self.deny = deny
    }

    init(decoding bytes: ArraySlice<UInt8>) throws(WireError) {
        let message = try Self.unpack(bytes, oxbow__ack_migrate__unpack)
        defer { oxbow__ack_migrate__free_unpacked(message, nil) }
        deny = message.pointee.denial
    }

    func encoded() -> [UInt8] {
        let arena = PackArena()
        return arena.pack(
            Oxbow__AckMigrate(denial: deny), size: oxbow__ack_migrate__get_packed_size, pack: oxbow__ack_migrate__pack)
    }
}

extension Oxbow__AckMigrate {
    fileprivate init(denial: Bool?) {
        self.init()
        oxbow__ack_migrate__init(&self)
        has_deny_migrate = denial == nil ? 0 : 1
        deny_migrate = denial == true ? 1 : 0
    }

    fileprivate var denial: Bool? {
        has_deny_migrate == 0 ? nil : deny_migrate != 0
    }
}
