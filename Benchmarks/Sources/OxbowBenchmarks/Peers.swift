import Foundation
import Oxbow

/// The same measurements with a libp2p peer of others at the other end as with ours.
///
/// We dial and they listen. Beyond what every libp2p serves by itself they have one protocol, `/xfer/1.0.0`. The programs are those of
/// the interop tests (`Interop/README.md` has their contract), found by `OXBOW_PEERS` and `PYTHONPATH`, which `Benchmarks/run` sets where they
/// are installed.
enum Peers {
    /// Who listens.
    private struct Listener {
        let key: String
        let name: String
        /// Bytes of one transfer: what takes a good part of a second.
        let piece: UInt64

        static let oxbow = Listener(key: "oxbow", name: "Oxbow", piece: 128 << 20)
        /// With the Python module that runs it.
        static let others = [
            (Listener(key: "go", name: "go-libp2p daemon", piece: 128 << 20), "peers.go_peer"),
            (Listener(key: "py", name: "py-libp2p", piece: 4 << 20), "peers.py_peer"),
        ]
    }

    /// What is measured, for one listener and one security protocol.
    private struct Figures {
        let roundTrip, opens, dials, up, down: Figure

        var all: [Figure] { [roundTrip, opens, dials, up, down] }

        init(_ listener: Listener, _ security: Security, per reference: Figures?) {
            func figure(_ key: String, _ title: String, _ unit: String, _ path: KeyPath<Figures, Figure>) -> Figure {
                let words = "\(listener.name), \(security.name): \(title)"
                let key = "peers.\(listener.key).\(security.key).\(key)"
                return Figure(key, .peers, words, unit, per: reference?[keyPath: path])
            }
            roundTrip = figure("roundtrip", "round trip of a ping", "µs", \.roundTrip)
            opens = figure("opens", "open + ping + end, one by one", "/s", \.opens)
            dials = figure("dials", "dial, identify read", "/s", \.dials)
            up = figure("up", "one stream, up", "Gbit/s", \.up)
            down = figure("down", "one stream, down", "Gbit/s", \.down)
        }
    }

    private static let ping: ProtocolID = "/ipfs/ping/1.0.0"

    static func measure(_ options: Options, _ report: Report, _ child: Child) async throws {
        for security in [Security.noise, .tls] {
            var reference: Figures?
            for (listener, module) in Listener.others {
                let figures = Figures(listener, security, per: nil)
                guard figures.all.contains(where: options.wants) else { continue }
                guard let other = try OtherPeer(module, security.key) else {
                    report.note("Other peers are left out: `make interop` installs them.")
                    continue
                }
                defer { other.stop() }
                try await measure(listener, figures, security.kind, other.peer, other.address, options, report)
                if reference == nil { reference = figures }
            }
            // Behind the others, so that ours stands beside the first of them.
            guard let reference else { continue }
            let figures = Figures(.oxbow, security, per: reference)
            try await measure(.oxbow, figures, security.kind, child.peer, child.address, options, report)
        }
    }

    private static func measure(
        _ listener: Listener, _ figures: Figures, _ security: SecurityProtocol, _ id: PeerID, _ address: Multiaddr,
        _ options: Options, _ report: Report
    ) async throws {
        let time = options.shortDuration
        try await withHost(identity: .generate(.ed25519), configuration: .forBenchmarks([security])) { host in
            let peer = try await host.connect(to: id, at: [address])
            if options.wants(figures.roundTrip) {
                let samples = try await SmallThings.roundTrips(peer, ping, for: time)
                report.add(figures.roundTrip, SmallThings.percentile(samples, 0.5))
            }
            if options.wants(figures.opens) {
                report.add(figures.opens, try await perSecond(time) { try await pingAndEnd(peer) })
            }
            for (figure, isUp) in [(figures.up, true), (figures.down, false)] where options.wants(figure) {
                _ = try await transfer(peer, listener.piece / 4, isUp: isUp)
                let pieces = try await perSecond(time) { try await transfer(peer, listener.piece, isUp: isUp) }
                report.add(figure, pieces * Double(listener.piece) * 8 / 1e9)
            }
            guard options.wants(figures.dials) else { return }
            let dials = try await perSecond(time) {
                try await host.connectAgain(to: id, at: [address]).close()
            }
            report.add(figures.dials, dials)
        }
    }

    /// go-libp2p serves two pings of a peer at once: the next one waits for this one's end, which some say by a reset.
    private static func pingAndEnd(_ peer: Peer) async throws {
        try await peer.withStream([ping]) { stream in
            try await SmallThings.echo(on: stream)
            stream.outbound.finish()
            _ = try? await stream.read(exactly: 1)
        }
    }

    /// One transfer, until its last byte has arrived. The daemon takes the end of one direction for that of both: ours is left open.
    private static func transfer(_ peer: Peer, _ count: UInt64, isUp: Bool) async throws {
        try await peer.withStream([BenchProtocol.transfer]) { stream in
            var head = ByteBuffer()
            head.writeMultipleIntegers(isUp ? count : 0, isUp ? 0 : count)
            try await stream.outbound.write(head)
            if isUp {
                for _ in 0..<(Int(count) / block.readableBytes) { try await stream.outbound.write(block) }
            }
            var received: UInt64 = 0
            for try await bytes in stream.inbound { received += UInt64(bytes.readableBytes) }
            guard received == (isUp ? 0 : count) else { throw Failure("a transfer ended after \(received) bytes") }
        }
    }
}

/// A peer of others that listens.
private final class OtherPeer {
    private let process: ChildProcess
    let peer: PeerID
    let address: Multiaddr

    private struct Hello: Decodable {
        let peerID: String
        let addrs: [String]

        enum CodingKeys: String, CodingKey {
            case peerID = "peer_id"
            case addrs
        }
    }

    /// Nil: no peers are installed.
    init?(_ module: String, _ security: String) throws {
        guard let folder = ProcessInfo.processInfo.environment["OXBOW_PEERS"] else { return nil }
        process = try ChildProcess(
            URL(fileURLWithPath: folder + "/venv/bin/python"), ["-B", "-m", module, "listen", "--security", security],
            isQuiet: true)
        guard let line = process.line(), let hello = try? JSONDecoder().decode(Hello.self, from: Data(line.utf8)),
            let first = hello.addrs.first
        else { throw Failure("\(module) didn't start") }
        peer = try PeerID(hello.peerID)
        address = try Multiaddr(first)
        process.drain()
    }

    func stop() {
        process.stop()
    }
}
