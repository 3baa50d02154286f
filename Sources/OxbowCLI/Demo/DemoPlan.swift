import Oxbow

/// The two processes of the demo. Either sends a file to the other, on one stream, at the same time.
enum DemoParty: String, Codable, Sendable, CaseIterable {
    /// The one that the user started. It opens the connections and the stream.
    case a = "A"
    /// The one that A started. It listens.
    case b = "B"

    var other: DemoParty { self == .a ? .b : .a }
}

/// What the demo is to do: how many bytes flow each way, and at which of them the stream moves.
struct DemoPlan: Codable, Sendable, Equatable {
    /// Bytes of each of the two files.
    let size: Int
    let migrations: Int
    /// Connections that stand at once.
    let connections: Int
    /// `noise` or `tls`.
    let security: String
    /// Whether each side reports what happened to the stream.
    var isTraced = false

    /// One move of the stream, from the connection with this number to the next.
    struct Move: Sendable, Equatable {
        /// From 1.
        let number: Int
        /// The two sides take turns.
        let initiator: DemoParty
        /// It is due when so many bytes have arrived at the initiator.
        let threshold: Int
    }

    /// The moves, spread evenly over the file.
    var moves: [Move] {
        guard migrations > 0 else { return [] }
        return (1...migrations).map { number in
            Move(number: number, initiator: number.isMultiple(of: 2) ? .b : .a, threshold: threshold(number))
        }
    }

    /// How many bytes each side may send once so many moves are done: a quarter of the file past the move that is due,
    /// and never so much that less than half a part of the file is left for each move to come. So a file that is small
    /// or fast waits for its moves, and one that is neither hardly does. Past the size means that the end of the stream
    /// may be sent too.
    func allowance(after done: Int) -> Int {
        guard done < migrations else { return size + 1 }
        let reserve = (migrations - done) * (size / (migrations + 1)) / 2
        return max(1, min(threshold(done + 1 + max(3, migrations / 4)), size - reserve))
    }

    /// Connections that are opened in all: each carries one part of the file, and only the last one is left.
    var connectionsInAll: Int { migrations + 1 }
    /// How many of them are opened before the stream starts.
    var connectionsAtFirst: Int { min(connections, connectionsInAll) }
    /// Which of the listener's addresses the connection with this number (from 0) goes to.
    func slot(of connection: Int) -> Int { connection % connections }

    private func threshold(_ number: Int) -> Int {
        let share = Double(number) / Double(migrations + 1)
        return max(1, min(size, Int(Double(size) * share)))
    }
}

/// What one side saw of one migration.
struct DemoMove: Codable, Sendable, Equatable {
    let isInitiator: Bool
    let fromID: UInt64
    let toID: UInt64
    /// Application bytes on the connection that was left.
    let bytesRead: UInt64
    let bytesWritten: UInt64
    /// The longest time in which nothing arrived, around the move.
    let gapMilliseconds: Double
    let milliseconds: Double

    init(_ record: MigrationRecord) {
        isInitiator = record.role == .initiator
        (fromID, toID) = (record.fromID, record.toID)
        (bytesRead, bytesWritten) = (record.bytesRead, record.bytesWritten)
        gapMilliseconds = record.longestGap / .milliseconds(1)
        milliseconds = record.duration / .milliseconds(1)
    }
}

/// What one side says at the end.
struct DemoSideReport: Codable, Sendable, Equatable {
    var sentDigest: String
    var receivedDigest: String
    var bytesSent: Int
    var bytesReceived: Int
    var migrations: Int
    var moves: [DemoMove]
    /// How long the sender waited for moves to be done.
    var heldBackSeconds: Double
    var connectionsLeft: Int
    var trace: StreamTrace?
}

/// Why the demo can't go on.
enum DemoError: Error, Equatable, CustomStringConvertible {
    case fileUnusable(path: String, why: String)
    case fileShrank(path: String, missing: Int)
    case cannotStart(String)
    /// The other process is gone, or said something that can't be understood.
    case peerVanished
    case peerFailed(String)
    case noMigration
    case connectionMissing(String)
    case connectionsStay(Int)
    case interrupted

    var description: String {
        switch self {
        case .fileUnusable(let path, let why): "\(path) can't be sent: \(why)"
        case .fileShrank(let path, let missing):
            "\(path) became \(missing) bytes shorter while it was being sent; leave it alone during the demo"
        case .cannotStart(let why): "the second process can't be started: \(why)"
        case .peerVanished: "the second process ended in the middle of the demo"
        case .peerFailed(let why): "the second process gave up: \(why)"
        case .noMigration: "the peer did not announce stream migration, so its streams can't be labelled"
        case .connectionMissing(let address): "the peer's connection at \(address) can't be found"
        case .connectionsStay(let count): "\(count) connections are still open although they were closed"
        case .interrupted: "interrupted"
        }
    }
}
