import Oxbow

/// One stream through a relay of ours whose limits are off: three processes, and twice the encryption end to end.
enum Relaying {
    private static let plain = Figure("relay.nio", .relay, "TCP through NIO twice, over a forwarder", "Gbit/s")
    private static let direct = Figure("relay.direct", .relay, "one stream, Noise, up, direct", "Gbit/s")
    private static let relayed = Figure("relay.noise", .relay, "the same through a relay", "Gbit/s", per: direct)
    private static let relayedTwice = Figure(
        "relay.noise.plain", .relay, "the same beside the forwarder", "Gbit/s", per: plain)

    static func measure(_ options: Options, _ report: Report, _ child: Child) async throws {
        guard [plain, direct, relayed].contains(where: options.wants) else { return }
        var role = ServerRole()
        role.relayPort = child.plainPort
        let relay = try Child(role)
        defer { relay.stop() }
        var hidden = ServerRole()
        hidden.relay = relay.address
        let far = try Child(hidden)
        defer { far.stop() }
        report.add(
            plain, try await PlainClient.throughput(.none, to: relay.plainPort, for: options.shortDuration))
        report.add(direct, try await send(to: child, options))
        let rate = try await send(to: far, options)
        report.add(relayed, rate)
        report.add(relayedTwice, rate)
    }

    private static func send(to child: Child, _ options: Options) async throws -> Double {
        let configuration = HostConfiguration.forRelays([.noise], isRelay: false)
        return try await withHost(identity: .generate(.ed25519), configuration: configuration) { host in
            let peer = try await host.connect(to: child.peer, at: [child.address])
            _ = try await Throughput.send(peer, for: Throughput.warmUp)
            return try await Throughput.send(peer, for: options.shortDuration).rate
        }
    }
}
