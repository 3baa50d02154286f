public import OxbowCore
import OxbowWire

/// The initiator's side of one exchange of addresses (libp2p/specs, relay/DCUtR.md, "The Protocol", steps 1 to 4).
public struct HolePunchInitiator: Hashable, Sendable {
    /// What came of the input so far.
    public enum Step: Hashable, Sendable {
        case needMore
        /// Send these bytes, wait for half of the round trip, then dial.
        case punch(sync: [UInt8], addresses: [Multiaddr], roundTrip: Duration)
    }

    private let peer: PeerID
    private let own: [Multiaddr]
    private let policy: HolePunchAddressPolicy
    private var sentAt: Instant?

    /// - Parameter own: the addresses to be sent, as ``HolePunchAddressPolicy/sendable(_:)`` gives them.
    public init(with peer: PeerID, own: [Multiaddr], policy: HolePunchAddressPolicy) {
        (self.peer, self.own, self.policy) = (peer, own, policy)
    }

    /// The bytes to send, with which the measurement of the round trip begins.
    public mutating func start(at now: Instant) -> [UInt8] {
        sentAt = now
        return HolePunchMessage.connect(addresses: own.map(\.binary)).encodedDelimited()
    }

    /// Takes the peer's answer from the front of `input` when it is all there.
    public mutating func receive(_ input: inout ArraySlice<UInt8>, at now: Instant) throws(DCUtRError) -> Step {
        guard let sentAt else { preconditionFailure("an exchange is started before it gets an answer") }
        guard let addresses = try receiveConnect(&input, from: peer, own: own, policy) else { return .needMore }
        return .punch(
            sync: HolePunchMessage.sync.encodedDelimited(), addresses: addresses,
            roundTrip: max(now - sentAt, .zero))
    }
}

/// The responder's side of one exchange of addresses.
public struct HolePunchResponder: Hashable, Sendable {
    /// What came of the input so far.
    public enum Step: Hashable, Sendable {
        case needMore
        /// Send these bytes. There may be more to do with the same input.
        case answer([UInt8])
        /// Dial at once.
        case punch([Multiaddr])
    }

    private let peer: PeerID
    private let own: [Multiaddr]
    private let policy: HolePunchAddressPolicy
    private var addresses: [Multiaddr]?

    /// - Parameter own: the addresses to be sent, as ``HolePunchAddressPolicy/sendable(_:)`` gives them.
    public init(with peer: PeerID, own: [Multiaddr], policy: HolePunchAddressPolicy) {
        (self.peer, self.own, self.policy) = (peer, own, policy)
    }

    /// Takes the peer's next message from the front of `input` when it is all there.
    public mutating func receive(_ input: inout ArraySlice<UInt8>) throws(DCUtRError) -> Step {
        guard let addresses else {
            guard let received = try receiveConnect(&input, from: peer, own: own, policy) else { return .needMore }
            addresses = received
            return .answer(HolePunchMessage.connect(addresses: own.map(\.binary)).encodedDelimited())
        }
        switch try nextMessage(&input) {
        case nil: return .needMore
        case .sync: return .punch(addresses)
        case .connect: throw .unexpectedMessage
        }
    }
}

private func nextMessage(_ input: inout ArraySlice<UInt8>) throws(DCUtRError) -> HolePunchMessage? {
    do { return try HolePunchMessage.decodeDelimited(from: &input) } catch { throw .message(error) }
}

/// The addresses of a CONNECT that are to be dialled; nil when it isn't all there.
private func receiveConnect(
    _ input: inout ArraySlice<UInt8>, from peer: PeerID, own: [Multiaddr], _ policy: HolePunchAddressPolicy
) throws(DCUtRError) -> [Multiaddr]? {
    switch try nextMessage(&input) {
    case nil: return nil
    case .sync: throw .unexpectedMessage
    case .connect(let binaries):
        // What can't be decoded may be of a kind that isn't known here.
        let received = binaries.compactMap { try? Multiaddr(binary: $0) }
        let usable = policy.dialable(received, of: peer, own: own)
        guard !usable.isEmpty else { throw .noUsableAddress(received: binaries.count) }
        return usable
    }
}
