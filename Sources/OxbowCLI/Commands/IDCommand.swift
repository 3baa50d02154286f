import ArgumentParser

struct IDCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(commandName: "id", abstract: "Make or show this host's identity.")

    @OptionGroup var output: OutputOptions

    func perform() async throws -> [(String, JSON)] { [] }
}
