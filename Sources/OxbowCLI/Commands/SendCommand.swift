import ArgumentParser
import NIOCore
import Oxbow
import OxbowCommandLine
import OxbowMigration
import OxbowNIO

/// Sends a file, if wanted over several connections between which its stream moves.
struct SendCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "send", abstract: "Send a file to a peer that runs 'oxbow receive'.",
        discussion: """
            With --connections the peer is connected to several times, at the addresses in turn; with --migrate-every the \
            stream moves from one connection to the next while the file flows on it.
            """)

    @Argument(help: ArgumentHelp("The file.", valueName: "file"))
    var file: String
    @OptionGroup var dialing: DialOptions
    @Option(help: "How many connections to open, 1 to 8. (default: 1; 2 with --migrate-every)")
    var connections: Int?
    @Option(help: "Move the stream to the next connection every so many seconds.")
    var migrateEvery: Double?
    @OptionGroup var options: HostOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let connections, !(1...8).contains(connections) { throw ValidationError("--connections is 1 to 8") }
        guard let migrateEvery else { return }
        guard (0.001...86_400).contains(migrateEvery) else {
            throw ValidationError("--migrate-every is 0.001 to 86400 seconds")
        }
        if connections == 1 { throw ValidationError("--migrate-every needs at least two connections") }
    }

    func perform() async throws -> [(String, JSON)] {
        let command = self
        let source = try SourceFile(path: file)
        defer { source.file.close() }
        let identity = try options.identity(isListening: false)
        let outcome = try await interruptible {
            try await withHost(identity: identity, configuration: command.configuration) { host in
                try await command.showing(command.dialing.isRelayed, host) { try await command.send(source, host) }
            }
        }
        return outcome ?? []
    }

    private var configuration: HostConfiguration {
        var configuration = options.configuration
        // Who says how many connections there are says what happens on them.
        if connections != nil || migrateEvery != nil { configuration.swarm.policy = .manual }
        return configuration
    }

    private func send(_ source: SourceFile, _ host: OxbowHost) async throws -> [(String, JSON)] {
        let peer = try await dialing.connect(host)
        try peer.require(FileTransfer.protocolID, command: "oxbow receive")
        for number in 1..<max(connections ?? (migrateEvery == nil ? 1 : 2), 1) {
            let address = dialing.addresses[number % dialing.addresses.count].address
            _ = try await host.connectAgain(to: peer.id, at: [address])
        }
        let progress = TransferProgress(name: source.name, total: source.size)
        let (digest, migrations) = try await peer.withStream([FileTransfer.protocolID]) { stream in
            let digest = try await progress.shown(of: stream) {
                try await whileMigrating(stream, of: peer) {
                    do {
                        return try await FileSender(source: source, progress: progress).send(on: stream)
                    } catch let error as FileTransferError {
                        throw CommandFailure(.transfer, error.description)
                    }
                }
            }
            return (digest, stream.migrationCount)
        }
        return report(progress.rate, digest, migrations)
    }

    private func report(_ rate: Rate, _ digest: [UInt8], _ migrations: Int) -> [(String, JSON)] {
        if !output.json {
            StandardOutput.write(
                line: "sent \(printable(file)): \(ByteCount.text(rate.bytes)) in \(decimal(rate.time.seconds, 2)) s "
                    + "(\(rate.text)), \(migrations) migrations, SHA-256 \(hex(digest)) at both ends")
        }
        return [
            ("bytes", .uint(rate.bytes)), ("seconds", .rounded(rate.time.seconds)),
            ("bytes_per_second", .rounded(rate.bytesPerSecond)), ("sha256", .string(hex(digest))),
            ("sha256_equal", true), ("migrations", .int(Int64(migrations))),
        ]
    }

    /// Moves the stream in turn to each connection, while `body` runs.
    private func whileMigrating<Value: Sendable>(
        _ stream: OxbowStream, of peer: Peer, _ body: () async throws -> Value
    ) async throws -> Value {
        guard let migrateEvery else { return try await body() }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var last = stream.connection?.id
                while !Task.isCancelled {
                    try await Task.sleep(for: .seconds(migrateEvery))
                    let others = peer.connections.sorted { $0.id < $1.id }.filter { $0.id != stream.connection?.id }
                    guard let next = others.first(where: { $0.id > last ?? $0.id }) ?? others.first else { continue }
                    last = next.id
                    guard await migrate(stream, of: peer, to: next) else { return }
                }
            }
            defer { group.cancelAll() }
            return try await body()
        }
    }

    /// - Returns: whether it makes sense to go on.
    private func migrate(_ stream: OxbowStream, of peer: Peer, to connection: Connection) async -> Bool {
        do {
            try await peer.migrate(stream, to: connection)
        } catch let refusal as MigrationRefusal {
            switch refusal {
            case .ended: return false
            case .notNegotiated, .underWay, .unread, .tooSoon: return true
            case .notLabelled, .denied, .tooManyFailures, .tooMany, .idsExhausted:
                StandardError.write(line: "oxbow: the stream stays where it is: \(refusal)")
                return false
            }
        } catch {
            guard !Task.isCancelled else { return false }
            StandardError.write(line: printable("oxbow: a migration failed, the transfer goes on: \(error)"))
        }
        return true
    }
}
