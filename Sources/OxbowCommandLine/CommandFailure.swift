/// What a command's exit status tells; `oxbow --help` lists them.
package enum ExitStatus: Int32, Sendable {
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
package struct CommandFailure: Error, CustomStringConvertible {
    package let status: ExitStatus
    /// For standard error; may have several lines, and none when there is nothing to say.
    package let description: String
    /// What is known nevertheless, for `--json`.
    package var fields: [(String, JSON)] = []

    package init(_ status: ExitStatus, _ description: String, fields: [(String, JSON)] = []) {
        (self.status, self.description, self.fields) = (status, description, fields)
    }
}
