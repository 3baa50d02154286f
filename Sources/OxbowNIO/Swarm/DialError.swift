public import OxbowCore

/// Why one address didn't lead to a connection.
public enum DialFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// No transport of this host takes the address.
    case unsupported(String)
    /// The address says itself that it leads to somebody else.
    case namesAnotherPeer(PeerID)
    /// The network could not reach it.
    case unreachable(String)
    /// The peer was reached, but no connection came of it.
    case connection(ConnectionError)
    /// The relay on the way could not be reached, or made no circuit.
    case relay(PeerID, RelayFailure)
    /// The dial ended before this address had its turn, or its end.
    case notFinished
    /// The address was left out; why.
    case notTried(String)

    public var description: String {
        switch self {
        case .unsupported(let why): "not supported: \(why)"
        case .namesAnotherPeer(let peer): "the address names another peer, \(peer)"
        case .unreachable(let why): "not reachable: \(why)"
        case .connection(let error): error.description
        case .relay(let relay, let failure): "no circuit through relay \(relay): \(failure)"
        case .notFinished: "not finished when the dial ended"
        case .notTried(let why): "not tried: \(why)"
        }
    }
}

/// Why a peer could not be connected to: what happened at each of its addresses.
public struct DialError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Why the dial as a whole failed.
    public enum Reason: Hashable, Sendable {
        /// No address was given, and none is known.
        case noAddresses
        /// The last dial to the peer has failed, and none is made by itself for so long.
        case backingOff(Duration)
        /// Every address failed; each has its own ``Attempt``.
        case allFailed
        /// ``SwarmConfiguration/dialTimeout`` was over first.
        case timedOut(Duration)
        /// Every caller of the dial was cancelled.
        case cancelled
        /// As many dials run as ``SwarmLimits/dials`` allows.
        case tooManyDials(limit: Int)
        /// The peer is this host.
        case isSelf
        /// The host is shutting down.
        case closed
    }

    /// What came of one address.
    public struct Attempt: Hashable, Sendable {
        /// Where.
        public let address: Multiaddr
        /// Why not.
        public let failure: DialFailure
    }

    /// Who was wanted.
    public let peer: PeerID
    /// Why the dial failed.
    public let reason: Reason
    /// What came of each address, in the order in which they had their turn.
    public let attempts: [Attempt]

    package init(closed peer: PeerID) {
        self.init(peer, .closed)
    }

    init(_ peer: PeerID, _ reason: Reason, _ attempts: [Attempt] = []) {
        (self.peer, self.reason, self.attempts) = (peer, reason, attempts)
    }

    public var description: String {
        let head =
            switch reason {
            case .noAddresses: "no address of \(peer) is known; give one, such as /ip4/192.0.2.1/tcp/4001"
            case .backingOff(let wait):
                "the last dial to \(peer) has failed; try again in \(wait.wholeSeconds) s, or give its addresses to dial now"
            case .allFailed: "could not connect to \(peer)"
            case .timedOut(let limit): "could not connect to \(peer) within \(limit)"
            case .cancelled: "the dial to \(peer) was cancelled"
            case .tooManyDials(let limit): "\(limit) dials are running, which is the limit; try again later"
            case .isSelf: "\(peer) is this host itself"
            case .closed: "the host is closed"
            }
        return ([head] + attempts.map { "  \($0.address): \($0.failure)" }).joined(separator: "\n")
    }
}

extension Duration {
    /// Rounded up.
    var wholeSeconds: Int64 { (saturatingNanoseconds / 1_000_000 + 999) / 1_000 }
}

/// Why an address can't be listened on.
public enum ListenError: Error, Hashable, Sendable, CustomStringConvertible {
    case unsupported(Multiaddr)
    /// The host is shut down.
    case closed
    case failed(Multiaddr, String)

    public var description: String {
        switch self {
        case .unsupported(let address):
            "can't listen on \(address): use /ip4/…/tcp/…, /ip6/…/tcp/… or /memory/…, or the address of a relay with its "
                + "id and /p2p-circuit behind it"
        case .closed: "the host is shut down; a new one can listen"
        case .failed(let address, let why): "can't listen on \(address): \(why)"
        }
    }
}
