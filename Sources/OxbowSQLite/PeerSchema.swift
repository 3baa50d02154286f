import Foundation
import GRDB
import OxbowCore
import OxbowNIO
import OxbowSwarm

/// The tables of the database, and how a peer is written in them.
enum PeerSchema {
    /// What this code reads and writes; `PRAGMA user_version` of the file.
    static let version = 1

    /// Reads all pages, so that damage shows now and not half way through a batch.
    static func check(_ database: Database) throws {
        let verdict = try String.fetchOne(database, sql: "PRAGMA quick_check(1)")
        guard verdict == "ok" else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: verdict) }
    }

    /// Makes the tables unless they are there. Two processes may do so at once: the second finds them made.
    static func prepare(_ database: Database) throws {
        try database.inTransaction(.immediate) {
            let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
            guard found <= version else {
                throw SQLitePeerStorageError.newer(path: try path(of: database), version: found)
            }
            if found == 0 {
                try database.execute(sql: tables)
                try database.execute(sql: "PRAGMA user_version = \(version)")
            }
            return .commit
        }
    }

    private static func path(of database: Database) throws -> String {
        try String.fetchOne(database, sql: "SELECT file FROM pragma_database_list WHERE name = 'main'") ?? ""
    }

    private static let tables = """
        CREATE TABLE peer (
            id BLOB PRIMARY KEY NOT NULL,
            agent BLOB,
            public_key BLOB,
            record BLOB
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE address (
            peer BLOB NOT NULL REFERENCES peer (id) ON DELETE CASCADE,
            address BLOB NOT NULL,
            origin INTEGER NOT NULL,
            expires INTEGER,
            last_success INTEGER,
            PRIMARY KEY (peer, address)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE protocol (
            peer BLOB NOT NULL REFERENCES peer (id) ON DELETE CASCADE,
            name BLOB NOT NULL,
            PRIMARY KEY (peer, name)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX address_expires ON address (expires);
        """

    // MARK: Writing

    static func delete(_ peer: PeerID, from database: Database) throws {
        try database.cachedStatement(sql: "DELETE FROM peer WHERE id = ?").execute(arguments: [peer.multihash.data])
    }

    static func replace(_ peer: StoredPeer, in database: Database) throws {
        try delete(peer.peer, from: database)
        let id = peer.peer.multihash.data
        try database.cachedStatement(sql: "INSERT INTO peer (id, agent, public_key, record) VALUES (?, ?, ?, ?)")
            .execute(arguments: [id, (peer.agent?.utf8).map { Data($0) }, peer.publicKey?.data, peer.record?.data])
        let address = try database.cachedStatement(
            sql: "INSERT OR REPLACE INTO address (peer, address, origin, expires, last_success) VALUES (?, ?, ?, ?, ?)")
        for known in peer.addresses {
            try address.execute(
                arguments: [
                    id, known.address.binary.data, Int(known.origin.rawValue), known.expires, known.lastSuccess,
                ])
        }
        let name = try database.cachedStatement(sql: "INSERT OR IGNORE INTO protocol (peer, name) VALUES (?, ?)")
        for served in peer.protocols { try name.execute(arguments: [id, Data(served.rawValue.utf8)]) }
    }

    static func forgetExpired(at now: Int64, in database: Database) throws {
        try database.execute(sql: "DELETE FROM address WHERE expires <= ?", arguments: [now])
        try database.execute(
            sql: "DELETE FROM peer WHERE NOT EXISTS (SELECT 1 FROM address WHERE address.peer = peer.id)")
    }

    // MARK: Reading

    /// All peers. Rows that say nothing usable are passed over, not deleted.
    static func load(from database: Database) throws -> [StoredPeer] {
        var peers: [PeerID: StoredPeer] = [:]
        var order: [PeerID] = []
        let rows = try Row.fetchCursor(database, sql: "SELECT id, agent, public_key, record FROM peer ORDER BY id")
        while let row = try rows.next() {
            guard let peer = peer(row["id"]) else { continue }
            order.append(peer)
            peers[peer] = StoredPeer(
                peer: peer, addresses: [], agent: (row["agent"] as Data?).map(text),
                publicKey: (row["public_key"] as Data?).map(Array.init),
                record: (row["record"] as Data?).map(Array.init))
        }
        let addresses = try Row.fetchCursor(
            database, sql: "SELECT peer, address, origin, expires, last_success FROM address ORDER BY peer, address")
        while let row = try addresses.next() {
            let origin = UInt8(exactly: row["origin"] as Int64).flatMap(AddressOrigin.init)
            guard let peer = peer(row["peer"]), let origin,
                let address = try? Multiaddr(binary: Array(row["address"] as Data))
            else { continue }
            peers[peer]?.addresses.append(
                StoredPeer.Address(
                    address: address, origin: origin, expires: row["expires"], lastSuccess: row["last_success"]))
        }
        let protocols = try Row.fetchCursor(database, sql: "SELECT peer, name FROM protocol ORDER BY peer, name")
        while let row = try protocols.next() {
            guard let peer = peer(row["peer"]), let name = ProtocolID(text(row["name"])) else { continue }
            peers[peer]?.protocols.append(name)
        }
        return order.compactMap { peers[$0] }
    }

    /// What a peer chose to be called: bytes to SQLite, whose texts end at a zero.
    private static func text(_ bytes: Data) -> String {
        String(decoding: bytes, as: UTF8.self)
    }

    private static func peer(_ id: Data) -> PeerID? {
        try? PeerID(multihash: id)
    }
}

extension [UInt8] {
    fileprivate var data: Data { Data(self) }
}
