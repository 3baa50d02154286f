import ArgumentParser

struct InteropPeerCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "interop-peer", abstract: "Be a peer of the interop tests.")

    @OptionGroup var output: OutputOptions

    func perform() async throws -> [(String, JSON)] { [] }
}
