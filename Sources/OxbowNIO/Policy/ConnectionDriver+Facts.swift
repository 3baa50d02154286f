import OxbowCore
import OxbowMux
import OxbowSwarm

extension ConnectionDriver {
    /// What the choice between connections looks at.
    func facts(isLowerPeer: Bool) -> ConnectionFacts {
        let path = path
        return ConnectionFacts(
            id: id.rawValue, isLimited: path.isLimited, isRelayed: path.isRelayed, transport: path.transport,
            isDialedByLowerPeer: (role == .dialer) == isLowerPeer)
    }

    /// Asks the peer for a sign of life, and tells when something came last; nil when the connection is over.
    func probe() -> Instant? {
        guard failure == nil else { return nil }
        session?.ping(at: now)
        return session?.lastReceivedAt
    }
}

extension ConnectionPath {
    /// Only what both ends see alike: each may reach a relay in its own way.
    fileprivate var transport: ConnectionFacts.Transport {
        guard !isRelayed, let components = remoteAddress?.components else { return .other }
        if components.contains(.quicV1) { return .quic }
        return remoteAddress?.tcpEndpoint == nil ? .other : .tcp
    }
}
