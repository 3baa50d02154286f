public import OxbowCore
import OxbowWire

/// One request to a server of AutoNAT v2, by the side that wants to know (autonat-v2.md, "AutoNAT V2 Protocol").
///
/// What the server reports is believed only when it fits with what was seen here: a success needs the nonce, shown on a
/// connection that the server made.
public struct AutoNATv2Client: Sendable, Hashable {
    /// What to do next.
    public enum Step: Sendable, Hashable {
        /// The server's message isn't all there.
        case needMoreInput
        /// The server wants its cost paid: send these bytes.
        case send([[UInt8]])
        /// The response is there and reports success, but the nonce isn't: it may be on its way on another connection.
        /// Wait a little, then call ``AutoNATv2Client/giveUp()``.
        case awaitDialBack
        case done(AutoNATAnswer)
    }

    private enum State: Hashable {
        case awaitingAnswer
        case awaitingResponse
        case awaitingDialBack(Multiaddr)
        case done
    }

    private let addresses: [Multiaddr]
    /// What the server has to show.
    public let nonce: UInt64
    private let maximumDialData: Int
    private var state = State.awaitingAnswer
    /// Where the dial-back arrived; the inner nil: on a connection whose address isn't known.
    private var dialBack: Multiaddr??

    /// - Parameters:
    ///   - addresses: the best first, 1 to ``AutoNAT/maximumRequestAddresses``.
    ///   - nonce: 64 random bits.
    ///   - maximumDialData: the most bytes that are sent to pay for a dial.
    public init(addresses: [Multiaddr], nonce: UInt64, maximumDialData: Int = AutoNAT.dialDataRange.upperBound) {
        precondition(
            (1...AutoNAT.maximumRequestAddresses).contains(addresses.count), "a request has a few addresses")
        self.addresses = addresses
        self.nonce = nonce
        self.maximumDialData = maximumDialData
    }

    /// The request.
    public func start() -> [UInt8] {
        AutoNATv2Message.dialRequest(addresses: addresses.map(\.binary), nonce: nonce).encodedDelimited()
    }

    /// Takes the server's messages from the front of `input`.
    public mutating func receive(_ input: inout ArraySlice<UInt8>) throws(AutoNATError) -> Step {
        guard let message = try AutoNATv2Message.next(from: &input) else { return .needMoreInput }
        switch (message, state) {
        case (.dialDataRequest(let index, let count), .awaitingAnswer):
            let data = try pay(count, forAddressAt: index)
            state = .awaitingResponse
            return .send(data)
        case (.dialResponse(let response), .awaitingAnswer), (.dialResponse(let response), .awaitingResponse):
            return try judge(response)
        default: throw .unexpectedMessage
        }
    }

    /// The server ended the stream.
    public mutating func receiveEnd() throws(AutoNATError) {
        switch state {
        case .awaitingAnswer, .awaitingResponse: throw .endedEarly
        case .awaitingDialBack, .done: return
        }
    }

    /// A nonce was shown on a connection that a peer made to this host. The spec leaves open as whom the server dials, so
    /// the nonce alone counts.
    ///
    /// - Parameter localAddress: where that connection arrived.
    /// - Returns: the step that follows from it, or nil when the nonce is another, or was shown before.
    public mutating func receiveDialBack(nonce: UInt64, at localAddress: Multiaddr?) -> Step? {
        guard nonce == self.nonce, dialBack == nil, state != .done else { return nil }
        dialBack = .some(localAddress)
        guard case .awaitingDialBack(let address) = state else { return .needMoreInput }
        return .done(conclude(address))
    }

    /// Whether a nonce is this request's and was not shown yet.
    public func expects(nonce: UInt64) -> Bool {
        nonce == self.nonce && dialBack == nil && state != .done
    }

    /// The time for the nonce is over: the success that the server reported was none.
    public mutating func giveUp() -> AutoNATAnswer {
        state = .done
        return .void
    }

    private func pay(_ count: UInt64, forAddressAt index: UInt64) throws(AutoNATError) -> [[UInt8]] {
        guard index < UInt64(addresses.count) else { throw .unknownAddress(index: index) }
        guard let count = Int(exactly: count), count <= maximumDialData else {
            throw .tooMuchDialData(count, limit: maximumDialData)
        }
        // The last one may be larger than needed: one message does for all.
        let message = AutoNATv2Message.dialData([UInt8](repeating: 0, count: AutoNATv2Message.maximumDialData))
        let messages = (count + AutoNATv2Message.maximumDialData - 1) / AutoNATv2Message.maximumDialData
        return [[UInt8]](repeating: message.encodedDelimited(), count: messages)
    }

    private mutating func judge(_ response: AutoNATv2Response) throws(AutoNATError) -> Step {
        func done(_ answer: AutoNATAnswer) -> Step {
            state = .done
            return .done(answer)
        }
        switch AutoNATv2Status(rawValue: response.status) {
        case .ok: break
        case .dialRefused: return done(.refused)
        case .requestRejected: return done(.rejected)
        case .internalError, nil: return done(.void)
        }
        guard response.index < UInt64(addresses.count) else { throw .unknownAddress(index: response.index) }
        let address = addresses[Int(response.index)]
        switch AutoNATv2DialStatus(rawValue: response.dialStatus) {
        case .ok where dialBack == nil:
            state = .awaitingDialBack(address)
            return .awaitDialBack
        case .ok: return .done(conclude(address))
        // Whatever the server met with then: a nonce that is here was delivered.
        case .dialBackError where dialBack != nil: return .done(conclude(address))
        case .dialError:
            // It says that it did not get through, and it did: a lie, or a muddle.
            return done(dialBack == nil ? .unreachable([address]) : .void)
        case .dialBackError, .unused, nil: return done(.void)
        }
    }

    /// The nonce is here: was it on a connection of the kind that the server reports?
    private mutating func conclude(_ address: Multiaddr) -> AutoNATAnswer {
        state = .done
        if let local = dialBack ?? nil, !Self.isConsistent(local, with: address) { return .void }
        return .reachable(address, isProved: true)
    }

    /// Whether a connection that arrived at `local` can have been dialled at `dialled`: a NAT changes numbers, never the
    /// protocols.
    private static func isConsistent(_ local: Multiaddr, with dialled: Multiaddr) -> Bool {
        local.withoutPeerID?.components.map(\.kind) == dialled.withoutPeerID?.components.map(\.kind)
    }
}

/// The side that is dialled back: reads the nonce on a connection that the server made.
public struct AutoNATDialBackReader: Sendable, Hashable {
    private var isDone = false

    public init() {}

    /// Takes the message from the front of `input`.
    ///
    /// - Returns: the nonce, or nil when more bytes are needed.
    public mutating func receive(_ input: inout ArraySlice<UInt8>) throws(AutoNATError) -> UInt64? {
        guard !isDone else { throw .unexpectedMessage }
        guard let message = try AutoNATDialBack.next(from: &input) else { return nil }
        isDone = true
        return message.nonce
    }

    /// What is answered to the right nonce; then the stream is closed.
    public static let answer = AutoNATDialBackResponse().encodedDelimited()
}
