import Foundation
import OxbowCommandLine
import Synchronization

/// Where the demo shows itself: standard output, or standard error when standard output is for JSON.
struct DemoScreen: Sendable {
    let isJSON: Bool
    let paint: DemoPaint
    /// Whether the picture is drawn, and drawn over. Otherwise each thing that happens is a line.
    let isLive: Bool

    init(_ plan: DemoPlan, isJSON: Bool, isColourWanted: Bool) {
        self.isJSON = isJSON
        let descriptor = isJSON ? STDERR_FILENO : STDOUT_FILENO
        let isTerminal = isatty(descriptor) == 1 && getenv("TERM").map { String(cString: $0) } != "dumb"
        let isColourful = getenv("NO_COLOR").map { $0[0] == 0 } ?? true
        paint = DemoPaint(isOn: isTerminal && isColourWanted && isColourful)
        var size = winsize()
        let isKnown = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        let fits = Int(size.ws_col) >= DemoPicture.width && Int(size.ws_row) > plan.connections + 6
        isLive = isTerminal && (fits || !isKnown)
    }

    func say(_ line: String) {
        if isJSON { StandardError.write(line: line) } else { StandardOutput.write(line: line) }
    }

    private func write(_ text: String) {
        let descriptor = isJSON ? OpenFile(STDERR_FILENO) : .standardOutput
        try? descriptor.write(Array(text.utf8))
    }

    /// Draws the picture again and again until the task is cancelled, and once more then.
    func draw(_ board: DemoBoard) async {
        let picture = DemoPicture(paint: paint)
        DemoCursor.hide(with: write)
        defer { DemoCursor.show(with: write) }
        var frame = 0
        var height = 0
        repeat {
            let lines = picture.lines(board.state, frame: frame)
            let up = height > 0 ? "\u{1B}[\(height)A" : ""
            write(up + lines.map { "\u{1B}[2K" + $0 + "\n" }.joined())
            (frame, height) = (frame + 1, lines.count)
            guard !Task.isCancelled else { return }
            try? await Task.sleep(for: .milliseconds(70))
        } while true
    }
}

/// Hides the terminal's cursor, and makes sure that it comes back however the process ends.
private enum DemoCursor {
    private static let isHidden = Mutex(false)
    private static let restored: Void = {
        atexit { DemoCursor.show { try? OpenFile.standardOutput.write(Array($0.utf8)) } }
    }()

    static func hide(with write: (String) -> Void) {
        _ = restored
        isHidden.withLock { $0 = true }
        write("\u{1B}[?25l")
    }

    static func show(with write: (String) -> Void) {
        let wasHidden = isHidden.withLock { isHidden in
            defer { isHidden = false }
            return isHidden
        }
        if wasHidden { write("\u{1B}[?25h") }
    }
}
