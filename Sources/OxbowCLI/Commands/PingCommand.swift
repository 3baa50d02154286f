import ArgumentParser

struct PingCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(commandName: "ping", abstract: "Ping a peer.")

    @OptionGroup var output: OutputOptions

    func perform() async throws -> [(String, JSON)] { [] }
}
