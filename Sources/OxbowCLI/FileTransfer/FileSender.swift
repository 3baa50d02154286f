import NIOCore
import Oxbow
import OxbowCommandLine
import OxbowCrypto
import OxbowNIO

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A file that is to be sent.
struct SourceFile: Sendable {
    let file: OpenFile
    let name: String
    let size: UInt64

    /// Opens a regular file: the size has to be known before the first byte.
    init(path: String) throws {
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else { throw FileError("read \(path)") }
        file = OpenFile(number, name: path)
        var status = stat()
        guard fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            file.close()
            throw CommandFailure(.file, "\(path) is not a regular file; 'oxbow pipe' sends what comes out of a pipe")
        }
        size = UInt64(max(status.st_size, 0))
        name = String(path.split(separator: "/").last ?? "file")
        guard (1...FileTransfer.maximumNameLength).contains(name.utf8.count) else {
            file.close()
            throw CommandFailure(.file, "the name \(name) is too long to be sent")
        }
    }
}

/// The sender of a file on one stream.
struct FileSender: Sendable {
    let source: SourceFile
    let progress: TransferProgress

    private enum Step: Sendable {
        case sent(digest: [UInt8])
        case sendFailed(StreamError)
        case answer(FileTransfer.Answer)
    }

    /// Sends the file and waits for the receiver's answer.
    ///
    /// - Returns: the file's digest, which both sides found.
    func send(on stream: OxbowStream) async throws -> [UInt8] {
        try await withThrowingTaskGroup(of: Step.self) { group in
            group.addTask { .answer(try await FileTransfer.Answer.read(from: stream)) }
            group.addTask {
                do {
                    return .sent(digest: try await write(on: stream))
                } catch let error as StreamError {
                    // The answer, if there is one, says more.
                    return .sendFailed(error)
                }
            }
            defer { group.cancelAll() }
            var digest: [UInt8]?
            var failure: StreamError?
            do {
                while let step = try await group.next() {
                    switch step {
                    case .sent(let found): digest = found
                    case .sendFailed(let error): failure = error
                    case .answer(let answer): return try judge(answer, sent: digest)
                    }
                }
            } catch let error as StreamError { throw failure ?? error }
            throw failure.map { $0 as any Error } ?? FileTransferError.noAnswer
        }
    }

    private func judge(_ answer: FileTransfer.Answer, sent digest: [UInt8]?) throws(FileTransferError) -> [UInt8] {
        switch answer {
        case .refused(let reason): throw .refused(reason)
        case .notStored(let reason): throw .notStored(reason)
        case .damaged(let reason): throw .damaged(reason)
        case .stored(let received):
            guard let digest else { throw .malformedAnswer }
            guard digest == received else { throw .digestMismatch(sender: hex(digest), receiver: hex(received)) }
            return digest
        }
    }

    private func write(on stream: OxbowStream) async throws -> [UInt8] {
        try await stream.outbound.write(FileTransfer.Header(name: source.name, size: source.size).encoded)
        var digest = SHA256Stream()
        var left = source.size
        while left > 0 {
            let most = Int(min(left, UInt64(FileTransfer.chunk)))
            guard let bytes = try source.file.readBuffer(atMost: most) else {
                throw FileTransferError.fileChanged(source.name)
            }
            digest.update(bytes.readableBytesView)
            try await stream.outbound.write(bytes)
            left -= UInt64(bytes.readableBytes)
            progress.add(bytes.readableBytes)
        }
        let value = digest.digest()
        try await stream.outbound.write(value)
        stream.outbound.finish()
        return value
    }
}
