public import OxbowCore
import OxbowMigration
import OxbowProtocols

extension SwarmConfiguration {
    /// Protocols whose streams are never labelled, whatever is configured (SM-L5): they are about one connection, or
    /// over in a moment. Most of them Oxbow doesn't speak itself; an application that does need not think of it.
    public static let neverMigratable: Set<ProtocolID> = [
        // identify, its push and ping tell of the connection that they run on.
        Identify.protocolID, Identify.pushProtocolID, Ping.protocolID,
        // A hole punch belongs to the relayed connection that it is to replace.
        "/libp2p/dcutr",
        // AutoNAT, versions 1 and 2.
        "/libp2p/autonat/1.0.0", "/libp2p/autonat/2/dial-request", "/libp2p/autonat/2/dial-back",
        // Circuit relay, versions 1 and 2: control streams, and what becomes a connection itself.
        "/libp2p/circuit/relay/0.1.0", "/libp2p/circuit/relay/0.2.0/hop", "/libp2p/circuit/relay/0.2.0/stop",
        // A label within a label.
        "/libp2p/stream-migration", "/libp2p/stream-migration/",
    ]

    /// Whether streams for `id` take part in migration.
    func mayMigrate(_ id: ProtocolID) -> Bool {
        isMigrationEnabled && !Self.neverMigratable.contains(id) && !unmigratableProtocols.contains(id)
    }
}
