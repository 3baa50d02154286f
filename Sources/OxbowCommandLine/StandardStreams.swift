import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Standard output, unbuffered and whole: a line is out when the call returns.
package enum StandardOutput {
    package static let isTerminal = isatty(STDOUT_FILENO) == 1

    /// Makes a write to a pipe that nobody reads an error instead of a signal.
    package static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }

    /// Writes a line. When that can't be done the process ends: nobody is left to tell.
    package static func write(line: String) {
        do {
            try OpenFile(STDOUT_FILENO).write(Array((line + "\n").utf8))
        } catch {
            guard error.code != .brokenPipe else { exit(ExitStatus.outputClosed.rawValue) }
            StandardError.write(line: "oxbow: standard output can't be written: \(error.code)")
            exit(ExitStatus.file.rawValue)
        }
    }
}

/// Standard error: for people. What can't be written is lost.
package enum StandardError {
    package static let isTerminal = isatty(STDERR_FILENO) == 1

    package static func write(_ text: String) {
        try? OpenFile(STDERR_FILENO).write(Array(text.utf8))
    }

    package static func write(line: String) { StatusLine.shared.interrupt(with: line) }

    /// The width of the terminal in columns.
    package static var columns: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}

/// The last line of the terminal, which is written over as things change: a progress bar. Other lines go above it.
/// Where standard error is no terminal nothing of it is shown.
package final class StatusLine: Sendable {
    package static let shared = StatusLine()
    private let shown = Mutex("")

    /// Shows `text`, cut to the terminal's width.
    package func show(_ text: String) {
        guard StandardError.isTerminal else { return }
        let line = String(text.prefix(StandardError.columns - 1))
        shown.withLock { shown in
            guard shown != line else { return }
            shown = line
            StandardError.write("\r\u{1B}[K" + line)
        }
    }

    /// Takes the line away.
    package func clear() {
        shown.withLock { shown in
            guard !shown.isEmpty else { return }
            shown = ""
            StandardError.write("\r\u{1B}[K")
        }
    }

    /// Leaves the line as it is and goes on below it.
    package func keep() {
        shown.withLock { shown in
            guard !shown.isEmpty else { return }
            shown = ""
            StandardError.write("\n")
        }
    }

    /// Writes a line above.
    package func interrupt(with line: String) {
        shown.withLock { shown in
            StandardError.write(shown.isEmpty ? line + "\n" : "\r\u{1B}[K\(line)\n\(shown)")
        }
    }
}
