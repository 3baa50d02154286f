import Foundation
import Oxbow
import OxbowCommandLine
import OxbowNIO

/// The file to which a stream's trace goes.
struct TraceFile: Sendable {
    let path: String

    /// Makes the file, so that one that can't be written is found before the work and not behind it.
    init(path: String) throws(CommandFailure) {
        self.path = path
        try write("")
    }

    /// JSON Lines are for scripts, one line for each side; a drawing is for people.
    static func text(_ traces: [StreamTrace], forPath path: String) throws -> String {
        guard path.lowercased().hasSuffix(".jsonl") else { return StreamTrace.timeline(of: traces) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try traces.map { String(decoding: try encoder.encode($0), as: UTF8.self) + "\n" }.joined()
    }

    func write(_ traces: [StreamTrace]) throws {
        try write(Self.text(traces, forPath: path))
    }

    private func write(_ text: String) throws(CommandFailure) {
        do { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) } catch {
            throw CommandFailure(.file, "the trace can't be written to \(path): \(error.localizedDescription)")
        }
    }
}
