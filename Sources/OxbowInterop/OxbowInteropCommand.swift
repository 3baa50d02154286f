import ArgumentParser

/// `oxbow-interop`: this library as a peer of tests that others run, or wrote.
@main
struct OxbowInteropCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "oxbow-interop",
        abstract: "Oxbow as a peer of interoperability tests.",
        version: "oxbow 0.1.0",
        subcommands: [
            InteropPeerCommand.self, TransportCommand.self, InteropPerfCommand.self, HolePunchCommand.self,
        ])
}
