package import OxbowCore

extension Swarm {
    /// Takes one end of a pipe in memory for a connection, without an address. On the pipe's event loop.
    ///
    /// - Parameters:
    ///   - remote: where it comes from, or leads to.
    ///   - expectedPeer: whom a dialer means to reach.
    ///   - completion: called once, when the connection stands or has failed.
    /// - Returns: the connection, or nil when it was refused at once.
    @discardableResult
    package func adopt(
        _ end: MemoryTransport, role: ConnectionRole, remote: Multiaddr? = nil, expectedPeer: PeerID? = nil,
        completion: (@Sendable (Result<ConnectionDriver, ConnectionError>) -> Void)? = nil
    ) -> ConnectionDriver? {
        let path = newPath(role, local: nil, remote: remote)
        guard let connection = adopt(end, path: path, expectedPeer: expectedPeer, completion: completion)
        else { return nil }
        connection.start()
        end.start(delegate: connection)
        return connection
    }
}
