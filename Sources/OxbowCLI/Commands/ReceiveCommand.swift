import ArgumentParser
import NIOCore
import Oxbow
import OxbowCommandLine
import OxbowNIO
import Synchronization

/// Receives files.
struct ReceiveCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "receive", abstract: "Receive files from peers that run 'oxbow send', until Ctrl-C.",
        discussion: """
            A file that is there already is never replaced without --force. What arrives is called NAME.part until it is \
            whole and its digest right. With --once the exit status tells how the first transfer went.
            """)

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("A folder, or the name of the file. (default: this folder)", valueName: "path"))
    var destination: String?
    @Flag(help: "End after the first transfer, whatever became of it.")
    var once = false
    @Flag(help: "Replace files that are there.")
    var force = false
    @Option(help: ArgumentHelp("The most bytes that a file may have, such as 2GiB.", valueName: "bytes"))
    var maxSize: ByteCount?
    @OptionGroup var senders: SenderOptions
    @OptionGroup var listening: ListenOptions
    @OptionGroup var options: HostOptions
    @OptionGroup var output: OutputOptions

    func perform() async throws -> [(String, JSON)] {
        let command = self
        let policy = ReceivePolicy(
            output: destination, isOverwriting: force, maximumSize: maxSize?.value, senders: Set(senders.peers))
        let identity = try options.identity(isListening: true)
        let file = try await interruptible(isGraceful: !once) {
            try await withHost(identity: identity, configuration: command.options.configuration) { host in
                try await command.showing(!command.listening.relays.isEmpty, host) {
                    try await command.receive(host, FileReceiver(policy))
                }
            }
        }
        return (file ?? nil)?.fields ?? []
    }

    /// - Returns: with `--once` the file.
    private func receive(_ host: OxbowHost, _ receiver: FileReceiver) async throws -> ReceivedFile? {
        let (outcomes, continuation) = AsyncStream<Result<ReceivedFile, any Error>>.makeStream(
            bufferingPolicy: .bufferingNewest(once ? 1 : FileTransfer.maximumConcurrent * 2))
        host.handle(FileTransfer.protocolID) { stream in
            let result: Result<ReceivedFile, any Error>
            do {
                result = .success(try await receiver.receive(stream))
                stream.close()
            } catch {
                // A refusal's answer is on its way: only what broke off is reset.
                if error is StreamError { stream.reset() } else { stream.close() }
                result = .failure(error)
            }
            show(result, from: stream.peer)
            continuation.yield(result)
        }
        try await listen(listening, host)
        for await result in outcomes where once {
            await host.streamsEnded()
            return try result.mapError { CommandFailure(reception: $0) }.get()
        }
        return nil
    }

    private func show(_ result: Result<ReceivedFile, any Error>, from peer: PeerID) {
        guard !once || !output.json else { return }
        switch result {
        case .success(let file) where output.json: emit([("event", "received")] + file.fields)
        case .success(let file): StandardOutput.write(line: printable(file.text))
        case .failure(let error) where output.json:
            emit([("event", "failed"), ("peer", .string(peer.description)), ("error", .string("\(error)"))])
        case .failure(let error) where !once:
            StandardError.write(line: printable("oxbow: a transfer from \(peer) failed: \(Self.reason(error))"))
        case .failure: break
        }
    }

    /// What refused here is told from the receiver's side.
    private static func reason(_ error: any Error) -> String {
        CommandFailure(reception: error).description
    }
}

extension CommandFailure {
    /// Why a file was not received.
    fileprivate init(reception error: any Error) {
        switch error {
        case FileTransferError.refused(let reason): self.init(.transfer, "the file was refused: \(reason)")
        case let error as FileTransferError: self.init(.transfer, error.description)
        default: self.init(error)
        }
    }
}
