import OxbowCore
import OxbowMigration
import Synchronization

/// The bytes that a relay still lets through from this side of a circuit, as the relay counts them: those of the pipe
/// under the connection.
///
/// The last of them are kept for moving streams away: Migrates, their answers, FINs and the multiplexer's own frames.
struct CircuitBudget: Hashable, Sendable {
    /// What one direction may carry in all.
    let limit: UInt64
    private let reserve: UInt64
    private(set) var sent: UInt64 = 0
    private(set) var received: UInt64 = 0
    /// Of the record that is being filled, what the application's bytes take.
    private var inRecord: UInt64 = 0

    /// - Parameter reserve: how many bytes are kept; at most half of all.
    init?(_ limit: CircuitLimit?, reserve: UInt64) {
        guard let bytes = limit?.bytes else { return nil }
        self.limit = bytes
        self.reserve = min(reserve, bytes / 2)
    }

    /// How many bytes of the application's may still be framed.
    var allowance: Int {
        let used = sent + inRecord + reserve
        return limit > used ? Int(clamping: limit - used) : 0
    }

    /// Bytes of the application's went into the record that is being filled.
    mutating func framed(_ count: Int) {
        inRecord += UInt64(count)
    }

    /// Bytes went into the pipe.
    mutating func wrote(_ count: Int) {
        inRecord = 0
        sent += UInt64(count)
    }

    mutating func took(_ count: Int) {
        received += UInt64(count)
    }
}

// A connection through a relay that bounds its bytes.

extension ConnectionDriver {
    /// How much of what a logical stream has ready may be framed now. What is about the connection itself always may.
    func admitted(_ pending: Int, of logical: LogicalStream) -> Int {
        guard let circuitBudget, !logical.isControl else { return pending }
        return min(pending, circuitBudget.allowance)
    }

    /// The relay lets no more of a stream's bytes through. One that can move waits for that; another will never get
    /// further, and its application learns why.
    func holdBack(_ logical: LogicalStream) {
        guard let circuitBudget, circuitBudget.allowance == 0, !logical.canMigrate else { return }
        logical.fail(.relayLimitReached(bytes: circuitBudget.limit))
    }
}

extension LogicalStream {
    /// Whether the stream is about its connection rather than the application's.
    fileprivate var isControl: Bool { SwarmConfiguration.neverMigratable.isSuperset(of: candidates) }

    /// Whether the stream has a label and so may move.
    fileprivate var canMigrate: Bool { state.withLock { $0.machine.id != nil } }
}
