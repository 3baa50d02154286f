public import OxbowCore
public import OxbowWire

/// The opener's side of a new stream: plain, labelled so that it can migrate later, or the target of a migration.
///
/// No intent costs a round trip more than the plain stream: everything up to the first proposal is one flight.
public struct OutboundStreamNegotiation: Sendable, Hashable {
    /// What the new stream is for.
    public enum Intent: Sendable, Hashable {
        /// An unlabelled stream for one of these, best first.
        case plain(protocols: [ProtocolID])
        /// A stream with this id for one of these, best first. Only when identify says that the peer supports the
        /// migration protocol (SM-L1).
        case labelled(id: UInt64, protocols: [ProtocolID])
        /// A stream with the id `id` that is to take over from the one with the id `from`.
        case target(id: UInt64, from: UInt64)
    }

    /// What came of the input so far.
    public enum Step: Sendable, Hashable {
        /// Send these bytes (possibly none), and call again with more input.
        case needMore(send: [UInt8])
        /// The peer's answer was read: it took this protocol, and it has seen the label (SM-M1). What is left in the
        /// input is the protocol's.
        case ready(ProtocolID)
        /// The peer's answer to a migrate. When accepted, what is left in the input continues the source's bytes.
        case answer(accepted: Bool)
    }

    private enum State: Hashable {
        case idle(Intent)
        case migration(Migration)
        case inner(Inner)
        case ended(accepted: Bool)
        case failed(StreamNegotiationError)
    }

    /// The negotiation of the migration protocol, and what follows it. Not a tuple: to copy one of this kind asks the
    /// runtime for its type, and negotiations are copied often.
    private struct Migration: Hashable {
        var dialer: MultistreamDialer
        let inner: Inner
    }

    /// What follows the migration protocol's negotiation; for a plain stream it is all there is.
    private enum Inner: Hashable {
        case application(MultistreamDialer)
        case answer

        var canSendApplicationData: Bool {
            switch self {
            case .application(let dialer): dialer.canSendApplicationData
            case .answer: false
            }
        }
    }

    private var state: State
    private let dialect: MigrationDialect
    private let limits: MultistreamLimits

    /// - Parameter dialect: under which name to propose the migration protocol: one that the peer's identify has.
    public init(
        _ intent: Intent, dialect: MigrationDialect = .draft, limits: MultistreamLimits = MultistreamLimits()
    ) {
        state = .idle(intent)
        self.dialect = dialect
        self.limits = limits
    }

    /// Whether the caller may send the protocol's own bytes now: with exactly one protocol right behind ``start()``,
    /// otherwise once the peer took one, and on a target once it accepted.
    public var canSendApplicationData: Bool {
        switch state {
        case .migration(let migration): migration.inner.canSendApplicationData
        case .inner(let inner): inner.canSendApplicationData
        case .ended(let accepted): accepted
        case .idle, .failed: false
        }
    }

    /// The first flight. To be called once.
    public mutating func start() -> [UInt8] {
        guard case .idle(let intent) = state else { preconditionFailure("a negotiation starts once") }
        switch intent {
        case .plain(let protocols):
            var dialer = dialer(for: protocols)
            let flight = dialer.start()
            state = .inner(.application(dialer))
            return flight
        case .labelled(let id, let protocols):
            var outer = dialer(for: [dialect.protocolID])
            var inner = dialer(for: protocols)
            var flight = outer.start()
            flight += StreamMigrationMessage.label(id: id).encodedDelimited()
            inner.start(into: &flight)
            state = .migration(Migration(dialer: outer, inner: .application(inner)))
            return flight
        case .target(let id, let from):
            var outer = dialer(for: [dialect.protocolID])
            var flight = outer.start()
            flight += StreamMigrationMessage.migrate(id: id, from: from).encodedDelimited()
            state = .migration(Migration(dialer: outer, inner: .answer))
            return flight
        }
    }

    /// Reads whole messages from the front of `input`, and nothing behind the one that settles it.
    public mutating func receive(_ input: inout ArraySlice<UInt8>) throws(StreamNegotiationError) -> Step {
        do {
            return try advance(&input)
        } catch {
            state = .failed(error)
            throw error
        }
    }

    private func dialer(for protocols: [ProtocolID]) -> MultistreamDialer {
        MultistreamDialer(protocols: protocols, mode: protocols.count == 1 ? .lazy : .sequential, limits: limits)
    }

    private mutating func advance(_ input: inout ArraySlice<UInt8>) throws(StreamNegotiationError) -> Step {
        while true {
            switch state {
            case .migration(var migration):
                let step: MultistreamDialer.Step
                do { step = try migration.dialer.receive(&input) } catch {
                    guard case .refused = error else { throw .negotiation(error) }
                    throw .migrationRefused
                }
                guard case .selected = step else {
                    state = .migration(migration)
                    return .needMore(send: [])
                }
                state = .inner(migration.inner)
            case .inner(.application(var dialer)):
                return try receiveChoice(&dialer, &input)
            case .inner(.answer):
                return try receiveAnswer(&input)
            case .failed(let error):
                throw error
            case .idle, .ended:
                preconditionFailure("receive belongs between start and the end of the negotiation")
            }
        }
    }

    private mutating func receiveChoice(
        _ dialer: inout MultistreamDialer, _ input: inout ArraySlice<UInt8>
    ) throws(StreamNegotiationError) -> Step {
        let step: MultistreamDialer.Step
        do { step = try dialer.receive(&input) } catch {
            guard case .refused(let protocols) = error else { throw .negotiation(error) }
            throw .protocolRefused(protocols)
        }
        switch step {
        case .needMore(let send):
            state = .inner(.application(dialer))
            return .needMore(send: send)
        case .selected(let id):
            state = .ended(accepted: true)
            return .ready(id)
        }
    }

    private mutating func receiveAnswer(_ input: inout ArraySlice<UInt8>) throws(StreamNegotiationError) -> Step {
        let answer: MigrationAnswer?
        do { answer = try MigrationAnswer.decodeDelimited(from: &input) } catch { throw .malformedAnswer(error) }
        guard let answer else { return .needMore(send: []) }
        state = .ended(accepted: answer == .accept)
        return .answer(accepted: answer == .accept)
    }
}
