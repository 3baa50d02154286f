public import OxbowCore
import OxbowWire

/// One request to a server of AutoNAT v1, by the side that wants to know (autonat-v1.md). There is no proof of anything
/// in this version: an answer is the server's word.
public struct AutoNATv1Client: Sendable, Hashable {
    private let peer: PeerID
    private let addresses: [Multiaddr]
    private var isDone = false

    /// - Parameters:
    ///   - peer: this host.
    ///   - addresses: the best first, 1 to ``AutoNAT/maximumRequestAddresses``.
    public init(peer: PeerID, addresses: [Multiaddr]) {
        precondition(
            (1...AutoNAT.maximumRequestAddresses).contains(addresses.count), "a request has a few addresses")
        self.peer = peer
        self.addresses = addresses
    }

    /// The request.
    public func start() -> [UInt8] {
        AutoNATv1Message.dial(peer: peer.multihash, addresses: addresses.map(\.binary)).encodedDelimited()
    }

    /// Takes the server's message from the front of `input`; nil when more bytes are needed.
    public mutating func receive(_ input: inout ArraySlice<UInt8>) throws(AutoNATError) -> AutoNATAnswer? {
        guard let message = try AutoNATv1Message.next(from: &input) else { return nil }
        guard case .response(let status, let binary) = message, !isDone else { throw .unexpectedMessage }
        isDone = true
        switch AutoNATv1Status(rawValue: status) {
        case .ok:
            // A server may dial where it sees this host come from, which need not be among what it was asked: that
            // tells nothing of these addresses.
            let reached = binary.flatMap { try? Multiaddr(binary: $0) }?.withoutPeerID
            guard let reached, addresses.contains(where: { $0.withoutPeerID == reached }) else { return .void }
            return .reachable(reached, isProved: false)
        case .dialError: return .unreachable(addresses)
        case .dialRefused: return .refused
        case .badRequest, .internalError, nil: return .void
        }
    }

    /// The server ended the stream; nothing more comes.
    public func receiveEnd() throws(AutoNATError) {
        guard isDone else { throw .endedEarly }
    }
}

/// One request to this host as a server of AutoNAT v1. It dials only where the client is seen to come from: another host
/// can't be made a target.
public struct AutoNATv1Server: Sendable, Hashable {
    /// What to do next.
    public enum Step: Sendable, Hashable {
        /// The client's message isn't all there.
        case needMoreInput
        /// Dial these addresses of the client's, at most ``AutoNAT/maximumDials``, and report to
        /// ``AutoNATv1Server/dialled(_:)``.
        case dial([Multiaddr])
        /// Nothing will be dialled: send these bytes and end the stream.
        case respond([UInt8])
    }

    private let peer: PeerID
    private let observed: Multiaddr?
    private let policy: ReachableAddressPolicy
    private var isDone = false

    /// - Parameters:
    ///   - peer: who asks.
    ///   - observed: where it is seen to come from; nil when that isn't known.
    public init(peer: PeerID, observed: Multiaddr?, policy: ReachableAddressPolicy) {
        self.peer = peer
        self.observed = observed
        self.policy = policy
    }

    /// Takes the client's message from the front of `input`.
    public mutating func receive(_ input: inout ArraySlice<UInt8>) throws(AutoNATError) -> Step {
        guard let message = try AutoNATv1Message.next(from: &input) else { return .needMoreInput }
        guard case .dial(let claimed, let binaries) = message, !isDone else { throw .unexpectedMessage }
        isDone = true
        if let claimed, claimed != peer.multihash { return .respond(Self.response(.badRequest)) }
        // Through a relay it isn't known where the client is.
        guard let observed, !observed.isRelayed else { return .respond(Self.response(.dialRefused)) }
        var seen: Set<Multiaddr> = []
        let addresses = binaries.compactMap { try? Multiaddr(binary: $0) }.filter { address in
            policy.allows(address) && policy.isSameHost(address, observed)
                && (address.peerID ?? peer) == peer && seen.insert(address).inserted
        }
        guard !addresses.isEmpty else { return .respond(Self.response(.dialRefused)) }
        return .dial(Array(addresses.prefix(AutoNAT.maximumDials)))
    }

    /// The dials are over; `reached` is the first address that led to the client.
    ///
    /// - Returns: the response; the stream ends behind it.
    public func dialled(_ reached: Multiaddr?) -> [UInt8] {
        Self.response(reached == nil ? .dialError : .ok, address: reached)
    }

    /// The request isn't served, because of a limit.
    ///
    /// - Returns: the response; the stream ends behind it.
    public func reject() -> [UInt8] {
        Self.response(.dialRefused)
    }

    private static func response(_ status: AutoNATv1Status, address: Multiaddr? = nil) -> [UInt8] {
        AutoNATv1Message.response(status: status.rawValue, address: address?.binary).encodedDelimited()
    }
}
