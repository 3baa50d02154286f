import ArgumentParser
import Oxbow
import OxbowCommandLine

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A front end of a test that another project's runner starts: results on standard output, everything else on standard
/// error, and a status other than 0 for whatever goes wrong.
protocol TestCommand: AsyncParsableCommand, Sendable {
    /// Takes the part that the environment describes.
    @concurrent func perform(in environment: TestEnvironment) async throws
}

extension TestCommand {
    mutating func run() async throws {
        let command = self
        StandardOutput.ignoreBrokenPipes()
        do {
            _ = try await interruptible { try await command.perform(in: .ofProcess()) }
        } catch let failure as CommandFailure {
            log(failure.description)
            throw ExitCode(failure.status.rawValue)
        } catch {
            log("\(error)")
            throw ExitCode.failure
        }
    }

    /// Writes a line for people, which the runners keep beside the results.
    func log(_ text: String) {
        StandardError.write(line: printable("oxbow-interop: \(text)"))
    }

    /// Waits until the test is over. A listener never ends well by itself: its runner ends it.
    func waitToBeEnded(until deadline: ContinuousClock.Instant) async throws {
        try await Task.sleep(until: deadline)
        throw CommandFailure(.failed, "the test has timed out: nobody has ended this listener")
    }
}

extension TestEnvironment {
    /// The variables of this process.
    static func ofProcess() -> TestEnvironment {
        var values: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
            entry += 1
        }
        return TestEnvironment(values)
    }
}

extension HostConfiguration {
    /// A host as a test wants it: with one security protocol, and with nothing of its own on the connection.
    static func forTest(_ security: SecurityProtocol) -> HostConfiguration {
        var configuration = HostConfiguration()
        configuration.security = [security]
        configuration.swarm.policy = .manual
        configuration.swarm.reachability.isEnabled = false
        return configuration
    }
}
