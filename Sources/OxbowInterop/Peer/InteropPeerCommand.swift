import ArgumentParser
import Oxbow
import OxbowCommandLine

/// A peer of the interop tests, to the contract of `Interop/README.md`.
struct InteropPeerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peer", abstract: "Be a peer of the interop tests (Interop/README.md).",
        subcommands: [InteropListenCommand.self, InteropDialCommand.self])
}

/// What both roles of the contract take.
struct InteropOptions: ParsableArguments {
    enum Key: String, ExpressibleByArgument, CaseIterable, Sendable {
        case ed25519, rsa, ecdsa, secp256k1

        var type: KeyType {
            switch self {
            case .ed25519: .ed25519
            case .rsa: .rsa
            case .ecdsa: .ecdsa
            case .secp256k1: .secp256k1
            }
        }
    }

    @Option var security = SecurityProtocol.noise
    @Option var keyType = Key.ed25519
    @Option(transform: Multiaddr.parse) var listen: [Multiaddr] = []
    /// Hosts to know before anything else: they tell what this one looks like from outside.
    @Option(transform: PeerAddress.parse) var also: [PeerAddress] = []

    /// - Parameter body: gets the host and where it listens.
    func withHost<Value: Sendable>(_ body: (OxbowHost, [Multiaddr]) async throws -> Value) async throws -> Value {
        var configuration = HostConfiguration()
        configuration.security = [security]
        configuration.swarm.policy = .manual
        return try await Oxbow.withHost(identity: .generate(keyType.type), configuration: configuration) { host in
            let addresses = try listen.isEmpty ? [Multiaddr("/ip4/127.0.0.1/tcp/0")] : listen
            for address in addresses where !address.isRelayed { try await host.listen(on: address) }
            for known in also { _ = try await host.connect(to: known.peer, at: [known.address]) }
            var relayed: [Multiaddr] = []
            for relay in addresses where relay.isRelayed { relayed += try await host.listen(on: relay) }
            return try await body(host, host.listenAddresses + relayed)
        }
    }
}

struct InteropListenCommand: AsyncParsableCommand, Sendable {
    static let configuration = CommandConfiguration(commandName: "listen")

    @OptionGroup var options: InteropOptions

    func run() async throws {
        StandardOutput.ignoreBrokenPipes()
        let options = options
        _ = try await interruptible(isGraceful: true) {
            try await options.withHost { host, addresses in try await InteropListener(host).run(at: addresses) }
        }
    }
}

struct InteropDialCommand: AsyncParsableCommand, Sendable {
    static let configuration = CommandConfiguration(commandName: "dial")

    enum Case: String, ExpressibleByArgument, CaseIterable, Sendable {
        case identify, ping, echo, streams, vanish, upgrade, migrate
    }

    @OptionGroup var options: InteropOptions
    @Argument(transform: PeerAddress.parse) var target: PeerAddress
    @Option var `case`: Case
    @Option var bytes = 1 << 20
    @Option var count = 1
    @Flag var noHalfClose = false
    @Option var close = InteropClosing.after

    func run() async throws {
        StandardOutput.ignoreBrokenPipes()
        let started = ContinuousClock.now
        let (ok, error, fields) = await outcome()
        let head: [(String, JSON)] = [
            ("case", .string(`case`.rawValue)), ("ok", .bool(ok)), ("error", error.map(JSON.string) ?? .null),
            ("seconds", .rounded((ContinuousClock.now - started).seconds)),
        ]
        StandardOutput.write(line: JSON.object(head + fields).description)
        guard ok else { throw ExitCode.failure }
    }

    private func outcome() async -> (ok: Bool, error: String?, fields: [(String, JSON)]) {
        let command = self
        do {
            let result = try await interruptible { try await command.perform() }
            guard let result else { return (false, "interrupted", []) }
            return (result.ok, result.ok ? nil : "the case's own check failed", result.fields)
        } catch {
            return (false, "\(type(of: error)): \(error)", [])
        }
    }

    private func perform() async throws -> InteropResult {
        try await options.withHost { host, _ in
            try await withThrowingTaskGroup(of: InteropResult.self) { group in
                group.addTask {
                    try await BlockingFile(.standardInput).waitForEnd()
                    throw CommandFailure(.terminated, "the standard input has ended")
                }
                let peer = try await host.connect(to: target.peer, at: [target.address])
                let dialer = InteropDialer(
                    host: host, peer: peer, address: target.address, bytes: bytes, isHalfClosing: !noHalfClose,
                    closing: close)
                group.addTask { [self] in try await dialer.perform(self.case, count: count) }
                defer { group.cancelAll() }
                return try await group.next() ?? InteropResult(ok: false)
            }
        }
    }
}

/// What a case has shown.
struct InteropResult: Sendable {
    var ok: Bool
    var fields: [(String, JSON)] = []
}
