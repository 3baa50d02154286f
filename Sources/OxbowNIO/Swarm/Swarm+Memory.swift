package import OxbowCore

extension Swarm {
    /// Takes one end of a pipe in memory for a connection, without a socket. On the pipe's event loop.
    ///
    /// - Parameters:
    ///   - expectedPeer: whom a dialer means to reach.
    ///   - remote: what the path is to say of the other end; a test's way to a relayed one.
    ///   - limit: what bounds the path.
    ///   - completion: called once, when the connection stands or has failed.
    /// - Returns: the connection, or nil when it was refused at once.
    @discardableResult
    package func adopt(
        _ end: MemoryTransport, role: ConnectionRole, expectedPeer: PeerID? = nil, remote: Multiaddr? = nil,
        limit: CircuitLimit? = nil,
        completion: (@Sendable (Result<ConnectionDriver, ConnectionError>) -> Void)? = nil
    ) -> ConnectionDriver? {
        var path = newPath(role, local: nil, remote: remote)
        path.limit = limit
        guard let connection = adopt(end, path: path, expectedPeer: expectedPeer, completion: completion)
        else { return nil }
        connection.start()
        end.start(delegate: connection)
        return connection
    }
}
