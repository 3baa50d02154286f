import Logging
import OxbowCore
import OxbowNIO
import OxbowProtocols
import OxbowSwarm

/// Writes a host's events to its logger, as structured metadata: never keys, never payload. What a peer chose is
/// escaped and cut.
struct HostLog: Sendable {
    private let logger: Logger

    init(_ logger: Logger) {
        self.logger = logger
    }

    func write(_ event: SwarmEvent) {
        switch event {
        case .connectionOpened(let peer, let path):
            log(.debug, "connection opened", peer, Self.metadata(of: path))
        case .connectionClosed(let peer, let path, let error):
            log(.debug, "connection closed", peer, Self.metadata(of: path), error)
        case .inboundFailed(let path, let error):
            log(.debug, "inbound connection failed", nil, Self.metadata(of: path), error)
        case .identified(let peer, let info):
            log(.trace, "peer identified", peer, ["agent": .string(Self.escaped(info.agentVersion ?? ""))])
        case .peerDiscovered(let peer, let addresses):
            log(
                .debug, "peer discovered", peer, ["addresses": .array(addresses.map { .string(Self.escaped("\($0)")) })]
            )
        case .bestConnectionChanged(let peer, let path):
            log(.debug, "best connection changed", peer, path.map(Self.metadata) ?? [:])
        case .streamMigrated(let peer, let protocolID, let record):
            log(.debug, "stream migrated", peer, Self.metadata(of: record, protocolID))
        case .streamNotMigrated(let peer, let protocolID, let record):
            var level = Logger.Level.debug
            // Bytes may be missing then: an operator wants to know.
            if case .aborted = record.outcome { level = .notice }
            log(level, "stream not migrated", peer, Self.metadata(of: record, protocolID))
        case .reachabilityChanged(let reachability):
            log(.info, "reachability changed", nil, ["reachability": "\(reachability)"])
        case .externalAddressConfirmed(let address):
            log(.info, "external address confirmed", nil, ["address": .string(Self.escaped("\(address)"))])
        case .externalAddressExpired(let address):
            log(.info, "external address expired", nil, ["address": .string(Self.escaped("\(address)"))])
        case .natMappingChanged(let mapping):
            log(.info, "NAT mapping changed", nil, ["mapping": "\(mapping)"])
        case .holePunchBegan(let peer, let side):
            log(.debug, "hole punch began", peer, ["side": side == .initiator ? "initiator" : "responder"])
        case .holePunchEnded(let peer, let record):
            log(.debug, "hole punch ended", peer, Self.metadata(of: record))
        case .refused(let refusal, let count):
            log(.notice, "limit reached", nil, Self.metadata(of: refusal, count), refusal)
        case .relayReservation(let relay, let change):
            log(.debug, "relay reservation changed", relay, ["change": .string(Self.escaped(change.description))])
        }
    }

    func write(_ error: DialError) {
        log(.info, "dial failed", error.peer, ["addresses": "\(error.attempts.count)"], error)
    }

    func writeNotSaved(_ error: any Error) {
        log(.warning, "peers not saved; they are kept in memory and tried again", nil, [:], error)
    }

    /// Nothing is put together for a level that nobody reads.
    private func log(
        _ level: Logger.Level, _ message: Logger.Message, _ peer: PeerID?,
        _ metadata: @autoclosure () -> Logger.Metadata, _ error: (any Error)? = nil
    ) {
        guard level >= logger.logLevel else { return }
        var metadata = metadata()
        if let peer { metadata["peer"] = "\(peer)" }
        if let error { metadata["error"] = .string(Self.escaped("\(error)")) }
        logger.log(level: level, message, metadata: metadata, source: "Oxbow")
    }

    private static func metadata(of path: ConnectionPath) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "connection": "\(path.id.rawValue)", "role": path.role == .dialer ? "dialer" : "listener",
            "relayed": "\(path.isRelayed)",
        ]
        if let local = path.localAddress { metadata["local"] = .string(escaped("\(local)")) }
        if let remote = path.remoteAddress { metadata["remote"] = .string(escaped("\(remote)")) }
        if let security = path.security { metadata["security"] = .string(escaped(security.rawValue)) }
        return metadata
    }

    private static func metadata(of record: MigrationRecord, _ protocolID: ProtocolID?) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "outcome": .string(record.outcome.name), "role": record.role == .initiator ? "initiator" : "responder",
            "from_id": "\(record.fromID)", "to_id": "\(record.toID)",
            "milliseconds": "\(record.duration / .milliseconds(1))",
            "gap_milliseconds": "\(record.longestGap / .milliseconds(1))",
            "bytes_read": "\(record.bytesRead)", "bytes_written": "\(record.bytesWritten)",
        ]
        if let from = record.from { metadata["from"] = .dictionary(self.metadata(of: from)) }
        if let to = record.to { metadata["to"] = .dictionary(self.metadata(of: to)) }
        if let protocolID { metadata["protocol"] = .string(escaped(protocolID.rawValue)) }
        switch record.outcome {
        case .failed, .aborted: metadata["reason"] = .string(escaped(record.outcome.description))
        case .completed, .denied, .yielded: break
        }
        return metadata
    }

    private static func metadata(of record: HolePunchRecord) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "side": record.side == .initiator ? "initiator" : "responder", "tries": "\(record.tries)",
            "milliseconds": "\(record.duration / .milliseconds(1))", "outcome": .string(escaped(record.summary)),
        ]
        if let path = record.path { metadata["path"] = .dictionary(self.metadata(of: path)) }
        return metadata
    }

    private static func metadata(of refusal: ResourceRefusal, _ count: Int) -> Logger.Metadata {
        [
            "scope": .string(refusal.scope.kind.rawValue), "resource": .string(refusal.resource.rawValue),
            "limit": "\(refusal.limit)", "used": "\(refusal.used)", "count": "\(count)",
        ]
    }

    /// The longest text of a peer's that is logged, in scalars.
    static let maximumText = 256

    /// Text as one line of a log may have it: nothing that ends the line, moves a cursor or turns its direction.
    static func escaped(_ text: String) -> String {
        var result = ""
        for (index, scalar) in text.unicodeScalars.enumerated() {
            guard index < maximumText else { return result + "…" }
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
                result += "\\u{" + String(scalar.value, radix: 16) + "}"
            default:
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
