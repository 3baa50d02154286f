import OxbowCore
import OxbowWire

/// An address of a peer behind a relay: `<relay's address>/p2p/<relay>/p2p-circuit`, with the peer's id behind it or not.
struct CircuitAddress {
    let relay: PeerID
    /// Where the relay is, with its id at the end; nil when the address doesn't say.
    let relayAddress: Multiaddr?
    /// The peer behind the relay, if the address names one.
    let target: PeerID?

    /// Why an address can't be used.
    struct Problem: Error {
        let text: String
    }

    init(_ address: Multiaddr) throws(Problem) {
        guard let near = address.relayAddress, let relay = near.peerID else {
            throw Problem(text: "the relay's id has to stand in front of /p2p-circuit")
        }
        let far = address.components.drop { $0 != .p2pCircuit }.dropFirst()
        guard !far.contains(.p2pCircuit) else { throw Problem(text: "a circuit through two relays isn't possible") }
        guard far.isEmpty || (far.count == 1 && address.peerID != nil) else {
            throw Problem(text: "behind /p2p-circuit comes the peer's id and nothing else")
        }
        self.relay = relay
        relayAddress = near.withoutPeerID == nil ? nil : near
        target = far.isEmpty ? nil : address.peerID
    }
}

extension Multiaddr {
    /// The address of what is behind a relay at this one, without the far peer's id.
    func circuit(through relay: PeerID) -> Multiaddr? {
        let named = peerID == relay ? self : try? appending(peer: relay)
        return try? named?.appending(.p2pCircuit)
    }

    /// The address of what is behind a relay whose own address isn't known.
    static func circuit(through relay: PeerID, at address: Multiaddr?) -> Multiaddr? {
        address?.circuit(through: relay) ?? (try? Multiaddr(components: [.p2p(relay), .p2pCircuit]))
    }
}

extension CircuitLimit {
    /// What a relay said of its limits; nil when it bounds nothing.
    init?(_ message: CircuitLimitMessage?) {
        guard let message, message.isBounding else { return nil }
        self.init(duration: message.seconds.map { .seconds(Int64($0)) }, bytes: message.bytes)
    }
}
