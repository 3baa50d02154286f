import OxbowCore
import OxbowMigration
import Synchronization

// A migration that is asked for before the stream's own negotiation is over waits for its answer (SM-M1).

/// Who waits for the answer to a stream's own negotiation.
struct AnswerWaiter: Sendable {
    enum Outcome: Sendable {
        /// The wait is over; whether the stream may migrate now, its machine says.
        case over
        case timedOut
        case cancelled
    }

    let ticket: UInt64
    let resume: @Sendable (Outcome) -> Void
}

extension LogicalStream {
    /// Whether there is anything to wait for before a migration can be judged: a stream without a label or at its end
    /// is refused at once.
    var awaitsAnswer: Bool { state.withLock { $0.awaitsAnswer } }

    /// Keeps `waiter` until the answer is read or the stream has failed.
    ///
    /// - Returns: false when there is nothing to wait for.
    func add(_ waiter: AnswerWaiter) -> Bool {
        state.withLock { state in
            guard state.awaitsAnswer else { return false }
            state.openBook().answerWaiters.append(waiter)
            return true
        }
    }

    /// Ends the wait of one waiter, if it still waits.
    func endAnswerWait(_ ticket: UInt64, _ outcome: AnswerWaiter.Outcome) {
        let waiter = state.withLock { state -> AnswerWaiter? in
            guard let book = state.book, let index = book.answerWaiters.firstIndex(where: { $0.ticket == ticket })
            else { return nil }
            return book.answerWaiters.remove(at: index)
        }
        waiter?.resume(outcome)
    }
}

extension LogicalStream.State {
    fileprivate var awaitsAnswer: Bool { machine.id != nil && !machine.isNegotiated && !machine.isEnded }

    mutating func takeAnswerWaiters() -> [AnswerWaiter] {
        guard let book else { return [] }
        defer { book.answerWaiters = [] }
        return book.answerWaiters
    }
}
