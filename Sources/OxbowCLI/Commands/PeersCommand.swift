import ArgumentParser
import Oxbow
import OxbowCommandLine
import OxbowNIO

/// The peers of a host, their connections and streams: once, or live.
struct PeersCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "peers",
        abstract: "Show connections with peers, their kinds and round trips, and where each stream is.",
        discussion: """
            Connects to the addresses, if there are any, and shows what came of it. With --watch it listens too and goes on, \
            until Ctrl-C: the table changes as connections come, streams move and connections go. With --json each table is \
            one line.
            """)

    @Argument(
        help: ArgumentHelp(
            "Peers to connect to; several addresses of one peer are tried together.", valueName: "address"),
        transform: PeerAddress.parse)
    var addresses: [PeerAddress] = []
    @Flag(help: "Go on, and show each change.")
    var watch = false
    @Option(name: .shortAndLong, help: "Seconds from one look to the next, with --watch.")
    var interval = 0.5
    @OptionGroup var listening: ListenOptions
    @OptionGroup var options: HostOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (0.05...3_600).contains(interval) else { throw ValidationError("--interval is 0.05 to 3600 seconds") }
        if !watch, addresses.isEmpty { throw ValidationError("without --watch, an address of a peer is missing") }
    }

    func perform() async throws -> [(String, JSON)] {
        let command = self
        let identity = try options.identity(isListening: watch)
        let table = try await interruptible(isGraceful: true) {
            try await withHost(identity: identity, configuration: command.options.configuration) { host in
                try await command.run(host)
            }
        }
        return table ?? []
    }

    private func run(_ host: OxbowHost) async throws -> [(String, JSON)] {
        if watch { try await listen(listening, host) }
        for (peer, addresses) in Dictionary(grouping: addresses, by: \.peer) {
            let peer = try await host.connect(to: peer, at: addresses.map(\.address))
            // For its round trips.
            for connection in peer.connections { _ = try? await peer.ping(on: connection) }
        }
        guard watch else {
            let table = PeerTable(host)
            if !output.json { for line in table.lines { StandardOutput.write(line: line) } }
            return table.fields
        }
        let screen = LiveScreen()
        var shown: PeerTable?
        while !Task.isCancelled {
            let table = PeerTable(host)
            if table != shown {
                if output.json { emit(table.fields) } else { screen.show(table.lines) }
                shown = table
            }
            try await Task.sleep(for: .seconds(interval))
        }
        return []
    }
}

/// What a host has with its peers at one moment.
struct PeerTable: Equatable {
    struct Row: Equatable {
        let path: ConnectionPath
        let isBest: Bool
        let roundTrip: Duration?
        let streams: [StreamRow]

        /// Round trips change all the time: only a clear change is one.
        static func == (lhs: Row, rhs: Row) -> Bool {
            lhs.path == rhs.path && lhs.isBest == rhs.isBest && lhs.streams == rhs.streams
                && lhs.roundTripText == rhs.roundTripText
        }

        var roundTripText: String { roundTrip.map { "\(decimal($0.milliseconds, 1)) ms" } ?? "-" }
        var kind: String { path.isRelayed ? (path.isLimited ? "relayed, limited" : "relayed") : "direct" }
    }

    struct StreamRow: Equatable {
        let id: UInt64
        let protocolID: ProtocolID?
        let moves: Int
        let bytesRead: UInt64
        let bytesWritten: UInt64
    }

    struct Entry: Equatable {
        let peer: PeerID
        let agent: String?
        let rows: [Row]
    }

    let entries: [Entry]

    init(_ host: OxbowHost) {
        entries = host.peers.sorted { $0.id < $1.id }.map { peer in
            let connections = peer.connections
            let streams = Dictionary(grouping: peer.streams) { $0.connection?.id }
            let rows = connections.map { connection in
                Row(
                    path: connection.path, isBest: connection == connections.first,
                    roundTrip: peer.roundTrip(of: connection),
                    streams: (streams[connection.id] ?? []).map { stream in
                        StreamRow(
                            id: stream.id, protocolID: stream.protocolID, moves: stream.migrationCount,
                            bytesRead: stream.bytesRead, bytesWritten: stream.bytesWritten)
                    })
            }
            return Entry(peer: peer.id, agent: peer.info?.agentVersion, rows: rows)
        }
    }

    /// For people: what peers chose is made printable.
    var lines: [String] {
        guard !entries.isEmpty else { return ["no peer is connected"] }
        return entries.flatMap { entry -> [String] in
            ["\(entry.peer)  \(entry.agent ?? "unidentified")"] + entry.rows.flatMap(lines)
        }.map(printable)
    }

    private func lines(of row: Row) -> [String] {
        let mark = row.isBest ? "*" : " "
        let address = row.path.remoteAddress?.description ?? "an unknown address"
        let direction = row.path.role == .dialer ? "to" : "from"
        let head = "  \(mark) \(row.path.id) \(row.kind), \(row.roundTripText), \(direction) \(address)"
        return [head]
            + row.streams.map { stream in
                let moves = stream.moves == 0 ? "" : ", moved \(stream.moves) \(stream.moves == 1 ? "time" : "times")"
                return
                    "      \(stream.protocolID?.rawValue ?? "being negotiated"): \(ByteCount.text(stream.bytesRead)) in, "
                    + "\(ByteCount.text(stream.bytesWritten)) out\(moves)"
            }
    }

    var fields: [(String, JSON)] { [("event", "peers"), ("peers", .array(entries.map(\.json)))] }
}

extension PeerTable.Entry {
    var json: JSON {
        .object([
            ("peer", .string(peer.description)), ("agent", agent.map(JSON.string) ?? .null),
            ("connections", .array(rows.map(\.json))),
        ])
    }
}

extension PeerTable.Row {
    var json: JSON {
        .object([
            ("path", path.json), ("best", .bool(isBest)),
            ("round_trip_ms", roundTrip.map { .rounded($0.milliseconds) } ?? .null),
            (
                "streams",
                .array(
                    streams.map { stream in
                        .object([
                            ("id", .uint(stream.id)),
                            ("protocol", stream.protocolID.map { .string($0.rawValue) } ?? .null),
                            ("moves", .int(Int64(stream.moves))), ("bytes_read", .uint(stream.bytesRead)),
                            ("bytes_written", .uint(stream.bytesWritten)),
                        ])
                    })
            ),
        ])
    }
}
