import Foundation
import GRDB
public import OxbowCore
public import OxbowNIO

/// Keeps what a host knows of peers in an SQLite database, beyond the life of the process.
///
/// A batch is saved whole or not at all, whenever the process ends. Several processes may share a file: each sees what
/// the others have saved when it loads, and of two that save the same peer the later wins.
///
/// ```swift
/// var configuration = HostConfiguration()
/// configuration.peerStorage = try SQLitePeerStorage(path: "/var/lib/example/peers.sqlite")
/// ```
public final class SQLitePeerStorage: PeerStorage {
    /// Where the database is.
    public let path: String
    private let pool: DatabasePool

    /// Opens the database, or makes a new one; its folder must be there.
    ///
    /// - Throws: ``SQLitePeerStorageError``. A damaged file is moved aside first: to open again begins with an empty one.
    public init(path: String) throws(SQLitePeerStorageError) {
        self.path = path
        var configuration = Configuration()
        configuration.label = "oxbow-peers"
        // Others have the file for the time of a batch.
        configuration.busyMode = .timeout(10)
        configuration.foreignKeysEnabled = true
        try Self.check(path, configuration)
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            try pool.barrierWriteWithoutTransaction { try PeerSchema.prepare($0) }
        } catch { throw Self.judge(error, at: path) }
    }

    /// Looks for damage before anything is written: a pool writes when it opens.
    private static func check(_ path: String, _ configuration: Configuration) throws(SQLitePeerStorageError) {
        var opened: DatabaseQueue?
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            opened = queue
            try queue.inDatabase(PeerSchema.check)
            // Closed, here and below: closing tidies up by name, and that name may soon be another file's.
            try queue.close()
        } catch {
            let problem = judge(error, at: path)
            guard case .damaged = problem else { throw problem }
            try? opened?.close()
            throw .damaged(path: path, movedTo: moveAside(path))
        }
    }

    public func load() async throws -> [StoredPeer] {
        let now = Int64(Date().timeIntervalSince1970)
        do {
            return try await pool.write { database in
                try PeerSchema.forgetExpired(at: now, in: database)
                return try PeerSchema.load(from: database)
            }
        } catch { throw Self.judge(error, at: path) }
    }

    public func save(_ peers: [StoredPeer], forgetting forgotten: [PeerID]) async throws {
        do {
            try await pool.write { database in
                for peer in forgotten { try PeerSchema.delete(peer, from: database) }
                for peer in peers { try PeerSchema.replace(peer, in: database) }
            }
        } catch { throw Self.judge(error, at: path) }
    }

    /// Says what an error means.
    private static func judge(_ error: any Error, at path: String) -> SQLitePeerStorageError {
        if let error = error as? SQLitePeerStorageError { return error }
        guard let failure = error as? DatabaseError else { return .unusable(path: path, reason: "\(error)") }
        switch failure.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: return .damaged(path: path, movedTo: nil)
        default: return .unusable(path: path, reason: failure.message ?? "\(failure.resultCode)")
        }
    }

    /// Renames the database and what belongs to it; nothing is deleted.
    ///
    /// - Returns: where it is now; nil when it could not be moved, or another process has done so.
    private static func moveAside(_ path: String) -> String? {
        let stamp = Int64(Date().timeIntervalSince1970)
        let files = FileManager.default
        var aside = "\(path).damaged-\(stamp)"
        for number in 1...100 where files.fileExists(atPath: aside) { aside = "\(path).damaged-\(stamp)-\(number)" }
        guard (try? files.moveItem(atPath: path, toPath: aside)) != nil else { return nil }
        for suffix in ["-wal", "-shm"] { try? files.moveItem(atPath: path + suffix, toPath: aside + suffix) }
        return aside
    }
}

/// Why a database of peers can't be used.
public enum SQLitePeerStorageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file is no database any more; where it was moved to, unless that failed too.
    case damaged(path: String, movedTo: String?)
    /// A newer version of this package has written it.
    case newer(path: String, version: Int)
    /// It can't be opened, read or written; SQLite's words.
    case unusable(path: String, reason: String)

    public var description: String {
        switch self {
        case .damaged(let path, let aside?):
            "the peer database \(path) is damaged; it was moved to \(aside), and opening it again begins a new one"
        case .damaged(let path, nil): "the peer database \(path) is damaged; move it away to begin a new one"
        case .newer(let path, let version):
            "the peer database \(path) has version \(version), and this program knows \(PeerSchema.version); "
                + "update the program or give another path"
        case .unusable(let path, let reason):
            "the peer database \(path) can't be used: \(reason); check that its folder exists and can be written"
        }
    }
}
