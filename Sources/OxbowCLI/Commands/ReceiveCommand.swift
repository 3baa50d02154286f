import ArgumentParser

struct ReceiveCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(commandName: "receive", abstract: "Receive files.")

    @OptionGroup var output: OutputOptions

    func perform() async throws -> [(String, JSON)] { [] }
}
