package import OxbowCore

extension Swarm {
    /// Takes one end of a pipe in memory for a connection. On the pipe's event loop.
    ///
    /// - Parameters:
    ///   - remoteAddress: where the pipe is said to lead; nil when it has no address.
    ///   - expectedPeer: whom a dialer means to reach.
    ///   - limit: what bounds the path.
    ///   - completion: called once, when the connection stands or has failed.
    /// - Returns: the connection, or nil when it was refused at once.
    @discardableResult
    package func adopt(
        _ end: MemoryTransport, role: ConnectionRole, remoteAddress: Multiaddr? = nil, expectedPeer: PeerID? = nil,
        limit: CircuitLimit? = nil,
        completion: (@Sendable (Result<ConnectionDriver, ConnectionError>) -> Void)? = nil
    ) -> ConnectionDriver? {
        var path = newPath(role, local: nil, remote: remoteAddress)
        path.limit = limit
        guard let connection = adopt(end, path: path, expectedPeer: expectedPeer, completion: completion)
        else { return nil }
        connection.start()
        end.start(delegate: connection)
        return connection
    }
}
