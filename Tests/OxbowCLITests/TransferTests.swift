import NIOCore
import Oxbow
import OxbowCommandLine
import OxbowNIO
import Testing

@testable import OxbowCLI

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A folder that is gone at the end of the test.
final class Folder {
    let path: String

    init() throws {
        var template = Array("/tmp/oxbow-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw FileError("create a folder") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    var names: [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        let number = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_EXCL, 0o600)
        guard number >= 0 else { throw FileError("create \(name)") }
        defer { close(number) }
        try OpenFile(number).write(bytes)
    }

    func read(_ name: String) throws -> [UInt8] {
        let number = open("\(path)/\(name)", O_RDONLY)
        guard number >= 0 else { throw FileError("read \(name)") }
        defer { close(number) }
        var bytes: [UInt8] = []
        while let piece = try OpenFile(number).readBuffer(atMost: 65_536) { bytes += piece.readableBytesView }
        return bytes
    }
}

@Suite struct TransferTests {
    /// What became of one transfer, as each side saw it.
    private struct Outcome {
        var sent: Result<[UInt8], any Error>
        var received: Result<ReceivedFile, any Error>
    }

    private func transfer(
        _ policy: ReceivePolicy, _ send: @escaping @Sendable (OxbowStream) async throws -> [UInt8]
    ) async throws -> Outcome {
        let (left, right) = (try PrivateKey.generate(.ed25519), try PrivateKey.generate(.ed25519))
        return try await withHost(identity: left) { left in
            try await withHost(identity: right) { right in
                let receiver = FileReceiver(policy)
                let (results, continuation) = AsyncStream<Result<ReceivedFile, any Error>>.makeStream()
                right.handle(FileTransfer.protocolID) { stream in
                    do { continuation.yield(.success(try await receiver.receive(stream))) } catch {
                        continuation.yield(.failure(error))
                    }
                    stream.close()
                }
                let peer = try await left.connect(to: right.id, at: right.listen(on: Multiaddr("/memory/0")))
                let sent: Result<[UInt8], any Error>
                do {
                    sent = .success(try await peer.withStream([FileTransfer.protocolID], send))
                } catch { sent = .failure(error) }
                for await received in results { return Outcome(sent: sent, received: received) }
                throw CancellationError()
            }
        }
    }

    private func sending(_ path: String) -> @Sendable (OxbowStream) async throws -> [UInt8] {
        { stream in
            let source = try SourceFile(path: path)
            defer { source.file.close() }
            let progress = TransferProgress(name: source.name, total: source.size)
            return try await FileSender(source: source, progress: progress).send(on: stream)
        }
    }

    @Test(arguments: [0, 1, 1_000_000]) func aFileArrives(_ count: Int) async throws {
        let (from, into) = (try Folder(), try Folder())
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try from.write("f", bytes)
        let outcome = try await transfer(ReceivePolicy(output: into.path), sending(from.path + "/f"))
        #expect(try outcome.sent.get() == outcome.received.get().digest)
        #expect(into.names == ["f"])
        #expect(try into.read("f") == bytes)
    }

    @Test func whatIsThereStaysWithoutForce() async throws {
        let (from, into) = (try Folder(), try Folder())
        try from.write("f", [1])
        try into.write("f", [2])
        let outcome = try await transfer(ReceivePolicy(output: into.path), sending(from.path + "/f"))
        #expect(throws: FileTransferError.refused("a file of that name exists")) { try outcome.sent.get() }
        #expect(throws: FileError.self) { try outcome.received.get() }
        #expect(try into.read("f") == [2])
        let forced = try await transfer(
            ReceivePolicy(output: into.path, isOverwriting: true), sending(from.path + "/f"))
        _ = try forced.sent.get()
        #expect(try into.read("f") == [1])
        #expect(into.names == ["f"])
    }

    @Test func whatIsTooLargeIsRefused() async throws {
        let (from, into) = (try Folder(), try Folder())
        try from.write("f", [UInt8](repeating: 1, count: 101))
        let outcome = try await transfer(
            ReceivePolicy(output: into.path, maximumSize: 100), sending(from.path + "/f"))
        #expect(throws: FileTransferError.self) { try outcome.sent.get() }
        #expect(into.names.isEmpty)
    }

    @Test(arguments: [0, 1, 2, 3, 4]) func nothingIsKeptOfWhatIsDamaged(_ kind: Int) async throws {
        let into = try Folder()
        let outcome = try await transfer(ReceivePolicy(output: into.path)) { stream in
            var bytes = FileTransfer.Header(name: "f", size: 3).encoded
            bytes.writeBytes([1, 2, 3])
            var digest = SHA256.hash([1, 2, 3])
            switch kind {
            case 0: digest[31] ^= 1
            case 1: digest.removeLast()
            case 2: digest.append(0)
            case 3: digest = []
            default: bytes = ByteBuffer(bytes: [0, 0])
            }
            bytes.writeBytes(digest)
            try await stream.outbound.write(bytes)
            stream.outbound.finish()
            guard case .damaged = try await FileTransfer.Answer.read(from: stream) else { return [1] }
            return []
        }
        #expect(try outcome.sent.get().isEmpty, "the receiver says that it is damaged")
        #expect(throws: FileTransferError.self) { try outcome.received.get() }
        #expect(into.names.isEmpty)
    }

    @Test func aResetLeavesNothing() async throws {
        let into = try Folder()
        let part = into.path + "/f.part"
        let outcome = try await transfer(ReceivePolicy(output: into.path)) { stream in
            try await stream.outbound.write(FileTransfer.Header(name: "f", size: 300_000).encoded)
            try await stream.outbound.write([UInt8](repeating: 1, count: 200_000))
            // A reset that overtakes the header would show nothing.
            while access(part, F_OK) != 0 { await Task.yield() }
            throw CancellationError()
        }
        #expect(throws: StreamError.resetByPeer(code: 0)) { try outcome.received.get() }
        #expect(into.names.isEmpty)
    }
}

@Suite struct KeyFileTests {
    @Test func aKeyIsMadeOnceAndReadAgain() throws {
        let folder = try Folder()
        let file = KeyFile(path: folder.path + "/key")
        #expect(try file.load() == nil)
        let key = try file.loadOrCreate(.ed25519)
        #expect(try file.loadOrCreate(.rsa).publicKey.peerID == key.publicKey.peerID)
        #expect(folder.names == ["key"])
        #expect(throws: FileError.self, "a key is never written over") { try file.create(key) }
        #expect(folder.names == ["key"])
    }

    @Test(arguments: [0o640, 0o604, 0o620, 0o644]) func refusesWhatOthersMayRead(_ mode: mode_t) throws {
        let folder = try Folder()
        let file = KeyFile(path: folder.path + "/key")
        _ = try file.loadOrCreate(.ed25519)
        chmod(file.path, mode)
        #expect(throws: KeyFileError.readableByOthers(path: file.path, mode: UInt32(mode))) { try file.load() }
    }

    @Test func refusesWhatIsNoKey() throws {
        let folder = try Folder()
        try folder.write("empty", [])
        try folder.write("long", [UInt8](repeating: 0, count: KeyFile.maximumLength + 1))
        #expect(throws: KeyFileError.self) { try KeyFile(path: folder.path + "/empty").load() }
        #expect(throws: KeyFileError.tooLong(path: folder.path + "/long")) {
            try KeyFile(path: folder.path + "/long").load()
        }
        #expect(throws: KeyFileError.notAFile(path: folder.path)) { try KeyFile(path: folder.path).load() }
    }
}
