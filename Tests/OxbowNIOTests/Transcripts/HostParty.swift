import NIOCore
import OxbowCore
import OxbowCrypto
import OxbowNIO
import OxbowSwarm
import OxbowTesting

/// A whole host with some connections to the other side: its swarm, its streams, its migrations, on virtual time. The
/// transcript has the frames of Yamux that it sends and gets. Pings and identify are taken out: a peer that the
/// test drives answers them.
final class HostParty: Party {
    struct Setting: Sendable {
        /// Under which names the other side says that it supports stream migration.
        var identifies: [ProtocolID] = ["/libp2p/stream-migration"]
        /// Whether this side sees the second connection run through a relay.
        var isSecondRelayed = false
    }

    private static let protocolID: ProtocolID = "/echo/1.0.0"

    private let world = SimulatedWorld()
    private let host: SimulatedHost
    private let peer: PeerID
    private var peers: [RawPeer] = []
    private var connections: [ConnectionDriver] = []
    private var opened: SimulatedStream?
    private var output: [Emission] = []

    init(_ side: Side, identity: PrivateKey, peer: PrivateKey, labelStart: UInt64, setting: Setting) throws {
        self.peer = peer.publicKey.peerID
        var host: SimulatedHost
        repeat {
            host = world.makeHost(labelStart: labelStart) { configuration in
                guard setting.isSecondRelayed else { return }
                // What moves is still up to the script: there is one stream, and it is where it is best.
                configuration.policy = ConnectionPolicy()
                configuration.policy.prunes = false
            }
        } while host.id != identity.publicKey.peerID
        self.host = host
        host.serve(Self.protocolID)
        for channel in 1...2 {
            let (raw, connection) = try world.connectRaw(
                peer, to: host, isDialer: side == .b, identifies: setting.identifies, delay: .milliseconds(1),
                isRelayed: channel == 2 && setting.isSecondRelayed)
            raw.onFrame = { [unowned self] in output.append(Emission(channel: channel, bytes: $0.encoded)) }
            peers.append(raw)
            connections.append(connection)
        }
        // The second connection's identify is answered by now, too.
        world.run(for: .milliseconds(20))
    }

    private func stream() throws -> SimulatedStream {
        guard let stream = opened ?? host.accepted.first else { throw TranscriptError("there is no stream yet") }
        return stream
    }

    func perform(_ action: String) throws {
        let words = action.split(separator: " ", maxSplits: 1).map(String.init)
        switch words[0] {
        case "opens":
            let stream = host.open([Self.protocolID], to: peer, on: connections[0])
            opened = stream
            if words.count > 1 { stream.write(words[1]) }
        case "writes": try stream().write(words[1])
        case "moves": try stream().migrate(host, to: connections[1])
        case "ends": try stream().closeWrite()
        case "resets": try stream().reset()
        default: throw TranscriptError("this side can't \(action)")
        }
        run()
    }

    func receive(_ bytes: [UInt8], on channel: Int) throws {
        peers[channel - 1].send(bytes: bytes)
        run()
        if let error = peers[channel - 1].error { throw error }
    }

    private func run() { world.run(for: .milliseconds(20)) }

    func takeOutput() -> [Emission] {
        defer { output = [] }
        return output
    }

    func finish() throws -> String {
        let stream = try stream()
        let heard = String(buffer: stream.received)
        let id = stream.logical.snapshot.id.map(String.init) ?? "none"
        let ending =
            switch stream.end {
            case .clean: "the end"
            case .failed(let error): "\(error)"
            case nil: "no end"
            }
        let moves = stream.migrations.map { result in
            switch result {
            case .success: "completed"
            case .failure(let error): "\(error)"
            }
        }
        for peer in peers { peer.close() }
        let left = world.end()
        guard left.allSatisfy(\.isZero) else { throw TranscriptError("something is left: \(left)") }
        world.forget()
        return "hears \"\(heard)\" and \(ending), id \(id), own moves: \(moves)"
    }
}
