import OxbowCore
import OxbowCrypto
import OxbowMux
import OxbowNIO
import OxbowProtocols
import OxbowTesting
import OxbowWire
import Testing

/// Peers that misuse `/libp2p/dcutr` (rust-libp2p #2438).
@Suite struct HostileHolePunchTests {
    /// A host and a hand-made peer with a relayed connection.
    private struct Scene {
        let world = SimulatedWorld()
        let host: SimulatedHost
        let victim: SimulatedHost
        let peer: RawPeer

        /// - Parameter isDialer: whether the peer has dialled through the relay: then the host begins.
        init(isDialer: Bool, isRelayed: Bool = true) throws {
            let configure: (inout SwarmConfiguration) -> Void = { $0.holePunch.addresses.takesMemory = true }
            host = world.makeHost(configure)
            victim = world.makeHost(configure)
            host.listen()
            victim.listen()
            peer = try world.connectRaw(
                FixedKeys.all[3], to: host, isDialer: isDialer, identifies: [DCUtR.protocolID], isRelayed: isRelayed
            ).peer
            world.run(for: .milliseconds(10))
        }

        /// The stream that the host opened last, when it is one for a hole punch.
        func punchStream() throws -> YamuxStreamID {
            let id = try #require(peer.frames.last { $0.header.flags.contains(.syn) }).header.streamID
            #expect(peer.payload(on: id).starts(with: RawPeer.flight([DCUtR.protocolID])))
            return id
        }

        /// The peer opens a stream and sends `payload` on it.
        func open(_ id: UInt32, _ payload: [UInt8]) -> YamuxStreamID {
            let id = YamuxStreamID(rawValue: id)
            peer.send(RawPeer.flight([DCUtR.protocolID]) + payload, on: id, flags: .syn)
            world.run(for: .milliseconds(1))
            return id
        }

        func expectNothingHappened(sourceLocation: SourceLocation = #_sourceLocation) {
            #expect(victim.events.isEmpty, sourceLocation: sourceLocation)
        }

        func end(sourceLocation: SourceLocation = #_sourceLocation) {
            world.run(for: .seconds(60))
            #expect(host.punchesBegun == host.punches.count, sourceLocation: sourceLocation)
            world.expectNothingLeft(sourceLocation: sourceLocation)
        }
    }

    private static func connect(_ addresses: [Multiaddr]) -> [UInt8] {
        HolePunchMessage.connect(addresses: addresses.map(\.binary)).encodedDelimited()
    }

    @Test("A CONNECT without one usable address is refused: own ones, relayed, private, names, 1,000 of them")
    func lies() throws {
        let relay = try Multiaddr("/memory/2/p2p/\(FixedKeys.all[5].publicKey.peerID)/p2p-circuit")
        let lists: [[Multiaddr]] = [
            [], [try Multiaddr("/memory/1")], [relay], [try Multiaddr("/ip4/192.168.1.1/tcp/80")],
            [try Multiaddr("/ip4/127.0.0.1/tcp/80")], [try Multiaddr("/dns4/example.org/tcp/80")],
            [try Multiaddr("/memory/2/p2p/\(FixedKeys.all[1].publicKey.peerID)")],
            Array(repeating: try Multiaddr("/memory/2"), count: 1_000),
        ]
        for list in lists {
            let scene = try Scene(isDialer: false)
            let id = scene.open(2, Self.connect(list))
            #expect(scene.peer.wasReset(id) && !scene.peer.isClosed)
            scene.expectNothingHappened()
            scene.end()
        }
    }

    @Test("The same lies as an answer end this side's attempt with its first exchange")
    func liesAsAnAnswer() throws {
        let answers: [[UInt8]] = [
            Self.connect([]), Self.connect([try Multiaddr("/memory/1")]), HolePunchMessage.sync.encodedDelimited(),
            [0x81, 0x20], [0x01, 0x08], [UInt8](repeating: 0xff, count: 64),
            Self.connect(Array(repeating: try Multiaddr("/memory/2"), count: 1_000)),
        ]
        for answer in answers {
            let scene = try Scene(isDialer: true)
            let id = try scene.punchStream()
            scene.peer.send(RawPeer.flight([DCUtR.protocolID]) + answer, on: id, flags: .ack)
            scene.world.run(for: .milliseconds(1))
            #expect(scene.peer.wasReset(id) && !scene.peer.isClosed)
            #expect(scene.host.punches.count == 1)
            scene.expectNothingHappened()
            scene.end()
        }
    }

    @Test("A third party whose address a peer gives gets a bounded number of dials, and no connection")
    func reflection() throws {
        let scene = try Scene(isDialer: true)
        for _ in 0..<5 {
            guard let id = try? scene.punchStream(), scene.host.punches.isEmpty else { break }
            let answer = Self.connect([try Multiaddr("/memory/2")])
            scene.peer.send(RawPeer.flight([DCUtR.protocolID]) + answer, on: id, flags: .ack)
            scene.world.run(for: .seconds(6))
        }
        let failed = scene.victim.events.count { if case .inboundFailed = $0 { true } else { false } }
        #expect((1...3).contains(failed) && scene.victim.events.count == failed)
        #expect(scene.host.punches.map(\.outcome) == [.failed(.unreachable(tries: 3))])
        scene.end()
    }

    @Test("Of a flood of exchanges six are answered, one at a time, and the rest is refused")
    func flood() throws {
        let scene = try Scene(isDialer: false)
        let connect = Self.connect([try Multiaddr("/memory/77")]) + HolePunchMessage.sync.encodedDelimited()
        let streams = (1...100).map { scene.open(2 * $0, connect) }
        #expect(scene.host.punchesBegun == 6 && scene.host.punches.count == 5)
        #expect(streams.count { scene.peer.wasReset($0) } == 94)
        #expect(!scene.peer.isClosed)
        scene.end()
    }

    @Test("An exchange is answered only over a relayed connection that this side has dialled")
    func wrongConnection() throws {
        for (isDialer, isRelayed) in [(false, false), (true, true), (true, false)] {
            let scene = try Scene(isDialer: isDialer, isRelayed: isRelayed)
            let begun = scene.host.punchesBegun
            let id = scene.open(isDialer ? 101 : 102, Self.connect([try Multiaddr("/memory/77")]))
            #expect(scene.peer.wasReset(id) && scene.host.punchesBegun == begun)
            scene.end()
        }
    }

    @Test("A peer that stops in the middle is waited for as long as the exchange may take", arguments: 0..<3)
    func stalls(_ step: Int) throws {
        let scene = try Scene(isDialer: false)
        let connect = Self.connect([try Multiaddr("/memory/77")])
        let id = scene.open(2, step == 0 ? [] : step == 1 ? Array(connect.dropLast()) : connect)
        scene.world.run(for: .seconds(9))
        #expect(!scene.peer.wasReset(id) && scene.host.punchesBegun == 1)
        scene.world.run(for: .seconds(2))
        #expect(scene.peer.wasReset(id))
        #expect(scene.host.punches.map(\.outcome) == [.failed(.exchangeTimedOut(.seconds(10)))])
        scene.end()
    }
}
