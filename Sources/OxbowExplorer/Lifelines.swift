/// The lines of a message sequence chart: the lower peer's line of life is the left one.
enum Lifelines {
    /// Between the two lines of life.
    private static let width = 42

    static let heading = "    lower" + String(repeating: " ", count: width - 3) + "higher"

    /// What one side does.
    static func local(_ side: Int, _ text: String) -> String {
        let text = " \(text) "
        let gap = String(repeating: " ", count: max(0, width - text.count))
        return "    ║" + (side == 0 ? text + gap : gap + text) + "║"
    }

    /// The arrival of a frame.
    static func arrow(_ label: String, to side: Int, name: String, line: Character) -> String {
        let (label, name, line) = (" \(label) ", " \(name) ", String(line))
        let rest = width - name.count - 2
        let body = line + line + label + String(repeating: line, count: max(0, rest - label.count - 2))
        return "    ║" + name + (side == 0 ? "◄" + body : body + "►") + " ║"
    }

    /// What happens to both.
    static func across(_ text: String, fill: Character = "┄") -> String {
        let room = max(0, width - text.count)
        return "    ║" + String(repeating: fill, count: room / 2) + text
            + String(repeating: fill, count: room - room / 2) + "║"
    }
}
