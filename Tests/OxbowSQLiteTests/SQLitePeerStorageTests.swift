import Foundation
import GRDB
import Oxbow
import OxbowSQLite
import OxbowTesting
import Testing

@Suite struct SQLitePeerStorageTests {
    /// A folder for one test, which goes with it.
    private static func withFolder(_ body: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("oxbow-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder)
    }

    private static func peer(_ number: Int) throws -> StoredPeer {
        let digits = (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
        return StoredPeer(
            peer: try PeerID(multihash: [0, 8] + digits),
            addresses: [
                .init(address: try Multiaddr("/ip4/192.0.2.1/tcp/1"), origin: .configuration, expires: nil),
                .init(
                    address: try Multiaddr("/ip4/192.0.2.1/tcp/2"), origin: .dialled, expires: 1 << 40, lastSuccess: 7),
            ],
            protocols: ["/a", "/b"], agent: "agent \u{0} 🐂", publicKey: [1, 2, 3], record: [4, 5])
    }

    @Test("What was saved is loaded, replaced whole, and forgotten with all that belongs to it")
    func roundTrip() async throws {
        try await Self.withFolder { folder in
            let path = folder.appendingPathComponent("peers.sqlite").path
            let (one, two) = (try Self.peer(1), try Self.peer(2))
            let storage = try SQLitePeerStorage(path: path)
            #expect(try await storage.load() == [])
            try await storage.save([two, one], forgetting: [])
            #expect(try await SQLitePeerStorage(path: path).load() == [one, two])
            var changed = one
            (changed.addresses, changed.protocols, changed.agent) = (Array(one.addresses.prefix(1)), [], nil)
            try await storage.save([changed], forgetting: [two.peer])
            #expect(try await SQLitePeerStorage(path: path).load() == [changed])
            let left = try await DatabaseQueue(path: path).read {
                try Int.fetchOne($0, sql: "SELECT count(*) FROM protocol")
            }
            #expect(left == 0)
        }
    }

    @Test("What has expired is gone when it is loaded, and a peer with its last address")
    func expires() async throws {
        try await Self.withFolder { folder in
            let path = folder.appendingPathComponent("peers.sqlite").path
            var (gone, half) = (try Self.peer(1), try Self.peer(2))
            gone.addresses = [.init(address: gone.addresses[0].address, origin: .record, expires: 1)]
            half.addresses[1].expires = 1
            let storage = try SQLitePeerStorage(path: path)
            try await storage.save([gone, half], forgetting: [])
            half.addresses.removeLast()
            #expect(try await storage.load() == [half])
        }
    }

    @Test("A process that is killed leaves whole batches: the files as they stand while it runs are enough")
    func killed() async throws {
        try await Self.withFolder { folder in
            let path = folder.appendingPathComponent("peers.sqlite").path
            let storage = try SQLitePeerStorage(path: path)
            for batch in 0..<5 {
                try await storage.save((0..<20).map { try Self.peer(batch * 20 + $0) }, forgetting: [])
                // Nobody has closed anything: that is what a kill leaves.
                let copy = folder.appendingPathComponent("copy-\(batch)").path
                for suffix in ["", "-wal"] {
                    try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
                }
                #expect(try await SQLitePeerStorage(path: copy).load().count == (batch + 1) * 20)
            }
            // And cut off in the middle of writing the last batch: the ones before it are there, or all of them.
            let log = try Data(contentsOf: URL(fileURLWithPath: path + "-wal"))
            for length in stride(from: 0, to: log.count, by: log.count / 16 + 1) {
                let copy = folder.appendingPathComponent("cut-\(length)").path
                try FileManager.default.copyItem(atPath: path, toPath: copy)
                try log.prefix(length).write(to: URL(fileURLWithPath: copy + "-wal"))
                #expect(try await SQLitePeerStorage(path: copy).load().count.isMultiple(of: 20))
            }
        }
    }

    @Test("Several users of one file at once: nothing fails, nothing is lost")
    func shared() async throws {
        try await Self.withFolder { folder in
            let path = folder.appendingPathComponent("peers.sqlite").path
            try await withThrowingTaskGroup(of: Void.self) { group in
                for user in 0..<4 {
                    group.addTask {
                        let storage = try SQLitePeerStorage(path: path)
                        for number in 0..<10 {
                            try await storage.save([try Self.peer(user * 100 + number)], forgetting: [])
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await SQLitePeerStorage(path: path).load().count == 40)
        }
    }

    @Test("A damaged file is moved aside untouched, the error says where, and the next one begins anew")
    func damaged() async throws {
        try await Self.withFolder { folder in
            let path = folder.appendingPathComponent("peers.sqlite").path
            try await SQLitePeerStorage(path: path).save((0..<500).map(Self.peer), forgetting: [])
            var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            #expect(bytes.count > 20_000)
            let noise = Data((0..<8_192).map { UInt8(truncatingIfNeeded: $0 &* 37 | 1) })
            bytes.replaceSubrange(8_192..<16_384, with: noise)
            for content in [bytes, Data("this is no database, and long enough to be looked at".utf8)] {
                for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
                try content.write(to: URL(fileURLWithPath: path))
                let error = #expect(throws: SQLitePeerStorageError.self) { _ = try SQLitePeerStorage(path: path) }
                guard case .damaged(path, let aside?)? = error else {
                    Issue.record("not told as damage: \(String(describing: error))")
                    return
                }
                #expect(try Data(contentsOf: URL(fileURLWithPath: aside)) == content)
                #expect("\(error!)".contains("moved to \(aside)"))
                #expect(try await SQLitePeerStorage(path: path).load() == [])
            }
        }
    }

    @Test("A newer version's file, and a folder that isn't there, are told and left alone")
    func unusable() async throws {
        try await Self.withFolder { folder in
            let path = folder.appendingPathComponent("peers.sqlite").path
            _ = try SQLitePeerStorage(path: path)
            try await DatabaseQueue(path: path).write { try $0.execute(sql: "PRAGMA user_version = 99") }
            let newer = #expect(throws: SQLitePeerStorageError.self) { _ = try SQLitePeerStorage(path: path) }
            guard case .newer(_, 99)? = newer else {
                Issue.record("not told as newer: \(String(describing: newer))")
                return
            }
            #expect(FileManager.default.fileExists(atPath: path))
            let nowhere = folder.appendingPathComponent("no/where.sqlite").path
            let error = #expect(throws: SQLitePeerStorageError.self) { _ = try SQLitePeerStorage(path: nowhere) }
            #expect("\(error!)".contains("check that its folder exists"))
        }
    }

    @Test("A host finds its peers again after a restart")
    func hosts() async throws {
        try await Self.withFolder { folder in
            var configuration = HostConfiguration()
            configuration.peerStorage = try SQLitePeerStorage(path: folder.appendingPathComponent("peers").path)
            try await withHost(identity: FixedKeys.all[1]) { right in
                let addresses = try await right.listen(on: Multiaddr("/memory/0"))
                try await withHost(identity: FixedKeys.all[0], configuration: configuration) { left in
                    _ = try await left.connect(to: right.id, at: addresses)
                }
                try await withHost(identity: FixedKeys.all[0], configuration: configuration) { left in
                    try await left.connect(to: right.id)
                    #expect(left.peerStore[right.id]?.record?.peer == right.id)
                }
            }
        }
    }
}
