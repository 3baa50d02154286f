import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Runs `body` until it ends, or is cancelled by SIGINT or SIGTERM. Another signal, half a second later or more, ends the
/// process at once; one that comes sooner is the same wish told twice, as by timeout(1), which signals a process and
/// its group.
///
/// - Parameter isGraceful: whether a signal is a way to end well, as it is for what listens; then the value is nil.
/// - Throws: what `body` throws; a ``CommandFailure`` with status 130 or 143 after a signal.
package func interruptible<Value: Sendable>(
    isGraceful: Bool = false, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value? {
    let signalled = Mutex<(number: Int32, time: ContinuousClock.Instant)?>(nil)
    let (signals, continuation) = AsyncStream<Int32>.makeStream()
    let sources = watch([SIGINT, SIGTERM]) { continuation.yield($0) }
    defer { sources.forEach { $0.cancel() } }
    let work = Task { try await body() }
    let watcher = Task {
        for await number in signals {
            let first = signalled.withLock { signalled in
                let first = signalled ?? (number, .now)
                signalled = first
                return first
            }
            guard ContinuousClock.now - first.time < .milliseconds(500) else { exit(128 + number) }
            work.cancel()
        }
    }
    defer { watcher.cancel() }
    let result = await withTaskCancellationHandler {
        await work.result
    } onCancel: {
        work.cancel()
    }
    guard let number = signalled.withLock({ $0?.number }) else { return try result.get() }
    if isGraceful { return nil }
    if case .success(let value) = result { return value }
    throw CommandFailure(number == SIGINT ? .interrupted : .terminated, "interrupted")
}

private func watch(
    _ numbers: [Int32], _ handler: @escaping @Sendable (Int32) -> Void
) -> [any DispatchSourceSignal] {
    numbers.map { number in
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler { handler(number) }
        source.resume()
        return source
    }
}
