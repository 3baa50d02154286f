import Foundation
import Synchronization

/// Keeps processors from being halted while something is measured.
///
/// A virtual processor that has nothing to do is given back to the hypervisor, and to wake it takes longer than all that a short exchange
/// does. What is waited for is then the hypervisor, here and in the references. A process of idle priority on each processor, which
/// runs only while nobody else wants it, is what `idle=poll` does for a kernel.
enum Awake {
    /// What the first argument of such a process is.
    static let command = "awake"

    /// Runs `body` beside one such process for each processor, if it is asked for.
    static func during(_ isWanted: Bool, _ body: () async throws -> Void) async throws {
        guard isWanted else { return try await body() }
        let processes = try (0..<ProcessInfo.processInfo.activeProcessorCount).map { _ in
            try ChildProcess(.ownProgram, [command])
        }
        defer { processes.forEach { $0.stop() } }
        guard processes.allSatisfy({ $0.line() != nil }) else {
            throw Failure("--awake takes the scheduling policy SCHED_IDLE, which this machine refused")
        }
        try await body()
    }

    /// Linux's SCHED_IDLE, which glibc shows with its extensions alone.
    private static let idlePolicy: Int32 = 5
    /// A loop without any effect might be left out.
    private static let spins = Atomic(0)

    static func run() async throws {
        // The policy is the thread's, and those that it starts have it too.
        var parameters = sched_param()
        guard sched_setscheduler(0, idlePolicy, &parameters) == 0 else { throw Failure("no SCHED_IDLE") }
        Thread.detachNewThread {
            while true { spins.add(1, ordering: .relaxed) }
        }
        ChildProcess.say("ready")
        await ChildProcess.endOfInput()
    }
}
