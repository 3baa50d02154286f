import ArgumentParser

struct ListenCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(commandName: "listen", abstract: "Run a host.")

    @OptionGroup var output: OutputOptions

    func perform() async throws -> [(String, JSON)] { [] }
}
