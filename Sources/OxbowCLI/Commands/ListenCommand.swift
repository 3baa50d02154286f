import ArgumentParser
import NIOCore
import Oxbow
import OxbowCommandLine
import OxbowNIO

/// A host that waits for peers and tells what they do.
struct ListenCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "listen", abstract: "Run a host that serves identify and ping, until Ctrl-C.")

    @OptionGroup var listening: ListenOptions
    @Flag(help: "Serve /echo/1.0.0 too: every byte goes back to its sender.")
    var echo = false
    @Flag(help: "Serve /perf/1.0.0 too: peers may make this host send and take bytes.")
    var perf = false
    @OptionGroup var options: HostOptions
    @OptionGroup var output: OutputOptions

    func perform() async throws -> [(String, JSON)] {
        let command = self
        let identity = try options.identity(isListening: true)
        _ = try await interruptible(isGraceful: true) {
            try await withHost(identity: identity, configuration: command.options.configuration) { host in
                try await command.run(host)
            }
        }
        return []
    }

    private func run(_ host: OxbowHost) async throws {
        if echo {
            host.handle("/echo/1.0.0", onEventLoop: true) { stream in
                for try await bytes in stream.inbound { try await stream.outbound.write(bytes) }
            }
        }
        if perf { host.servePerf() }
        let events = host.events()
        try await listen(listening, host)
        await show(events)
    }
}

extension OxbowSubcommand {
    /// Tells of events until they end or the task is cancelled: a script by objects.
    func show(_ events: AsyncStream<SwarmEvent>) async {
        for await event in events {
            if output.json {
                emit(event.fields)
            } else if let text = event.text {
                if hasDataOnOutput {
                    StandardError.write(line: printable(text))
                } else {
                    StandardOutput.write(line: printable(text))
                }
            }
        }
    }

    /// Tells of events while `body` runs, if that is wanted.
    func showing<Value: Sendable>(
        _ isWanted: Bool, _ host: OxbowHost, _ body: () async throws -> Value
    ) async throws -> Value {
        guard isWanted else { return try await body() }
        let events = host.events()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await show(events) }
            defer { group.cancelAll() }
            return try await body()
        }
    }

    /// Listens, and tells where: a script by the first line, as an object.
    func listen(_ listening: ListenOptions, _ host: OxbowHost) async throws {
        let addresses = try await listening.listen(host)
        if output.json {
            let list = JSON.array(addresses.map { .string($0.description) })
            emit([("event", "listening"), ("peer_id", .string(host.id.description)), ("addrs", list)])
            return
        }
        for address in addresses {
            let line = "listening on  \(address)"
            if hasDataOnOutput { StandardError.write(line: line) } else { StandardOutput.write(line: line) }
        }
    }
}
