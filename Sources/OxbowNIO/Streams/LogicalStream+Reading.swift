import DequeModule
package import NIOCore
package import OxbowCore
import OxbowMigration
import Synchronization

/// What a reading task has taken out of a stream at once.
struct ReadBatch {
    var buffers = Deque<ByteBuffer>()
    /// Bytes that the application got since window was given back last.
    var used = 0
    /// A Migrate waits for them (SM-M6): they go back as soon as the batch is used up.
    var returnsAtOnce = false
}

// Reading by a task.

extension LogicalStream {
    /// The next bytes, as they arrived; nil at the clean end. One task at a time.
    ///
    /// - Parameter maximum: how many bytes at most.
    package func next(maximum: Int = .max) async throws(StreamError) -> ByteBuffer? {
        while true {
            switch look(maximum: maximum) {
            case .bytes(let buffer): return buffer
            case .end: return nil
            case .failed(let error): throw error
            case .nothing: break
            }
            guard await waitForBytes() else { throw .concurrentRead }
            if Task.isCancelled, !hasBytes { throw .cancelled }
        }
    }

    /// What a read finds without waiting.
    private enum Finding {
        case bytes(ByteBuffer)
        case end
        case failed(StreamError)
        case nothing
    }

    /// All of a read but its wait. A function of its own, and never a part of another: what it needs would be in the frame
    /// of each task that waits, and a host has one of those for each of its streams.
    @inline(never)
    private func look(maximum: Int) -> Finding {
        while true {
            if let buffer = takeFromBatch(maximum: maximum) { return .bytes(buffer) }
            switch fillBatch() {
            case .some(.end): return .end
            case .some(.failed(let error)): return .failed(error)
            case .some(.buffers), .none: continue
            case .some(.wait): return .nothing
            }
        }
    }

    private func takeFromBatch(maximum: Int) -> ByteBuffer? {
        let (buffer, returned) = batch.withLock { batch -> (ByteBuffer?, Int) in
            guard let first = batch.buffers.first else { return (nil, 0) }
            let buffer: ByteBuffer?
            if first.readableBytes <= maximum {
                buffer = batch.buffers.removeFirst()
                // An idle stream keeps no room for buffers.
                if batch.buffers.isEmpty { batch.buffers = Deque() }
            } else {
                buffer = batch.buffers[0].readSlice(length: maximum)
            }
            batch.used += buffer?.readableBytes ?? 0
            let isAwaited = batch.returnsAtOnce && batch.buffers.isEmpty
            guard batch.used >= limits.creditPortion || isAwaited else { return (buffer, 0) }
            defer { batch.used = 0 }
            if isAwaited { batch.returnsAtOnce = false }
            return (buffer, batch.used)
        }
        if returned > 0 { returnCredit(returned) }
        return buffer
    }

    /// Takes what has arrived. Nil when it went into the batch.
    private func fillBatch() -> ReadOutcome? {
        let used = batch.withLock { batch in
            defer { batch.used = 0 }
            return batch.used
        }
        switch read(returning: used, orWait: nil) {
        case .buffers(let buffers):
            batch.withLock { batch in
                if batch.buffers.isEmpty { batch.buffers = buffers } else { batch.buffers.append(contentsOf: buffers) }
            }
            return nil
        case let other:
            return other
        }
    }

    private var hasBytes: Bool {
        state.withLock { $0.isReadable }
    }

    /// - Returns: false when another task waits already.
    private func waitForBytes() async -> Bool {
        var isAlone = true
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                let isOver = state.withLock { state in
                    guard !state.isReadable, !Task.isCancelled else { return true }
                    isAlone = state.reader == nil
                    guard isAlone else { return true }
                    state.reader = .task(continuation)
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            cancelReader()
        }
        return isAlone
    }
}

// MARK: - Looking at it

extension LogicalStream {
    /// What can be seen of a stream.
    package struct Snapshot: Sendable {
        package var id: UInt64?
        package var path: ConnectionPath?
        package var migrations: [MigrationRecord] = []
        package var migrationCount = 0
        package var migrationTotals = MigrationTotals()
        /// On the legs that it lives on now.
        package var bytesRead: UInt64 = 0
        package var bytesWritten: UInt64 = 0
        /// On all legs, from its beginning.
        package var totalBytesRead: UInt64 = 0
        package var totalBytesWritten: UInt64 = 0
        package var bytesByPath: [PathBytes] = []
    }

    /// Timers that run for the stream.
    var timerCount: Int {
        state.withLock { ($0.book?.watch == nil ? 0 : 1) + ($0.linger == nil ? 0 : 1) }
    }

    /// Bytes of the peer's that are kept here: what the application has not read or is not done with, and what waits on
    /// a target for the source's end (P10).
    package var heldBytes: Int {
        state.withLock { state in
            var held = state.unreturnedBytes
            state.legs.forEach { leg in held = leg.parked.reduce(held) { $0 + $1.readableBytes } }
            return held
        }
    }

    /// Whether the connection that the stream has left may be closed abruptly, as far as this stream goes (SM-M9).
    package var mayCloseSourceAbruptly: Bool { state.withLock { $0.machine.mayCloseSourceAbruptly } }

    package var snapshot: Snapshot {
        state.withLock { state in
            var snapshot = Snapshot()
            snapshot.id = state.machine.id
            let leg = state.legs[state.machine.writeLeg] ?? state.legs.source
            snapshot.path = leg?.carrier.path
            snapshot.migrations = state.book?.gauge.records ?? []
            snapshot.migrationTotals = state.book?.gauge.totals ?? MigrationTotals()
            snapshot.migrationCount = snapshot.migrationTotals.completed
            snapshot.bytesByPath = snapshot.migrations.filter(\.isCompleted).map { record in
                PathBytes(path: record.from, read: record.bytesRead, written: record.bytesWritten)
            }
            (snapshot.totalBytesRead, snapshot.totalBytesWritten) = state.allBytes
            state.legs.forEach { leg in
                guard leg.token != state.legs.yielded?.token else { return }
                let bytes = PathBytes(path: leg.carrier.path, read: leg.bytesRead, written: leg.bytesWritten)
                snapshot.bytesByPath.append(bytes)
                snapshot.bytesRead += leg.bytesRead
                snapshot.bytesWritten += leg.bytesWritten
            }
            return snapshot
        }
    }

    /// Runs `body` once the peer has chosen a protocol, or the stream has failed.
    package func negotiated() async throws(StreamError) -> ProtocolID {
        // With one candidate there is nothing to wait for.
        if let id = protocolID { return id }
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            let isOver = state.withLock { state in
                guard state.protocolID == nil, state.failure == nil else { return true }
                state.negotiationWaiters.append { continuation.resume() }
                return false
            }
            if isOver { continuation.resume() }
        }
        let (id, failure) = state.withLock { ($0.protocolID, $0.failure) }
        if let id { return id }
        throw failure ?? .negotiationTimedOut
    }
}
