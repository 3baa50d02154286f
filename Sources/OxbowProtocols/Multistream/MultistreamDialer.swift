public import OxbowCore

/// The initiator of multistream-select 1.0: proposes protocols in order of preference until the peer takes one.
///
/// Header and first proposal go out in one flight. The peer's header may come at any time before its first answer.
/// Simultaneous open isn't supported: of a connection, one side is the dialer.
public struct MultistreamDialer: Sendable, Hashable {
    /// When the protocol's own bytes may follow.
    public enum Mode: Sendable, Hashable {
        /// The caller sends the protocol's bytes right behind ``start()`` and reads the answer later. Takes exactly
        /// one protocol: bytes behind a proposal that is refused can't be taken back.
        case lazy
        /// The caller waits for ``Step/selected(_:)``.
        case sequential
    }

    /// What came of the input so far. That the peer took none is an error, ``MultistreamError/refused(_:)``.
    public enum Step: Sendable, Hashable {
        /// Send these bytes (possibly none; the next proposal after a refusal), and call again with more input.
        case needMore(send: [UInt8])
        /// The peer took this one; what is left in the input is the protocol's.
        case selected(ProtocolID)
    }

    private enum State: Hashable {
        case idle
        case awaitingHeader
        case awaitingAnswer(proposal: Int)
        case selected
        case failed(MultistreamError)
    }

    private var state = State.idle
    private let protocols: [ProtocolID]
    private let mode: Mode
    private let limits: MultistreamLimits

    /// - Parameter protocols: at least one, best first; exactly one when `mode` is lazy.
    public init(
        protocols: [ProtocolID], mode: Mode = .sequential, limits: MultistreamLimits = MultistreamLimits()
    ) {
        precondition(!protocols.isEmpty, "a negotiation needs a protocol to propose")
        precondition(mode == .sequential || protocols.count == 1, "lazy negotiation takes exactly one protocol")
        self.protocols = protocols
        self.mode = mode
        self.limits = limits
    }

    /// Whether the caller may send the protocol's own bytes now.
    public var canSendApplicationData: Bool {
        switch state {
        case .idle, .failed: false
        case .selected: true
        case .awaitingHeader, .awaitingAnswer: mode == .lazy
        }
    }

    /// The first flight: our header and the first proposal. To be called once.
    public mutating func start() -> [UInt8] {
        var send: [UInt8] = []
        send.reserveCapacity(MultistreamMessage.usualFlight)
        start(into: &send)
        return send
    }

    /// Like ``start()``, behind what is in `send` already.
    mutating func start(into send: inout [UInt8]) {
        precondition(state == .idle, "a negotiation starts once")
        state = .awaitingHeader
        send.append(contentsOf: MultistreamMessage.header)
        MultistreamMessage.append(protocols[0].rawValue, to: &send)
    }

    /// Reads whole messages from the front of `input`, up to and including the answer that settles it.
    public mutating func receive(_ input: inout ArraySlice<UInt8>) throws(MultistreamError) -> Step {
        var send: [UInt8] = []
        do {
            guard let selected = try advance(&input, &send) else { return .needMore(send: send) }
            return .selected(selected)
        } catch {
            state = .failed(error)
            throw error
        }
    }

    private mutating func advance(
        _ input: inout ArraySlice<UInt8>, _ send: inout [UInt8]
    ) throws(MultistreamError) -> ProtocolID? {
        while true {
            switch state {
            case .awaitingHeader:
                guard try MultistreamMessage.readHeader(&input, limit: limits.maximumMessageLength) else { return nil }
                state = .awaitingAnswer(proposal: 0)
            case .awaitingAnswer(let index):
                // An answer that came before its proposal was sent is no answer to it: stop at each new proposal.
                guard send.isEmpty else { return nil }
                guard let answer = try MultistreamMessage.read(&input, limit: limits.maximumMessageLength) else {
                    return nil
                }
                let proposal = protocols[index]
                // By bytes: Swift's == takes differently composed characters for equal.
                if answer.span.isEqual(to: proposal.rawValue.utf8.span) {
                    state = .selected
                    return proposal
                }
                let text = try MultistreamMessage.text(answer)
                guard text == "na" else { throw .unexpectedAnswer(proposal: proposal, answer: text) }
                guard index + 1 < protocols.count else { throw .refused(protocols) }
                MultistreamMessage.append(protocols[index + 1].rawValue, to: &send)
                state = .awaitingAnswer(proposal: index + 1)
            case .failed(let error):
                throw error
            case .idle, .selected:
                preconditionFailure("receive belongs between start and the selection")
            }
        }
    }
}
