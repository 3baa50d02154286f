import NIOCore
import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowSecurity
import OxbowTesting
import OxbowUpgrade
import Testing

@testable import OxbowNIO

/// Two hosts behind NATs and a relayed connection between them: `left` has dialled, `right` punches (libp2p/specs,
/// relay/DCUtR.md).
struct PunchScene {
    let world = SimulatedWorld()
    let left: SimulatedHost
    let right: SimulatedHost

    /// - Parameter hidden: which hosts a NAT hides, by their numbers.
    init(hidden: Set<Int> = [0, 1], _ configure: (inout SwarmConfiguration) -> Void = { _ in }) {
        left = world.makeHost { Self.prepare(&$0, configure) }
        right = world.makeHost { Self.prepare(&$0, configure) }
        world.dialDelay = .milliseconds(20)
        for (index, host) in [left, right].enumerated() {
            host.listen()
            host.serve(echo) { $0.echo() }
            if hidden.contains(index) { world.hide(host) }
        }
    }

    private static func prepare(
        _ configuration: inout SwarmConfiguration, _ configure: (inout SwarmConfiguration) -> Void
    ) {
        configuration.holePunch.addresses.takesMemory = true
        configure(&configuration)
    }

    /// Connects through the relay, and gives the time for identify.
    func connect() -> SimulatedLink {
        let link = world.beginConnecting(left, right, delay: .milliseconds(50), isRelayed: true)
        world.expect { left.swarm.peer(right.id)?.info != nil && right.swarm.peer(left.id)?.info != nil }
        return link
    }

    /// Lets time pass until as many attempts of `right` are over as `count`.
    func expectEnds(_ count: Int = 1, sourceLocation: SourceLocation = #_sourceLocation) {
        world.expect(sourceLocation: sourceLocation) { right.punches.count == count }
        // A responder whose punch led to nothing still dials.
        world.expect(within: .seconds(20), sourceLocation: sourceLocation) {
            [left, right].allSatisfy { $0.punchesBegun == $0.punches.count }
        }
    }
}

extension SimulatedHost {
    var punches: [HolePunchRecord] {
        events.compactMap { if case .holePunchEnded(_, let record) = $0 { record } else { nil } }
    }
    var punchesBegun: Int {
        events.count { if case .holePunchBegan = $0 { true } else { false } }
    }

    func directPaths(to peer: PeerID) -> [ConnectionPath] {
        swarm.peer(peer)?.usableConnections.map(\.path).filter { !$0.isRelayed } ?? []
    }
}

@Suite struct HolePunchTests {
    @Test("A relayed connection is upgraded through two NATs: one direct connection with opposite roles")
    func punches() throws {
        let scene = PunchScene()
        let link = scene.connect()
        let stream = scene.left.open(echo, to: scene.right, on: link)
        stream.write("before")
        scene.expectEnds()
        let (left, right) = (scene.left, scene.right)
        let record = try #require(right.punches.first)
        #expect(record.outcome == .upgraded(.punch) && record.side == .initiator && record.tries == 1)
        #expect(record.roundTrip == .milliseconds(100) && record.path?.isRelayed == false)
        #expect(left.punches.map(\.outcome) == [.upgraded(.punch)] && left.punches.first?.side == .responder)
        // The responder is the client, the initiator the server.
        #expect(left.directPaths(to: right.id).map(\.role) == [.dialer])
        #expect(right.directPaths(to: left.id).map(\.role) == [.listener])
        // The relayed connection and its streams are left to others.
        stream.write(" after")
        scene.world.expect { stream.received.readableBytes == 12 }
        stream.finish()
        scene.world.expectNothingLeft()
    }

    @Test("A peer whose announced address can be dialled is dialled, and no addresses are exchanged")
    func directDial() {
        let scene = PunchScene(hidden: [1])
        _ = scene.connect()
        scene.expectEnds()
        #expect(scene.right.punches.map(\.outcome) == [.upgraded(.directDial)])
        #expect(scene.right.punches.first?.tries == 0 && scene.left.punchesBegun == 0)
        #expect(scene.right.directPaths(to: scene.left.id).map(\.role) == [.dialer])
        scene.world.expectNothingLeft()
    }

    @Test("When the first try fails, the second has a new exchange")
    func secondTry() {
        let scene = PunchScene()
        scene.world.network.setSymmetric(true)
        _ = scene.connect()
        scene.world.after(.seconds(3)) { scene.world.network.setSymmetric(false) }
        scene.expectEnds()
        #expect(scene.right.punches.map(\.outcome) == [.upgraded(.punch)])
        #expect(scene.right.punches.first?.tries == 2)
        #expect(scene.left.punches.map(\.outcome) == [.failed(.unreachable(tries: 1)), .upgraded(.punch)])
        scene.world.expectNothingLeft()
    }

    @Test("With symmetric NATs it gives up after three tries, and the relayed connection goes on")
    func symmetric() throws {
        let scene = PunchScene()
        scene.world.network.setSymmetric(true)
        let link = scene.connect()
        scene.expectEnds()
        #expect(scene.right.punches.map(\.outcome) == [.failed(.unreachable(tries: 3))])
        #expect(scene.left.punches.count == 3)
        #expect(try #require(scene.right.punches.first).duration < .seconds(17))
        let stream = scene.left.open(echo, to: scene.right, on: link)
        stream.write("still here")
        scene.world.expect { stream.received.readableBytes == 10 }
        stream.finish()
        // It isn't tried again over this connection.
        scene.world.run(for: .seconds(300))
        #expect(scene.right.punches.count == 1)
        scene.world.expectNothingLeft()
    }

