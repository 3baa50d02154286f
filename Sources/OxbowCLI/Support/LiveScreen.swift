import OxbowCommandLine

/// Lines that are drawn over as they change. Where standard output is no terminal, each picture follows the one before.
final class LiveScreen {
    private var height = 0

    func show(_ lines: [String]) {
        guard StandardOutput.isTerminal else {
            for line in lines + [""] { StandardOutput.write(line: line) }
            return
        }
        // Up to the first line of the last picture, and from there everything anew.
        let up = height > 0 ? "\u{1B}[\(height)A" : ""
        StandardOutput.write(line: up + "\u{1B}[J" + lines.joined(separator: "\n"))
        height = lines.count
    }
}
