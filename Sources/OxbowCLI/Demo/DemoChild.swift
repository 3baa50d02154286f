import Foundation
import OxbowCommandLine
import Synchronization

/// The second process of the demo: this program again, with its standard input and output as the control channel. It
/// ends when its input does, so it can't outlive this process, however that ends.
final class DemoChild: Sendable {
    let link: DemoLink
    private let process: Process
    private let hasEnded = Meter()

    /// Starts it.
    init() throws(DemoError) {
        guard let program = Bundle.main.executableURL else { throw .cannotStart("this program can't find itself") }
        let process = Process()
        process.executableURL = program
        process.arguments = [DemoPeerCommand.name]
        let (toChild, fromChild) = (Pipe(), Pipe())
        process.standardInput = toChild
        process.standardOutput = fromChild
        let hasEnded = hasEnded
        process.terminationHandler = { _ in hasEnded.raise(to: 1) }
        // Copies that the child doesn't inherit: with a writing end of its own it would wait for itself for ever.
        let reading = fcntl(fromChild.fileHandleForReading.fileDescriptor, F_DUPFD_CLOEXEC, 3)
        let writing = fcntl(toChild.fileHandleForWriting.fileDescriptor, F_DUPFD_CLOEXEC, 3)
        guard reading >= 0, writing >= 0 else { throw .cannotStart(String(cString: strerror(errno))) }
        do {
            try process.run()
        } catch {
            OpenFile(reading).close()
            OpenFile(writing).close()
            throw .cannotStart("\(error.localizedDescription) (\(program.path))")
        }
        try? toChild.fileHandleForWriting.close()
        try? fromChild.fileHandleForReading.close()
        self.process = process
        link = .descriptors(reading: reading, writing: writing)
    }

    /// Waits until it has ended by itself.
    ///
    /// - Returns: false when it has not within `limit`.
    func hasEnded(within limit: Duration) async -> Bool {
        let hasEnded = hasEnded
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask { (try? await hasEnded.wait(for: 1)) != nil }
            group.addTask {
                try? await Task.sleep(for: limit)
                return false
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
    }

    /// Ends it: by the end of its input, or by force when that isn't enough.
    func stop() {
        link.close()
        for _ in 0..<200 where process.isRunning { usleep(10_000) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    /// How it ended, if it ended badly.
    var misfortune: String? {
        guard !process.isRunning, process.terminationStatus != 0 else { return nil }
        let status = process.terminationStatus
        return process.terminationReason == .uncaughtSignal ? "signal \(status)" : "exit status \(status)"
    }
}
