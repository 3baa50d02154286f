public import OxbowCore
public import OxbowWire

/// The responder's side of a new stream: finds out whether it is plain, labelled, or the target of a migration.
public struct InboundStreamNegotiation: Sendable, Hashable {
    /// What came of the input so far.
    public enum Step: Sendable, Hashable {
        /// Send these bytes (possibly none), and call again with more input.
        case needMore(send: [UInt8])
        /// Send these bytes; the stream is for this protocol, with this id when it has a label. What is left in the
        /// input is the protocol's.
        case ready(ProtocolID, label: UInt64?, send: [UInt8])
        /// Send these bytes, judge, and send what ``InboundStreamNegotiation/answer(accept:)`` gives; or reset. When
        /// accepted, what is left in the input, then or later, continues the source's bytes.
        case migrate(id: UInt64, from: UInt64, dialect: MigrationDialect, send: [UInt8])
    }

    private enum State: Hashable {
        case outer(MultistreamListener)
        case message(MigrationDialect)
        case inner(MultistreamListener, label: UInt64)
        case judging(MigrationDialect)
        case ended
        case failed(StreamNegotiationError)
    }

    private var state: State
    private let limits: MultistreamLimits
    private let migrationEnabled: Bool

    /// - Parameters:
    ///   - migrationEnabled: when false, the migration protocol is refused under either of its names.
    ///   - eager: whether ``start()`` gives our header, before the peer's was seen.
    public init(
        migrationEnabled: Bool = true, limits: MultistreamLimits = MultistreamLimits(), eager: Bool = false
    ) {
        state = .outer(MultistreamListener(limits: limits, eager: eager))
        self.limits = limits
        self.migrationEnabled = migrationEnabled
    }

    /// What to send before any input has come: our header when `eager`, else nothing.
    public mutating func start() -> [UInt8] {
        guard case .outer(var listener) = state else { return [] }
        defer { state = .outer(listener) }
        return listener.start()
    }

    /// Reads whole messages from the front of `input`, and nothing behind the one that settles it.
    ///
    /// - Parameter isSupported: asked for each application protocol, never for the migration protocol.
    public mutating func receive(
        _ input: inout ArraySlice<UInt8>, isSupported: (ProtocolID) -> Bool
    ) throws(StreamNegotiationError) -> Step {
        var send: [UInt8] = []
        do {
            while true {
                if let step = try advance(&input, &send, isSupported) { return step }
            }
        } catch {
            state = .failed(error)
            throw error
        }
    }

    /// The answer to a migrate, in the dialect of the name that the stream was negotiated with (SM-W2). To be called
    /// once, after ``Step/migrate(id:from:dialect:send:)``, when the own state is armed (SM-M3).
    public mutating func answer(accept: Bool) -> [UInt8] {
        guard case .judging(let dialect) = state else { preconditionFailure("there is no migrate to answer") }
        state = .ended
        return (accept ? MigrationAnswer.accept : .deny).encodedDelimited(in: dialect)
    }

    /// Reads one message, or gives nil when the next is due.
    private mutating func advance(
        _ input: inout ArraySlice<UInt8>, _ send: inout [UInt8], _ isSupported: (ProtocolID) -> Bool
    ) throws(StreamNegotiationError) -> Step? {
        switch state {
        case .outer(let listener):
            return try receiveOuter(listener, &input, &send, isSupported)
        case .message(let dialect):
            return try receiveMessage(dialect, &input, send)
        case .inner(let listener, let label):
            return try receiveInner(listener, label, &input, &send, isSupported)
        case .judging:
            // A migrate may be held for a while (SM-F6); what comes behind it waits.
            return .needMore(send: send)
        case .failed(let error):
            throw error
        case .ended:
            preconditionFailure("the negotiation has ended: the bytes that follow are the protocol's")
        }
    }

    private mutating func receiveOuter(
        _ listener: MultistreamListener, _ input: inout ArraySlice<UInt8>, _ send: inout [UInt8],
        _ isSupported: (ProtocolID) -> Bool
    ) throws(StreamNegotiationError) -> Step? {
        var listener = listener
        let selected: ProtocolID?
        do {
            selected = try listener.receive(&input, into: &send) { id in
                MigrationDialect(id) == nil ? isSupported(id) : migrationEnabled
            }
        } catch { throw .negotiation(error) }
        guard let selected else {
            state = .outer(listener)
            return .needMore(send: send)
        }
        if let dialect = MigrationDialect(selected) {
            state = .message(dialect)
            return nil
        }
        state = .ended
        return .ready(selected, label: nil, send: send)
    }

    private mutating func receiveMessage(
        _ dialect: MigrationDialect, _ input: inout ArraySlice<UInt8>, _ send: [UInt8]
    ) throws(StreamNegotiationError) -> Step? {
        let message: StreamMigrationMessage?
        do { message = try StreamMigrationMessage.decodeDelimited(from: &input) } catch {
            throw .malformedMessage(error)
        }
        switch message {
        case nil:
            return .needMore(send: send)
        case .label(let id):
            state = .inner(MultistreamListener(limits: limits), label: id)
            return nil
        case .migrate(let id, let from):
            state = .judging(dialect)
            return .migrate(id: id, from: from, dialect: dialect, send: send)
        case .ackMigrate:
            throw .unexpectedAnswer
        }
    }

    private mutating func receiveInner(
        _ listener: MultistreamListener, _ label: UInt64, _ input: inout ArraySlice<UInt8>, _ send: inout [UInt8],
        _ isSupported: (ProtocolID) -> Bool
    ) throws(StreamNegotiationError) -> Step? {
        var listener = listener
        var nested = false
        let selected: ProtocolID?
        do {
            selected = try listener.receive(&input, into: &send) { id in
                nested = nested || MigrationDialect(id) != nil
                return !nested && isSupported(id)
            }
        } catch { throw nested ? .nestedMigration : .negotiation(error) }
        guard !nested else { throw .nestedMigration }
        guard let selected else {
            state = .inner(listener, label: label)
            return .needMore(send: send)
        }
        state = .ended
        return .ready(selected, label: label, send: send)
    }
}
