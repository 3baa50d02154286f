import NIOCore
import Oxbow
import OxbowCommandLine
import OxbowCrypto
import OxbowNIO
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Where received files go, and which are taken.
struct ReceivePolicy: Sendable {
    /// A folder, or the name of the file; the present folder when nil.
    var output: String?
    var isOverwriting = false
    var maximumSize: UInt64?
    /// Who may send; anybody when empty.
    var senders: Set<PeerID> = []

    /// Where a file of that name is to be stored.
    func path(for name: String) throws(FileTransferError) -> String {
        if let output, !Self.isFolder(output) { return output }
        guard let safe = FileTransfer.safeName(name) else { throw .refused("its name can't be used here") }
        guard let output else { return safe }
        return output.hasSuffix("/") ? output + safe : "\(output)/\(safe)"
    }

    func check(_ header: FileTransfer.Header, at path: String) throws(FileTransferError) {
        if let maximumSize, header.size > maximumSize {
            throw .refused("it has \(header.size) bytes, and \(maximumSize) are allowed")
        }
        if let room = PartFile.room(besides: path), header.size > room {
            throw .refused("it has \(header.size) bytes, and there is room for \(room)")
        }
    }

    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}

/// What was received.
struct ReceivedFile: Sendable {
    let path: String
    let sender: PeerID
    let digest: [UInt8]
    let rate: Rate
    let migrations: Int

    var text: String {
        "received \(path): \(ByteCount.text(rate.bytes)) in \(decimal(rate.time.seconds, 2)) s (\(rate.text)), "
            + "\(migrations) migrations, SHA-256 \(hex(digest))"
    }

    var fields: [(String, JSON)] {
        [
            ("path", .string(path)), ("peer", .string(sender.description)), ("bytes", .uint(rate.bytes)),
            ("seconds", .rounded(rate.time.seconds)), ("bytes_per_second", .rounded(rate.bytesPerSecond)),
            ("sha256", .string(hex(digest))), ("migrations", .int(Int64(migrations))),
        ]
    }
}

/// The receiver of files, one on each stream.
final class FileReceiver: Sendable {
    private let policy: ReceivePolicy
    private let running = Mutex(0)

    init(_ policy: ReceivePolicy) {
        self.policy = policy
    }

    /// Serves a stream: receives its file, and answers in any case.
    ///
    /// - Returns: the file, which is stored under its name.
    /// - Throws: why there is none; the sender was told, if it could be.
    func receive(_ stream: OxbowStream) async throws -> ReceivedFile {
        let count = running.withLock { running in
            running += 1
            return running
        }
        defer { running.withLock { $0 -= 1 } }
        do {
            guard policy.senders.isEmpty || policy.senders.contains(stream.peer) else {
                throw FileTransferError.refused("this receiver takes files from others only")
            }
            guard count <= FileTransfer.maximumConcurrent else {
                throw FileTransferError.refused("\(count - 1) transfers are running; try again later")
            }
            let file = try await store(stream)
            try await answer(.stored(digest: file.digest), on: stream)
            return file
        } catch {
            if let answer = Self.answer(to: error) { try? await self.answer(answer, on: stream) }
            throw error
        }
    }

    private func answer(_ answer: FileTransfer.Answer, on stream: OxbowStream) async throws {
        try await stream.outbound.write(answer.encoded)
        stream.outbound.finish()
    }

    private static func answer(to error: any Error) -> FileTransfer.Answer? {
        switch error {
        case FileTransferError.refused(let reason): .refused(reason)
        // A path of this machine is none of the sender's business.
        case let error as FileError:
            error.code == .exists ? .refused("a file of that name exists") : .notStored("\(error.code)")
        case let error as FileTransferError: .damaged(error.description)
        default: nil
        }
    }

    private func store(_ stream: OxbowStream) async throws -> ReceivedFile {
        let header = try await header(of: stream)
        let path = try policy.path(for: header.name)
        try policy.check(header, at: path)
        let part = try PartFile(path: path, isOverwriting: policy.isOverwriting)
        defer { part.close() }
        do {
            let progress = TransferProgress(name: header.name, total: header.size)
            let digest = try await progress.shown(of: stream) {
                try await copy(stream, to: part.file, progress)
            }
            let rate = progress.rate
            try part.finish()
            return ReceivedFile(
                path: path, sender: stream.peer, digest: digest, rate: rate, migrations: stream.migrationCount)
        } catch {
            part.discard()
            throw error
        }
    }

    private func header(of stream: OxbowStream) async throws -> FileTransfer.Header {
        let alarm = Task {
            try await Task.sleep(for: FileTransfer.headerTimeout)
            stream.reset()
        }
        defer { alarm.cancel() }
        return try await FileTransfer.Header.read(from: stream)
    }

    /// Copies the file to the disk, and compares its digest with the one behind it.
    private func copy(
        _ stream: OxbowStream, to file: OpenFile, _ progress: TransferProgress
    ) async throws -> [UInt8] {
        var digest = SHA256Stream()
        var trailer = ByteBuffer()
        var left = progress.total
        for try await piece in stream.inbound {
            var piece = piece
            if let bytes = piece.readSlice(length: Int(min(left, UInt64(piece.readableBytes)))), bytes.readableBytes > 0
            {
                left -= UInt64(bytes.readableBytes)
                digest.update(bytes.readableBytesView)
                try file.write(bytes)
                progress.add(bytes.readableBytes)
            }
            trailer.writeBuffer(&piece)
            guard trailer.readableBytes <= SHA256.length else { throw FileTransferError.wrongLength }
        }
        let found = digest.digest()
        guard left == 0, trailer.readableBytes == SHA256.length else { throw FileTransferError.wrongLength }
        let sent = Array(trailer.readableBytesView)
        guard sent == found else {
            throw FileTransferError.digestMismatch(sender: hex(sent), receiver: hex(found))
        }
        return found
    }
}
