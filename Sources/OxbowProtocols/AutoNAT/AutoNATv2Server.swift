public import OxbowCore
public import OxbowWire

/// One request to this host as a server of AutoNAT v2 (autonat-v2.md). It dials one address at most, never one that the
/// policy leaves out, and another host than the asking one only after that has paid for it.
public struct AutoNATv2Server: Sendable, Hashable {
    /// What to do next.
    public enum Step: Sendable, Hashable {
        /// The client's message isn't all there.
        case needMoreInput
        /// Ask for dial data: send these bytes and go on reading. When no dial of other hosts is to be had now, call
        /// ``AutoNATv2Server/reject()`` instead.
        case demand([UInt8])
        /// Dial this address of the client's, show the nonce, and report to ``AutoNATv2Server/dialled(_:)``.
        case dial(Multiaddr, nonce: UInt64)
        /// Nothing will be dialled: send these bytes and end the stream.
        case respond([UInt8])
    }

    private struct Target: Hashable {
        let address: Multiaddr
        let index: UInt64
        let nonce: UInt64
    }

    private enum State: Hashable {
        case awaitingRequest
        case awaitingData(Target, missing: Int)
        case dialling(Target)
        case done
    }

    private let observed: Multiaddr?
    private let policy: ReachableAddressPolicy
    private let dialData: Int
    private var state = State.awaitingRequest

    /// - Parameters:
    ///   - observed: where the client is seen to come from; nil when that isn't known, or is a relay.
    ///   - dialData: how many bytes a dial of another host costs the client: one of ``AutoNAT/dialDataRange``, by chance.
    public init(observed: Multiaddr?, policy: ReachableAddressPolicy, dialData: Int) {
        precondition(AutoNAT.dialDataRange.contains(dialData), "the cost of a dial is what the specification says")
        self.observed = observed
        self.policy = policy
        self.dialData = dialData
    }

    /// Takes the client's messages from the front of `input`.
    public mutating func receive(_ input: inout ArraySlice<UInt8>) throws(AutoNATError) -> Step {
        while let message = try AutoNATv2Message.next(from: &input) {
            switch (message, state) {
            case (.dialRequest(let addresses, let nonce), .awaitingRequest):
                return choose(from: addresses, nonce)
            case (.dialData(let bytes), .awaitingData(let target, let missing)):
                guard bytes.count <= AutoNATv2Message.maximumDialData,
                    bytes.count >= min(AutoNAT.minimumDialData, missing)
                else { throw .dialDataSize(bytes.count) }
                guard bytes.count >= missing else {
                    state = .awaitingData(target, missing: missing - bytes.count)
                    continue
                }
                state = .dialling(target)
                return .dial(target.address, nonce: target.nonce)
            default: throw .unexpectedMessage
            }
        }
        return .needMoreInput
    }

    /// What came of the dial.
    ///
    /// - Returns: the response; the stream ends behind it.
    public mutating func dialled(_ status: AutoNATv2DialStatus) -> [UInt8] {
        guard case .dialling(let target) = state else { preconditionFailure("no dial is under way") }
        state = .done
        return Self.response(.ok, index: target.index, status)
    }

    /// The request isn't served, because of a limit.
    ///
    /// - Returns: the response; the stream ends behind it.
    public mutating func reject() -> [UInt8] {
        state = .done
        return Self.response(.requestRejected)
    }

    private mutating func choose(from addresses: [[UInt8]], _ nonce: UInt64) -> Step {
        for (index, binary) in addresses.enumerated() {
            guard let address = try? Multiaddr(binary: binary), policy.allows(address) else { continue }
            let target = Target(address: address, index: UInt64(index), nonce: nonce)
            if let observed, policy.isSameHost(observed, address) {
                state = .dialling(target)
                return .dial(address, nonce: nonce)
            }
            state = .awaitingData(target, missing: dialData)
            return .demand(
                AutoNATv2Message.dialDataRequest(index: target.index, count: UInt64(dialData)).encodedDelimited())
        }
        state = .done
        return .respond(Self.response(.dialRefused))
    }

    private static func response(
        _ status: AutoNATv2Status, index: UInt64 = 0, _ dialStatus: AutoNATv2DialStatus = .unused
    ) -> [UInt8] {
        AutoNATv2Message.dialResponse(
            AutoNATv2Response(status: status.rawValue, index: index, dialStatus: dialStatus.rawValue)
        ).encodedDelimited()
    }
}

/// The side that shows the nonce on the connection that it made.
public struct AutoNATDialBackWriter: Sendable, Hashable {
    public init() {}

    /// What is written first; then the write side ends.
    public static func start(nonce: UInt64) -> [UInt8] {
        AutoNATDialBack(nonce: nonce).encodedDelimited()
    }

    /// Takes the client's answer from the front of `input`.
    ///
    /// - Returns: whether it is there: then the nonce was delivered.
    public mutating func receive(_ input: inout ArraySlice<UInt8>) throws(AutoNATError) -> Bool {
        try AutoNATDialBackResponse.next(from: &input) != nil
    }
}
