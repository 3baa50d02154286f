import ArgumentParser

struct SendCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(commandName: "send", abstract: "Send a file.")

    @OptionGroup var output: OutputOptions

    func perform() async throws -> [(String, JSON)] { [] }
}
