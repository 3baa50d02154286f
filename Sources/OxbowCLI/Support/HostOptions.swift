public import ArgumentParser
public import Oxbow

extension SecurityProtocol: ExpressibleByArgument {}

/// Options of every command that has a host.
struct HostOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Who to be: a key file of 'oxbow id'.",
            discussion: """
                Commands that listen take the default key file, so that their id stays; commands that dial take a new \
                key each time.
                """))
    var key: String?

    @Flag(help: "Be somebody new, for this time only.")
    var ephemeral = false

    @Option(help: "Offer and accept only this: noise or tls. May be given twice, the preferred one first.")
    var security: [SecurityProtocol] = []

    func validate() throws {
        if ephemeral, key != nil { throw ValidationError("--ephemeral and --key exclude each other") }
    }

    /// The key to use. A missing file is made.
    func identity(isListening: Bool) throws -> PrivateKey {
        if let key { return try KeyFile(path: key).loadOrCreate(.ed25519) }
        guard isListening, !ephemeral else { return try PrivateKey.generate(.ed25519) }
        return try KeyFile.standard().loadOrCreate(.ed25519)
    }

    var configuration: HostConfiguration {
        var configuration = HostConfiguration()
        if !security.isEmpty { configuration.security = security }
        return configuration
    }
}

/// Options of every command that listens.
struct ListenOptions: ParsableArguments {
    @Option(
        name: .customLong("listen"),
        help: ArgumentHelp(
            "Where to listen; may be given several times. Port 0 finds a free one. (default: all interfaces)",
            valueName: "multiaddr"),
        transform: Multiaddr.parse)
    var addresses: [Multiaddr] = []

    /// Listens, and tells where.
    func listen(_ host: OxbowHost) async throws -> [Multiaddr] {
        guard addresses.isEmpty else {
            for address in addresses { try await host.listen(on: address) }
            return host.listenAddresses
        }
        try await host.listen(on: Multiaddr("/ip4/0.0.0.0/tcp/0"))
        // A machine without IPv6 is no reason not to listen.
        _ = try? await host.listen(on: Multiaddr("/ip6/::/tcp/0"))
        return host.listenAddresses
    }
}