    @Test("Nothing is punched over a direct connection, beside one, or when it is switched off")
    func notWanted() {
        let direct = PunchScene()
        _ = direct.world.connect(direct.left, direct.right, delay: .milliseconds(50))
        _ = direct.world.connect(direct.left, direct.right, delay: .milliseconds(50), isRelayed: true)
        direct.world.run(for: .seconds(30))
        #expect(direct.right.punchesBegun == 0 && direct.left.punchesBegun == 0)
        direct.world.expectNothingLeft()
        let off = PunchScene { $0.holePunch.isEnabled = false }
        _ = off.connect()
        off.world.run(for: .seconds(30))
        #expect(off.right.punchesBegun == 0 && off.left.punchesBegun == 0)
        off.world.expectNothingLeft()
    }

    @Test("An own address that becomes known later starts the attempt")
    func lateAddress() {
        let scene = PunchScene()
        scene.right.swarm.setAddresses([], of: .listener)
        _ = scene.connect()
        scene.world.run(for: .seconds(5))
        #expect(scene.right.punches.map(\.outcome) == [.failed(.noOwnAddress)])
        scene.right.swarm.setAddresses([scene.right.address], of: .listener)
        scene.expectEnds(2)
        #expect(scene.right.punches.last?.outcome == .upgraded(.punch))
        scene.world.expectNothingLeft()
    }

    @Test("Past the bound over all peers a relayed connection waits for its turn")
    func bound() {
        let scene = PunchScene { $0.holePunch.maximumPunches = 1 }
        let third = scene.world.makeHost { $0.holePunch.addresses.takesMemory = true }
        third.listen()
        scene.world.hide(third)
        for host in [scene.left, third] {
            _ = scene.world.beginConnecting(host, scene.right, delay: .milliseconds(50), isRelayed: true)
        }
        scene.world.expect { scene.right.punchesBegun == 1 }
        scene.world.run(for: .milliseconds(50))
        #expect(scene.right.punchesBegun == 1 && scene.right.punches.isEmpty)
        scene.expectEnds(2)
        #expect(scene.right.punches.map(\.outcome) == [.upgraded(.punch), .upgraded(.punch)])
        scene.world.expectNothingLeft()
    }

    @Test("Which failures of a dial are a sign that both sides played the same part")
    func dialFailures() throws {
        let peers = FixedKeys.all.prefix(2).map(\.publicKey.peerID)
        let other = SecurityError.peerIDMismatch(expected: peers[0], actual: peers[1])
        let cases: [(DialFailure, HolePunchDialFailure)] = [
            (.connection(.upgrade(.security(.noiseHandshake, .decryptionFailed))), .collided),
            (.connection(.handshakeTimedOut(.securityNegotiation)), .collided),
            (.connection(.closedLocally), .collided),
            (.connection(.upgrade(.security(.noiseHandshake, other))), .unsupported),
            (.connection(.transportEnded), .cutOff),
            (.unreachable("refused"), .unreachable),
            (.unsupported("names"), .unsupported),
        ]
        for (failure, kind) in cases { #expect(HolePunchDialFailure(failure) == kind) }
    }

    @Test("Both sides that have dialled each other through relays begin at once: one attempt goes on")
    func bothBegin() {
        let scene = PunchScene()
        _ = scene.world.beginConnecting(scene.left, scene.right, delay: .milliseconds(50), isRelayed: true)
        _ = scene.world.beginConnecting(scene.right, scene.left, delay: .milliseconds(50), isRelayed: true)
        scene.world.expect {
            [scene.left, scene.right].allSatisfy { $0.punchesBegun > 0 && $0.punchesBegun == $0.punches.count }
        }
        let paths = (scene.left.directPaths(to: scene.right.id), scene.right.directPaths(to: scene.left.id))
        #expect(paths.0.count == 1 && paths.1.count == 1)
        // The lower peer id's attempt goes on, so its host is the server.
        #expect(paths.0.map(\.role) == [.listener] && paths.1.map(\.role) == [.dialer])
        #expect(scene.left.punches.contains { $0.side == .initiator && $0.outcome == .upgraded(.punch) })
        scene.world.run(for: .seconds(30))
        scene.world.expectNothingLeft()
    }

    @Test(
        "The relayed connection is cut or stalls, or a host closes, at any point: everything ends",
        arguments: 0..<40)
    func interrupted(_ step: Int) {
        for fault in 0..<3 {
            let scene = PunchScene()
            // Without it all 40 points lie before the success.
            scene.world.network.setSymmetric(step % 2 == 0)
            let link = scene.world.beginConnecting(
                scene.left, scene.right, delay: .milliseconds(50), isRelayed: true)
            scene.world.run(for: .milliseconds(Int64(step) * 25))
            switch fault {
            case 0: link.cut()
            case 1: link.stall()
            default: scene.right.swarm.close {}
            }
            scene.world.run(for: .seconds(120))
            for host in [scene.left, scene.right] { #expect(host.punchesBegun == host.punches.count) }
            scene.world.expectNothingLeft()
        }
    }
}
