public import OxbowCore

/// The responder of multistream-select 1.0: reads the peer's header and proposals, answers each.
///
/// Our header goes out as soon as the peer's was read, in one flight with the answers that are due; with `eager` it
/// goes out before anything was read. A dialer that waits for the header before it proposes is served either way.
///
/// `ls` gets `na`, as today's go-libp2p gives it: the listing was never asked for by deployed dialers, and a nested
/// list is a way to make the listener send much for three bytes. Identify tells the protocols.
public struct MultistreamListener: Sendable, Hashable {
    /// What came of the input so far.
    public enum Step: Sendable, Hashable {
        /// Send these bytes (possibly none), and call again with more input.
        case needMore(send: [UInt8])
        /// Send these bytes; what is left in the input is the protocol's.
        case selected(ProtocolID, send: [UInt8])
    }

    private enum State: Hashable {
        case awaitingHeader
        case awaitingProposal(refused: Int)
        case selected
        case failed(MultistreamError)
    }

    private var state = State.awaitingHeader
    private var owesHeader = true
    private let limits: MultistreamLimits
    private let eager: Bool

    /// - Parameter eager: whether ``start()`` gives our header, before the peer's was seen.
    public init(limits: MultistreamLimits = MultistreamLimits(), eager: Bool = false) {
        self.limits = limits
        self.eager = eager
    }

    /// What to send before any input has come: our header when `eager`, else nothing.
    public mutating func start() -> [UInt8] {
        guard eager, owesHeader else { return [] }
        owesHeader = false
        return MultistreamMessage.header
    }

    /// Reads whole messages from the front of `input`, up to and including the proposal that is accepted.
    ///
    /// A peer that sends application bytes behind its proposal unasked, and whose proposal was refused, sends bytes
    /// that aren't messages. So that it still learns of the `na`, an error that follows one within this call is
    /// thrown by the next call, when the `na` is on its way.
    public mutating func receive(
        _ input: inout ArraySlice<UInt8>, isSupported: (ProtocolID) -> Bool
    ) throws(MultistreamError) -> Step {
        var send: [UInt8] = []
        guard let selected = try receive(&input, into: &send, isSupported: isSupported) else {
            return .needMore(send: send)
        }
        return .selected(selected, send: send)
    }

    /// Like ``receive(_:isSupported:)``, with what to send behind what is in `send` already.
    ///
    /// - Returns: the protocol that was selected, or nil when more input is needed.
    mutating func receive(
        _ input: inout ArraySlice<UInt8>, into send: inout [UInt8], isSupported: (ProtocolID) -> Bool
    ) throws(MultistreamError) -> ProtocolID? {
        let start = send.count
        do {
            return try advance(&input, &send, isSupported)
        } catch {
            state = .failed(error)
            guard send[start...].hasSuffix(MultistreamMessage.notAvailable) else { throw error }
            return nil
        }
    }

    private mutating func advance(
        _ input: inout ArraySlice<UInt8>, _ send: inout [UInt8], _ isSupported: (ProtocolID) -> Bool
    ) throws(MultistreamError) -> ProtocolID? {
        while true {
            switch state {
            case .awaitingHeader:
                guard try MultistreamMessage.readHeader(&input, limit: limits.maximumMessageLength) else { return nil }
                if owesHeader {
                    send.reserveCapacity(MultistreamMessage.usualFlight)
                    send.append(contentsOf: MultistreamMessage.header)
                }
                owesHeader = false
                state = .awaitingProposal(refused: 0)
            case .awaitingProposal(let refused):
                guard let text = try MultistreamMessage.readText(&input, limit: limits.maximumMessageLength) else {
                    return nil
                }
                guard refused < limits.maximumProposals else { throw .tooManyProposals(limit: limits.maximumProposals) }
                // A text that can't be a protocol id (empty, too long) is just one more that isn't supported.
                if let proposal = ProtocolID(text), isSupported(proposal) {
                    MultistreamMessage.append(text, to: &send)
                    state = .selected
                    return proposal
                }
                send.append(contentsOf: MultistreamMessage.notAvailable)
                state = .awaitingProposal(refused: refused + 1)
            case .failed(let error):
                throw error
            case .selected:
                preconditionFailure("the negotiation has ended: the bytes that follow are the protocol's")
            }
        }
    }
}
