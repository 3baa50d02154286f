/// Puts connections to one peer into classes. Both peers have to come to the same classes: pruning and the direction of
/// migrations rest on that (CS-1).
public protocol ConnectionRanking: Sendable {
    /// The class of a connection: the lower, the better. To look only at what both peers know for certain: never at a
    /// measured time, an address that a NAT rewrites, or the order in which connections opened here.
    func rank(of connection: ConnectionFacts) -> Int
}

/// Unlimited before limited, direct before relayed, then the transports in the order of preference.
public struct StandardRanking: ConnectionRanking, Hashable {
    /// Best first. A transport that isn't named comes last.
    public var transports: [ConnectionFacts.Transport]

    /// QUIC before TCP unless told otherwise.
    public init(transports: [ConnectionFacts.Transport] = [.quic, .tcp, .other]) {
        self.transports = transports
    }

    public func rank(of connection: ConnectionFacts) -> Int {
        let transport = transports.firstIndex(of: connection.transport) ?? transports.count
        let width = ConnectionFacts.Transport.allCases.count + 1
        return ((connection.isLimited ? 2 : 0) + (connection.isRelayed ? 1 : 0)) * width + transport
    }
}
