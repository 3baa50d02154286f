import ArgumentParser

struct PipeCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "pipe", abstract: "Connect standard input and output with a peer's.")

    @OptionGroup var output: OutputOptions

    func perform() async throws -> [(String, JSON)] { [] }
}
