import Oxbow
import OxbowCommandLine
import OxbowMigration
import OxbowNIO
import OxbowProtocols

extension SwarmEvent {
    /// The event as a line for people; nil for what only fills the screen.
    var text: String? {
        switch self {
        case .connectionOpened(let peer, let path): "connected     \(peer) \(path)"
        case .connectionClosed(let peer, let path, let error): "disconnected  \(peer) \(path): \(error)"
        case .inboundFailed(let path, let error): "refused       \(path): \(error)"
        case .identified(let peer, let info): "identified    \(peer) as \(info.agentVersion ?? "something unnamed")"
        case .peerDiscovered(let peer, let addresses):
            "discovered    \(peer) at \(addresses.map(\.description).joined(separator: ", "))"
        case .bestConnectionChanged(let peer, let path):
            path.map { "best path     \(peer) \($0)" }
        case .streamMigrated(let peer, let protocolID, let record):
            "migrated      \(peer) \(protocolID?.rawValue ?? "a stream") \(record.pathText)"
        case .streamNotMigrated(let peer, let protocolID, let record):
            "not migrated  \(peer) \(protocolID?.rawValue ?? "an unknown stream"): \(record.outcome)"
        case .reachabilityChanged(let reachability): "reachability  \(reachability)"
        case .externalAddressConfirmed(let address): "reachable at  \(address)"
        case .externalAddressExpired(let address): "no more at    \(address)"
        case .natMappingChanged(let mapping): "NAT mapping   \(mapping)"
        case .holePunchBegan: nil
        case .holePunchEnded(let peer, let record):
            switch record.outcome {
            case .upgraded(.elsewhere): nil
            case .upgraded: "upgraded      \(peer) \(record.summary)"
            // The initiator says when all tries have failed.
            case .failed: record.side == .initiator ? "not upgraded  \(peer) \(record.summary)" : nil
            }
        case .refused(let refusal, let count): "limit         \(count == 1 ? "" : "\(count) times: ")\(refusal)"
        case .relayReservation(let relay, let change): "reservation   at relay \(relay): \(change)"
        }
    }

    /// The event for a script.
    var fields: [(String, JSON)] {
        switch self {
        case .connectionOpened(let peer, let path):
            [("event", "connected"), ("peer", .string(peer.description)), ("path", path.json)]
        case .connectionClosed(let peer, let path, let error):
            [
                ("event", "disconnected"), ("peer", .string(peer.description)), ("path", path.json),
                ("reason", .string(error.description)),
            ]
        case .inboundFailed(let path, let error):
            [("event", "refused"), ("path", path.json), ("reason", .string(error.description))]
        case .identified(let peer, let info):
            [
                ("event", "identified"), ("peer", .string(peer.description)),
                ("agent", info.agentVersion.map(JSON.string) ?? .null),
                ("protocols", .array(info.protocols.map { .string($0.rawValue) })),
            ]
        case .peerDiscovered(let peer, let addresses):
            [
                ("event", "discovered"), ("peer", .string(peer.description)),
                ("addresses", .array(addresses.map { .string($0.description) })),
            ]
        case .bestConnectionChanged(let peer, let path):
            [
                ("event", "best-connection"), ("peer", .string(peer.description)), ("path", path?.json ?? .null),
            ]
        case .streamMigrated(let peer, let protocolID, let record):
            [
                ("event", "migrated"), ("peer", .string(peer.description)),
                ("protocol", protocolID.map { .string($0.rawValue) } ?? .null),
                ("from", record.from?.json ?? .null), ("to", record.to?.json ?? .null),
                ("milliseconds", .rounded(record.duration.milliseconds)),
            ]
        case .streamNotMigrated(let peer, let protocolID, let record):
            [
                ("event", "not-migrated"), ("peer", .string(peer.description)),
                ("protocol", protocolID.map { .string($0.rawValue) } ?? .null),
                ("initiator", .bool(record.role == .initiator)), ("outcome", .string(record.outcome.name)),
                ("reason", .string("\(record.outcome)")),
            ]
        case .reachabilityChanged(let reachability):
            [("event", "reachability"), ("reachability", .string("\(reachability)"))]
        case .externalAddressConfirmed(let address):
            [("event", "external-address"), ("address", .string(address.description)), ("confirmed", .bool(true))]
        case .externalAddressExpired(let address):
            [("event", "external-address"), ("address", .string(address.description)), ("confirmed", .bool(false))]
        case .natMappingChanged(let mapping):
            [("event", "nat-mapping"), ("mapping", .string("\(mapping)"))]
        case .holePunchBegan(let peer, let side):
            [
                ("event", "hole-punch-began"), ("peer", .string(peer.description)),
                ("initiator", .bool(side == .initiator)),
            ]
        case .holePunchEnded(let peer, let record):
            [
                ("event", "hole-punch-ended"), ("peer", .string(peer.description)),
                ("initiator", .bool(record.side == .initiator)), ("upgraded", .bool(record.isUpgrade)),
                ("tries", .uint(UInt64(record.tries))), ("milliseconds", .rounded(record.duration.milliseconds)),
                ("path", record.path?.json ?? .null), ("summary", .string(record.summary)),
            ]
        case .refused(let refusal, let count):
            [
                ("event", "limit"), ("scope", .string(refusal.scope.kind.rawValue)),
                ("resource", .string(refusal.resource.rawValue)), ("count", .int(Int64(count))),
                ("reason", .string("\(refusal)")),
            ]
        case .relayReservation(let relay, let change):
            [
                ("event", "reservation"), ("relay", .string(relay.description)),
                ("change", .string(change.description)),
            ]
        }
    }
}

extension MigrationRecord {
    /// From where to where, and what it cost.
    var pathText: String {
        let (from, to) = (from.map { "\($0.id)" } ?? "?", to.map { "\($0)" } ?? "?")
        return "from \(from) \(to) in \(decimal(duration.milliseconds, 2)) ms"
    }
}

/// What a rate is: bytes, and the time that they took.
struct Rate {
    let bytes: UInt64
    let time: Duration

    var bytesPerSecond: Double { time > .zero ? Double(bytes) / time.seconds : 0 }
    var text: String { "\(ByteCount.text(bytesPerSecond))/s" }
}
