import ArgumentParser
import Oxbow
import OxbowCommandLine

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

    @Flag(help: "Take no part in stream migration: streams stay on the connection that they were opened on.")
    var noMigration = false

    @Option(
        help:
            "How many peers, each in a network of its own, have to see this host at an address until it counts. (default: 4)"
    )
    var observers: Int?

    @Flag(help: "Find peers on the local network by multicast DNS, be found there, and connect to who is found.")
    var mdns = false

    @Option(
        help: ArgumentHelp(
            "Connect to this peer at the start, and again when it is lost; may be given several times.",
            valueName: "address"),
        transform: PeerAddress.parse)
    var bootstrap: [PeerAddress] = []

    func validate() throws {
        if let observers, !(1...64).contains(observers) { throw ValidationError("--observers is 1 to 64") }
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
        configuration.swarm.isMigrationEnabled = !noMigration
        configuration.discovery.bootstrap = bootstrap.map(\.address)
        if mdns {
            var local = LocalNetworkDiscovery()
            local.isConnecting = true
            configuration.discovery.localNetwork = local
        }
        if let observers {
            configuration.swarm.reachability.observations.requiredObservers = observers
            configuration.swarm.reachability.judgement.confirmations = min(
                observers, configuration.swarm.reachability.judgement.confirmations)
        }
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

    @Option(
        name: .customLong("relay"),
        help: ArgumentHelp(
            "Listen through this relay too, for peers that can't connect directly; may be given several times.",
            valueName: "address"),
        transform: PeerAddress.parse)
    var relays: [PeerAddress] = []

    @Option(
        name: .customLong("also"),
        help: ArgumentHelp(
            "Connect to this peer as well: the more peers see this host, the surer it is of its own address.",
            valueName: "address"),
        transform: PeerAddress.parse)
    var others: [PeerAddress] = []

    /// Listens, and tells where: at a relay once it has granted a reservation.
    func listen(_ host: OxbowHost) async throws -> [Multiaddr] {
        if addresses.isEmpty {
            try await host.listenEverywhere()
        } else {
            for address in addresses { try await host.listen(on: address) }
        }
        for other in others { try await host.connect(to: other.peer, at: [other.address]) }
        var relayed: [Multiaddr] = []
        for relay in relays { relayed += try await host.listen(on: relay.address.appending(.p2pCircuit)) }
        return host.listenAddresses + relayed
    }
}

extension OxbowHost {
    /// Listens on every interface, at a port that is free.
    func listenEverywhere() async throws {
        try await listen(on: Multiaddr("/ip4/0.0.0.0/tcp/0"))
        // A machine without IPv6 is no reason not to listen.
        _ = try? await listen(on: Multiaddr("/ip6/::/tcp/0"))
    }
}
