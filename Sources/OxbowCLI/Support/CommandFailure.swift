import ArgumentParser
import Oxbow
import OxbowCommandLine

extension CommandFailure {
    /// Any error with the status that fits its kind.
    init(_ error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let error as DialError: self.init(.connect, error.description)
        case let error as StreamError: self.init(.transfer, error.description)
        case let error as ConnectionError: self.init(.transfer, error.description)
        // As with a program that SIGPIPE ends: nobody is left who wants to know.
        case let error as FileError where error.code == .brokenPipe: self.init(.outputClosed, "")
        case let error as FileError: self.init(.file, error.description)
        case let error as KeyFileError: self.init(.file, error.description)
        case is CancellationError: self.init(.interrupted, "interrupted")
        default: self.init(.failed, "\(error)")
        }
    }
}

/// Options of how a command tells its result.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Make the last line of the output one JSON object with the result.")
    var json = false
}

/// A command of `oxbow`: reports failures in one way, and its result as JSON when that is asked for.
protocol OxbowSubcommand: AsyncParsableCommand, Sendable {
    var output: OutputOptions { get }
    /// Whether standard output carries data: the result goes to standard error then.
    var hasDataOnOutput: Bool { get }
    /// Does the work.
    ///
    /// - Returns: the fields of the result, for `--json`.
    @concurrent func perform() async throws -> [(String, JSON)]
}

extension OxbowSubcommand {
    var hasDataOnOutput: Bool { false }

    /// Writes an object for a script.
    func emit(_ fields: [(String, JSON)]) {
        let line = JSON.object(fields).description
        if hasDataOnOutput { StandardError.write(line: line) } else { StandardOutput.write(line: line) }
    }

    mutating func run() async throws {
        let command = self
        StandardOutput.ignoreBrokenPipes()
        do {
            let fields = try await command.perform()
            if output.json { emit([("ok", true)] + fields) }
        } catch let exit as ExitCode {
            throw exit
        } catch {
            let failure = CommandFailure(error)
            StatusLine.shared.clear()
            if !failure.description.isEmpty { StandardError.write(line: printable("oxbow: \(failure)")) }
            if output.json {
                let head: [(String, JSON)] = [("ok", false), ("error", .string(failure.description))]
                emit(head + failure.fields)
            }
            throw ExitCode(failure.status.rawValue)
        }
    }
}
