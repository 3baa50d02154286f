import Oxbow
import OxbowCommandLine

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Why a key file isn't used.
enum KeyFileError: Error, Hashable, Sendable, CustomStringConvertible {
    case readableByOthers(path: String, mode: UInt32)
    case notAFile(path: String)
    case malformed(path: String, KeyError)
    case tooLong(path: String)
    case noHome
    case type(path: String, KeyType, wanted: KeyType)

    var description: String {
        switch self {
        case .readableByOthers(let path, let mode):
            "others may read the key in \(path) (mode \(String(mode, radix: 8))); if nobody has, run: chmod 600 '\(path)'"
        case .notAFile(let path): "\(path) is not a regular file"
        case .malformed(let path, let error): "\(path) holds no key: \(error)"
        case .tooLong(let path): "\(path) holds no key: it is longer than any key"
        case .noHome: "neither XDG_CONFIG_HOME nor HOME is set; say where the key is with --key FILE"
        case .type(let path, let type, let wanted):
            "the key in \(path) is of type \(type), not \(wanted); name another file with --key FILE"
        }
    }
}

/// A private key in a file: its protobuf message as it is, which other libp2p programs read too. Only its owner may
/// read it.
struct KeyFile: Sendable {
    let path: String
    /// An RSA key of 8,192 bits takes 4.7 KiB.
    static let maximumLength = 16_384

    /// `$XDG_CONFIG_HOME/oxbow/key`, or `~/.config/oxbow/key`.
    static func standard() throws(KeyFileError) -> KeyFile {
        if let folder = getenv("XDG_CONFIG_HOME").map({ String(cString: $0) }), !folder.isEmpty {
            return KeyFile(path: folder + "/oxbow/key")
        }
        guard let home = getenv("HOME").map({ String(cString: $0) }), !home.isEmpty else { throw .noHome }
        return KeyFile(path: home + "/.config/oxbow/key")
    }

    /// The key in the file; a new one of `type` when there is no file.
    func loadOrCreate(_ type: KeyType) throws -> PrivateKey {
        if let key = try load() { return key }
        let key = try PrivateKey.generate(type)
        do {
            try create(key)
        } catch let error as FileError where error.code == .exists {
            // Another process was faster: its key is the key.
            if let key = try load() { return key }
            throw error
        }
        StandardError.write(line: "oxbow: made a new \(type) key in \(path)")
        return key
    }

    /// The key in the file; nil when there is none.
    func load() throws -> PrivateKey? {
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else {
            if errno == ENOENT { return nil }
            throw FileError("read \(path)")
        }
        let file = OpenFile(number, name: path)
        defer { file.close() }
        var status = stat()
        guard fstat(number, &status) == 0 else { throw FileError("read \(path)") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw KeyFileError.notAFile(path: path) }
        guard status.st_mode & 0o077 == 0 else {
            throw KeyFileError.readableByOthers(path: path, mode: UInt32(status.st_mode & 0o777))
        }
        var bytes = [UInt8](repeating: 0, count: Self.maximumLength + 1)
        let count = try bytes.withUnsafeMutableBytes { buffer throws(FileError) in try file.read(into: buffer) }
        guard count <= Self.maximumLength else { throw KeyFileError.tooLong(path: path) }
        do {
            return try PrivateKey(protobuf: bytes[..<count])
        } catch { throw KeyFileError.malformed(path: path, error) }
    }

    /// Writes a new file, and fails when there is one. It appears under its name whole, or not at all.
    func create(_ key: PrivateKey) throws {
        try makeFolders()
        let part = "\(path).\(getpid()).new"
        let number = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard number >= 0 else { throw FileError("create \(part)") }
        defer { unlink(part) }
        let file = OpenFile(number, name: path)
        defer { file.close() }
        try file.write(key.protobuf)
        guard fsync(number) == 0 else { throw FileError("write \(path)") }
        // Unlike a rename, a link never takes the place of a file that is there.
        guard link(part, path) == 0 else { throw FileError("create \(path)") }
    }

    private func makeFolders() throws {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        for count in parts.indices.dropFirst() {
            let folder = parts[...count].joined(separator: "/")
            guard !folder.isEmpty, mkdir(folder, 0o700) != 0, errno != EEXIST else { continue }
            // A parent that may not be written can still be there.
            guard access(folder, X_OK) == 0 else { throw FileError("create the folder \(folder)") }
        }
    }
}
