import ArgumentParser
import Oxbow
import OxbowCommandLine

/// Where the peer is, for every command that dials.
struct DialOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            """
            Where the peer is, with its id at the end: /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW… Several addresses of one \
            peer are tried together.
            """, valueName: "address"),
        transform: PeerAddress.parse)
    var addresses: [PeerAddress]

    @Option(
        name: .customLong("also"),
        help: ArgumentHelp(
            "Connect to this peer first: the more peers see this host, the surer it is of its own address.",
            valueName: "address"),
        transform: PeerAddress.parse)
    var others: [PeerAddress] = []

    /// Whether one of the addresses leads through a relay.
    var isRelayed: Bool { addresses.contains { $0.address.isRelayed } }

    func validate() throws {
        _ = try PeerAddress.commonPeer(of: addresses)
    }

    /// Connects. Who dials through a relay listens, too: the direct path comes of both sides' dials.
    func connect(_ host: OxbowHost) async throws -> Peer {
        if isRelayed, host.listenAddresses.isEmpty { try await host.listenEverywhere() }
        for other in others { try await host.connect(to: other.peer, at: [other.address]) }
        return try await host.connect(to: PeerAddress.commonPeer(of: addresses), at: addresses.map(\.address))
    }
}
