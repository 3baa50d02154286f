import Synchronization

/// A value that comes later, for those who need it earlier.
final class DemoBox<Value: Sendable>: Sendable {
    private let content = Mutex<Value?>(nil)
    private let isFull = Meter()

    func put(_ value: Value) {
        content.withLock { $0 = value }
        isFull.raise(to: 1)
    }

    func value() async throws -> Value {
        try await isFull.wait(for: 1)
        guard let value = content.withLock({ $0 }) else { preconditionFailure("what was put is there") }
        return value
    }
}
