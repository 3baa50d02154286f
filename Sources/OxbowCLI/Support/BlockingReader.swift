import Dispatch
import NIOCore
import Synchronization

/// Reads a file whose reads may take any time, such as a terminal or a pipe, on a thread of its own.
///
/// A task that is cancelled while it waits goes on at once; what the read would have given is lost then.
final class BlockingReader: Sendable {
    private let file: FileDescriptor
    private let chunk: Int
    private let queue: DispatchQueue

    /// - Parameter chunk: the most bytes that one read gives.
    init(_ file: FileDescriptor, chunk: Int = 131_072) {
        (self.file, self.chunk) = (file, chunk)
        queue = DispatchQueue(label: "oxbow.reader")
    }

    /// The next bytes; nil at the end.
    func next() async throws -> ByteBuffer? {
        let waiter = Waiter()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard waiter.begin(continuation) else { return }
                queue.async { [file, chunk] in waiter.end(Result { try file.readBuffer(atMost: chunk) }) }
            }
        } onCancel: {
            waiter.end(.failure(CancellationError()))
        }
    }

    /// Reads until the end and drops it all.
    func waitForEnd() async throws {
        while try await next() != nil {}
    }

    private final class Waiter: Sendable {
        private enum State {
            case new
            case waiting(CheckedContinuation<ByteBuffer?, any Error>)
            case over
        }
        private let state = Mutex(State.new)

        /// - Returns: false when the wait is over already; the continuation was resumed then.
        func begin(_ continuation: CheckedContinuation<ByteBuffer?, any Error>) -> Bool {
            let isNew = state.withLock { state in
                guard case .new = state else { return false }
                state = .waiting(continuation)
                return true
            }
            if !isNew { continuation.resume(throwing: CancellationError()) }
            return isNew
        }

        func end(_ result: Result<ByteBuffer?, any Error>) {
            let waiting: CheckedContinuation<ByteBuffer?, any Error>? = state.withLock { state in
                defer { state = .over }
                guard case .waiting(let continuation) = state else { return nil }
                return continuation
            }
            waiting?.resume(with: result)
        }
    }
}

extension FileDescriptor {
    /// The next bytes; nil at the end.
    func readBuffer(atMost count: Int) throws(FileError) -> ByteBuffer? {
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
    func write(_ buffer: ByteBuffer) throws(FileError) { try write(buffer.readableBytesView) }
}
