import ArgumentParser
import Oxbow

/// What a command's exit status tells; `oxbow --help` lists them.
enum ExitStatus: Int32, Sendable {
    case failed = 1
    /// The peer couldn't be connected to.
    case connect = 2
    /// A transfer broke off, or its digest differs.
    case transfer = 3
    /// A local file can't be read or written.
    case file = 4
    /// SIGINT, as shells count it.
    case interrupted = 130
    /// Nobody reads the output any more (SIGPIPE, as shells count it).
    case outputClosed = 141
    /// SIGTERM, as shells count it.
    case terminated = 143
}

/// Why a command ends without having done what it should.
struct CommandFailure: Error, CustomStringConvertible {
    let status: ExitStatus
    /// For standard error; may have several lines, and none when there is nothing to say.
    let description: String
    /// What is known nevertheless, for `--json`.
    var fields: [(String, JSON)] = []

    init(_ status: ExitStatus, _ description: String, fields: [(String, JSON)] = []) {
        (self.status, self.description, self.fields) = (status, description, fields)
    }

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
