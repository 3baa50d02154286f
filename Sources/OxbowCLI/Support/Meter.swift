import Synchronization

/// A number that only grows, and tasks that wait for it: bytes delivered, bytes that may be sent, connections closed,
/// streams ended.
final class Meter: Sendable {
    private struct State {
        var value: Int
        var waiters: [Waiter] = []
        var nextTicket = 0
    }

    private struct Waiter {
        let ticket: Int
        let goal: Int
        let continuation: UnsafeContinuation<Void, Never>
    }

    private let state: Mutex<State>

    init(_ value: Int = 0) {
        state = Mutex(State(value: value))
    }

    var value: Int { state.withLock { $0.value } }

    @discardableResult
    func add(_ count: Int) -> Int {
        change { $0 + count }
    }

    func raise(to value: Int) {
        change { max($0, value) }
    }

    @discardableResult
    private func change(_ body: (Int) -> Int) -> Int {
        let (value, reached) = state.withLock { state in
            state.value = body(state.value)
            guard !state.waiters.isEmpty else { return (state.value, [Waiter]()) }
            let reached = state.waiters.filter { $0.goal <= state.value }
            state.waiters.removeAll { $0.goal <= state.value }
            return (state.value, reached)
        }
        for waiter in reached { waiter.continuation.resume() }
        return value
    }

    /// Waits until the number is at least `goal`.
    ///
    /// - Returns: the number then.
    @discardableResult
    func wait(for goal: Int) async throws -> Int {
        let present = value
        guard present < goal else { return present }
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                let isOver = state.withLock { state in
                    guard state.value < goal, !Task.isCancelled else { return true }
                    state.waiters.append(Waiter(ticket: ticket, goal: goal, continuation: continuation))
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let index = state.waiters.firstIndex(where: { $0.ticket == ticket }) else { return nil }
                return state.waiters.remove(at: index)
            }
            waiter?.continuation.resume()
        }
        try Task.checkCancellation()
        return value
    }
}
