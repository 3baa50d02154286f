import ArgumentParser

/// Moves a live stream between connections while a file flows on it.
struct DemoCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Move a live stream between connections while a file flows on it.")

    @OptionGroup var output: OutputOptions

    func perform() async throws -> [(String, JSON)] { [] }
}
