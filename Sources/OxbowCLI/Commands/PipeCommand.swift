import ArgumentParser
import NIOCore
import Oxbow
import OxbowCommandLine
import OxbowNIO
import Synchronization

/// Standard input and output as the two directions of a stream.
struct PipeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipe", abstract: "Connect standard input and output with those of a peer, as netcat does.",
        discussion: """
            One end listens, the other dials. The end of standard input goes to the peer, which still may send; the command ends \
            when both directions have. Bytes pass as they are, and no faster than the other side takes them.
            """,
        subcommands: [PipeListenCommand.self, PipeDialCommand.self])

    static let protocolID: ProtocolID = "/oxbow/pipe/1.0.0"
}

struct PipeListenCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "listen", abstract: "Wait for a peer that dials. Others are turned away then.",
        discussion: "Addresses, and with --json the result, go to standard error: standard output is the peer's.")

    @OptionGroup var senders: SenderOptions
    @OptionGroup var listening: ListenOptions
    @OptionGroup var options: HostOptions
    @OptionGroup var output: OutputOptions
    var hasDataOnOutput: Bool { true }

    func perform() async throws -> [(String, JSON)] {
        let command = self
        let identity = try options.identity(isListening: true)
        let counts = try await interruptible {
            try await withHost(identity: identity, configuration: command.options.configuration) { host in
                try await command.pipe(host)
            }
        }
        return counts?.fields ?? []
    }

    private func pipe(_ host: OxbowHost) async throws -> PipeCounts {
        let allowed = Set(senders.peers)
        let isTaken = Mutex(false)
        let (results, continuation) = AsyncStream<Result<PipeCounts, any Error>>.makeStream()
        host.handle(PipeCommand.protocolID) { stream in
            let isFirst = isTaken.withLock { isTaken in
                guard !isTaken, allowed.isEmpty || allowed.contains(stream.peer) else { return false }
                isTaken = true
                return true
            }
            guard isFirst else { return stream.reset() }
            let result: Result<PipeCounts, any Error>
            do {
                result = .success(try await stream.pipeStandardStreams())
                stream.close()
            } catch {
                stream.reset()
                result = .failure(error)
            }
            continuation.yield(result)
        }
        try await listen(listening, host)
        for await result in results {
            await host.streamsEnded()
            return try result.get()
        }
        throw CancellationError()
    }
}

struct PipeDialCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "dial", abstract: "Dial a peer that runs 'oxbow pipe listen'.",
        discussion: "With --json the result goes to standard error: standard output is the peer's.")

    @OptionGroup var dialing: DialOptions
    @OptionGroup var options: HostOptions
    @OptionGroup var output: OutputOptions
    var hasDataOnOutput: Bool { true }

    func perform() async throws -> [(String, JSON)] {
        let command = self
        let identity = try options.identity(isListening: false)
        let counts = try await interruptible {
            try await withHost(identity: identity, configuration: command.options.configuration) { host in
                let peer = try await command.dialing.connect(host)
                try peer.require(PipeCommand.protocolID, command: "oxbow pipe listen")
                let counts = try await peer.withStream([PipeCommand.protocolID]) { stream in
                    try await stream.pipeStandardStreams()
                }
                await host.streamsEnded()
                return counts
            }
        }
        return counts?.fields ?? []
    }
}

/// What went through a pipe, in bytes.
struct PipeCounts: Sendable {
    var sent: UInt64 = 0
    var received: UInt64 = 0

    var fields: [(String, JSON)] { [("bytes_sent", .uint(sent)), ("bytes_received", .uint(received))] }
}

extension OxbowStream {
    /// Copies standard input to the peer and the peer's bytes to standard output, until both have ended. Each end is
    /// passed on by itself.
    func pipeStandardStreams() async throws -> PipeCounts {
        try await withThrowingTaskGroup(of: PipeCounts.self) { group in
            group.addTask {
                let input = BlockingFile(.standardInput)
                var counts = PipeCounts()
                while let bytes = try await input.next() {
                    try await outbound.write(bytes)
                    counts.sent += UInt64(bytes.readableBytes)
                }
                outbound.finish()
                return counts
            }
            group.addTask {
                let output = BlockingFile(.standardOutput)
                var counts = PipeCounts()
                for try await bytes in inbound {
                    try await output.write(bytes)
                    counts.received += UInt64(bytes.readableBytes)
                }
                try await output.close()
                return counts
            }
            defer { group.cancelAll() }
            return try await group.reduce(into: PipeCounts()) { total, counts in
                total.sent += counts.sent
                total.received += counts.received
            }
        }
    }
}
