import ArgumentParser

/// `oxbow`: the library's main uses as commands.
@main
struct OxbowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "oxbow",
        abstract: "libp2p in Swift, with streams that move between connections while they live.",
        discussion: """
            An address is a multiaddr with a peer id at its end, as listening commands print it:
              /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…

            Exit status: 0 done; 1 failed otherwise; 2 could not connect to the peer; 3 a transfer failed or its digest \
            differs; 4 a local file can't be read or written; 64 wrong arguments; 130 interrupted (143 by SIGTERM); \
            141 nobody reads the output any more.
            """,
        version: "oxbow 0.1.0",
        subcommands: [
            IDCommand.self, ListenCommand.self, RelayCommand.self, PeersCommand.self, PingCommand.self,
            SendCommand.self, ReceiveCommand.self,
            PipeCommand.self, PerfCommand.self, SoakCommand.self, DemoCommand.self, DemoPeerCommand.self,
        ])
}
