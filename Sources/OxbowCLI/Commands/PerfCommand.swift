import ArgumentParser

struct PerfCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(commandName: "perf", abstract: "Measure a connection.")

    @OptionGroup var output: OutputOptions

    func perform() async throws -> [(String, JSON)] { [] }
}
