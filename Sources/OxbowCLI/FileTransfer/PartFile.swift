#if canImport(Glibc)
import Glibc
import OxbowCommandLine
#else
import Darwin
#endif

/// A file in the making: it has `.part` behind its name until it is whole, and is gone when it never gets there.
struct PartFile: Sendable {
    let path: String
    let isOverwriting: Bool
    let file: OpenFile
    private var partPath: String { path + ".part" }

    /// - Parameter isOverwriting: whether a file of that name, or what an earlier transfer left, may be replaced.
    init(path: String, isOverwriting: Bool) throws(FileError) {
        (self.path, self.isOverwriting) = (path, isOverwriting)
        let part = path + ".part"
        var status = stat()
        if !isOverwriting, lstat(path, &status) == 0 {
            throw FileError("store \(path) without --force", .exists)
        }
        let exclusive = isOverwriting ? O_TRUNC : O_EXCL
        let number = open(part, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | exclusive, 0o644)
        guard number >= 0 else { throw FileError("create \(part)") }
        file = OpenFile(number, name: part)
    }

    /// The room on the file system for which `path` is meant, in bytes; nil when that can't be found out.
    static func room(besides path: String) -> UInt64? {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { return nil }
        let (room, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflow ? nil : room
    }

    /// Puts the bytes on the disk and gives the file its name.
    func finish() throws(FileError) {
        guard fsync(file.rawValue) == 0 else { throw FileError("write \(partPath)") }
        guard !isOverwriting else {
            guard rename(partPath, path) == 0 else { throw FileError("rename \(partPath)") }
            return
        }
        // Unlike a rename, a link never takes the place of a file that came in the meantime.
        if link(partPath, path) == 0 {
            unlink(partPath)
        } else if errno == EEXIST {
            throw FileError("store \(path) without --force", .exists)
        } else {
            // A file system without links.
            guard access(path, F_OK) != 0 else { throw FileError("store \(path) without --force", .exists) }
            guard rename(partPath, path) == 0 else { throw FileError("rename \(partPath)") }
        }
    }

    /// Takes the file away.
    func discard() {
        unlink(partPath)
    }

    func close() {
        file.close()
    }
}
