import Dispatch
package import NIOCore
import Synchronization

/// Runs calls that may block for any time, one after the other, on a thread that is nobody else's.
///
/// A task that is cancelled while it waits goes on at once; what its call gives is lost then.
package final class BlockingQueue: Sendable {
    private let queue = DispatchQueue(label: "oxbow.blocking")

    package func run<Value: Sendable>(_ call: @escaping @Sendable () throws -> Value) async throws -> Value {
        let waiter = Waiter<Value>()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard waiter.begin(continuation) else { return }
                queue.async { waiter.end(Result { try call() }) }
            }
        } onCancel: {
            waiter.end(.failure(CancellationError()))
        }
    }

    private final class Waiter<Value: Sendable>: Sendable {
        private enum State {
            case new
            case waiting(CheckedContinuation<Value, any Error>)
            case over
        }
        private let state = Mutex(State.new)

        /// - Returns: false when the wait is over already; the continuation was resumed then.
        func begin(_ continuation: CheckedContinuation<Value, any Error>) -> Bool {
            let isNew = state.withLock { state in
                guard case .new = state else { return false }
                state = .waiting(continuation)
                return true
            }
            if !isNew { continuation.resume(throwing: CancellationError()) }
            return isNew
        }

        func end(_ result: Result<Value, any Error>) {
            let waiting: CheckedContinuation<Value, any Error>? = state.withLock { state in
                defer { state = .over }
                guard case .waiting(let continuation) = state else { return nil }
                return continuation
            }
            waiting?.resume(with: result)
        }
    }
}

/// A file whose reads and writes may take any time, such as a terminal or a pipe.
package struct BlockingFile: Sendable {
    private let file: OpenFile
    private let queue = BlockingQueue()

    package init(_ file: OpenFile) {
        self.file = file
    }

    /// The next bytes, 128 KiB at most; nil at the end.
    package func next() async throws -> ByteBuffer? {
        try await queue.run { [file] in try file.readBuffer(atMost: 131_072) }
    }

    /// Reads until the end and drops it all.
    package func waitForEnd() async throws {
        while try await next() != nil {}
    }

    /// Writes all of `bytes`.
    package func write(_ bytes: ByteBuffer) async throws {
        try await queue.run { [file] in try file.write(bytes) }
    }

    package func close() async throws {
        try await queue.run { [file] in file.close() }
    }
}

extension OpenFile {
    /// The next bytes; nil at the end.
    package func readBuffer(atMost count: Int) throws(FileError) -> ByteBuffer? {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        var failure: FileError?
        let read = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            do throws(FileError) {
                return try self.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]))
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return read > 0 ? buffer : nil
    }

    /// Writes all of `buffer`.
    package func write(_ buffer: ByteBuffer) throws(FileError) { try write(buffer.readableBytesView) }
}
