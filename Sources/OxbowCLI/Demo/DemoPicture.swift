import OxbowCommandLine

/// Colours of a terminal, or none.
struct DemoPaint: Sendable {
    let isOn: Bool

    enum Colour: String {
        case dim = "2"
        case bold = "1"
        case red = "31"
        case green = "32"
        case yellow = "33"
        case blue = "34"
        case cyan = "36"
    }

    func callAsFunction(_ text: String, _ colour: Colour) -> String {
        isOn ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
    }
}

/// Draws the state of a demo: a line for each connection with the stream where it is now, and a bar for each file.
struct DemoPicture: Sendable {
    static let width = 80
    private static let pipe = 24
    let paint: DemoPaint

    /// The picture's lines; always as many for the same plan.
    ///
    /// - Parameter frame: counts the pictures, so that what flows is seen to flow.
    func lines(_ state: DemoState, frame: Int) -> [String] {
        var lines = [heading(state)]
        lines += state.slots.map { slot in slot.map { line($0, frame) } ?? paint("   ·", .dim) }
        lines.append("")
        lines.append(bar("A ▶ B", state.arrivedAtB, state.plan.size, .blue))
        lines.append(bar("B ▶ A", state.arrivedAtA, state.plan.size, .yellow))
        lines.append(summary(state))
        return lines
    }

    private func heading(_ state: DemoState) -> String {
        let left = "   A, process \(state.processA)"
        let right = "B, process \(state.processB.map(String.init) ?? "…")"
        return paint(pad(left, 33) + pad(right, Self.pipe + 2, isRight: true), .bold)
    }

    private func line(_ slot: DemoState.Slot, _ frame: Int) -> String {
        let name = pad("\(slot.number + 1)", 4, isRight: true) + " " + pad(shortened(slot.address), 27)
        let bytes = slot.bytes == 0 ? "" : "  " + ByteCount.text(Double(slot.bytes))
        switch slot.phase {
        case .open:
            return paint(name + " ├" + String(repeating: "─", count: Self.pipe) + "┤ ", .dim) + "open"
        case .carrying:
            return name + paint(" ╞" + water(frame) + "╡ ", .cyan) + paint("stream", .green) + bytes
        case .closed:
            let rest = String(repeating: "·", count: Self.pipe)
            return paint(name + "  " + rest + "  closed" + bytes, .dim)
        }
    }

    /// Both directions drift by each other.
    private func water(_ frame: Int) -> String {
        String(
            (0..<Self.pipe).map { column -> Character in
                if (column + 7 * frame) % 8 == 0 { return "▶" }
                return (column + frame) % 8 == 4 ? "◀" : "═"
            })
    }

    private func bar(_ name: String, _ bytes: Int, _ size: Int, _ colour: DemoPaint.Colour) -> String {
        let width = 36
        let full = min(width, Int(Double(width) * Double(bytes) / Double(max(1, size))))
        let percent = min(100, Int(100 * Double(bytes) / Double(max(1, size))))
        let bar =
            paint(String(repeating: "█", count: full), colour)
            + paint(String(repeating: "░", count: width - full), .dim)
        return "   \(name)  \(bar) \(pad("\(percent)", 3, isRight: true)) %  "
            + "\(ByteCount.text(Double(bytes))) of \(ByteCount.text(Double(size)))"
    }

    private func summary(_ state: DemoState) -> String {
        let bits = Double(state.arrivedAtA + state.arrivedAtB) * 8
        let rate = state.seconds > 0 ? decimal(bits / state.seconds / 1e9, 2) : "0"
        return "   \(rate) Gbit/s   \(state.moves) of \(state.plan.migrations) moves "
            + "(\(state.movesByA) by A, \(state.movesByB) by B)   longest gap "
            + "\(decimal(state.longestGapMilliseconds, 1)) ms"
    }

    private func shortened(_ address: String) -> String {
        address.count <= 27 ? address : String(address.prefix(26)) + "…"
    }

    private func pad(_ text: String, _ width: Int, isRight: Bool = false) -> String {
        let blanks = String(repeating: " ", count: max(0, width - text.count))
        return isRight ? blanks + text : text + blanks
    }
}
