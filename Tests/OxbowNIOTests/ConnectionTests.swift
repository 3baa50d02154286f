import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowProtocols
import OxbowSecurity
import OxbowTesting
import OxbowWire
import Synchronization
import Testing

@testable import OxbowNIO

/// Whole connections that are used against their grain.
@Suite struct ConnectionTests {
    /// A host and a hand-made peer on one connection.
    private struct Raw {
        let world: SimulatedWorld
        let host: SimulatedHost
        let peer: RawPeer
        let connection: ConnectionDriver

        init(
            in world: SimulatedWorld, _ host: SimulatedHost, identifies: [ProtocolID]? = nil,
            security: ProtocolID = "/noise"
        ) throws {
            (self.world, self.host) = (world, host)
            let (near, far) = world.pipe()
            let result = host.swarm.adopt(near, role: .listener)
            connection = try #require(result)
            peer = try RawPeer(identity: FixedKeys.all[3], role: .initiator, security: security, transport: far)
            peer.identifies = identifies
            far.start(delegate: peer)
            let peer = peer
            world.expect { peer.isUp }
            world.run(for: .milliseconds(10))
        }

        init(_ configure: (inout SwarmConfiguration) -> Void = { _ in }) throws {
            let world = SimulatedWorld()
            try self.init(in: world, world.makeHost(configure))
        }

        /// Opens a stream and proposes protocols on it.
        func open(_ id: UInt32, _ protocols: [ProtocolID]) -> YamuxStreamID {
            let id = YamuxStreamID(rawValue: id)
            peer.send(RawPeer.flight(protocols), on: id, flags: .syn)
            world.run()
            return id
        }
    }

    // MARK: Closing

    @Test("Closing a connection waits for what the application has finished with", arguments: [10, 300_000])
    func closeFlushes(_ count: Int) throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        right.serve(bulk)
        let link = world.connect(left, right, delay: .milliseconds(20))
        let stream = left.open(bulk, to: right, on: link)
        _ = stream.logical.tryWrite(Pattern.bytes(from: 0, count: count))
        stream.finish()
        link.connection(of: left).close()
        world.run()
        #expect(left.swarm.peer(right.id)?.usableConnections.isEmpty ?? true)
        world.expect { right.accepted.first?.end != nil }
        let far = try #require(right.accepted.first)
        #expect(far.end == .clean)
        #expect(far.received.readableBytes == count && Pattern.matches(far.received))
        world.expect { left.swarm.census.connections == 0 && right.swarm.census.connections == 0 }
        world.expectNothingLeft()
    }

    @Test("A peer that takes nothing can't hold a connection that is being closed")
    func closeIsBounded() throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        right.serve(bulk)
        let link = world.connect(left, right, delay: .milliseconds(20))
        let stream = left.open(bulk, to: right, on: link)
        link.stall()
        for _ in 0..<4 { _ = stream.logical.tryWrite(Pattern.bytes(from: 0, count: 100_000)) }
        stream.finish()
        link.connection(of: left).close()
        world.run(for: .seconds(6))
        #expect(left.swarm.census.connections == 0)
        world.expectNothingLeft()
    }

    @Test("A stream that the application still uses is lost at once when its connection is closed")
    func closeLosesLiveStreams() throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        right.serve(bulk)
        let link = world.connect(left, right, delay: .milliseconds(20))
        let stream = left.open(bulk, to: right, on: link)
        stream.write("hello")
        world.run(for: .seconds(1))
        link.connection(of: left).close()
        world.run()
        #expect(stream.end == .failed(.connectionLost(.closedLocally)))
        world.run(for: .seconds(1))
        #expect(right.accepted.first?.end == .failed(.connectionLost(.closedByPeer(code: 0))))
        world.expectNothingLeft()
    }

    // MARK: Held Migrates

    @Test("A Migrate that overtakes the answer of its stream's negotiation is judged when that comes (SM-M1, SM-F5)")
    func migrateOvertakesAnswer() throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        right.serve(bulk)
        let slow = world.connect(left, right, delay: .milliseconds(500))
        let fast = world.connect(left, right, delay: .milliseconds(5))
        let stream = left.open(bulk, to: right, on: slow)
        stream.write("hello")
        world.expect { right.accepted.count == 1 }
        let far = try #require(right.accepted.first)
        far.migrate(right, to: fast)
        world.expect(within: .seconds(5)) { far.migrations.count == 1 }
        #expect(throws: Never.self) { try far.migrations.first?.get() }
        world.expectNothingLeft()
    }

    @Test("A Migrate held for an attempt that then failed does not wait for ever (SM-F6)")
    func heldForFailedAttempt() throws {
        let world = SimulatedWorld()
        let host = world.makeHost()
        let migration = MigrationDialect.draft.protocolID
        let first = try Raw(in: world, host, identifies: [bulk, migration])
        let second = try Raw(in: world, host, identifies: [bulk, migration])
        let stream = host.open([bulk], to: first.peer.id, on: first.connection)
        world.run()
        let source = try #require(first.peer.frames.last { !$0.payload.isEmpty }?.header.streamID)
        first.peer.send(RawPeer.flight([migration]) + RawPeer.flight([bulk]), on: source, flags: .ack)
        world.run()
        host.swarm.migrate(stream.logical, to: second.connection) { _ in }
        world.run()
        let target = try #require(stream.logical.state.withLock { $0.machine.targetID })
        let asked = try #require(second.peer.frames.last { !$0.payload.isEmpty }?.header.streamID)
        // The peer names the target as if it had accepted, then resets it.
        let parity = UInt64(host.id < first.peer.id ? 1 : 0)
        let ghost = YamuxStreamID(rawValue: 101)
        let migrate = StreamMigrationMessage.migrate(id: 1_000 + parity, from: target).encodedDelimited()
        first.peer.send(RawPeer.flight([migration]) + migrate, on: ghost, flags: .syn)
        world.run()
        #expect(host.swarm.census.heldMigrates == 1)
        second.peer.reset(asked)
        world.run(for: .seconds(11))
        #expect(host.swarm.census.heldMigrates == 0)
        #expect(first.peer.wasReset(ghost))
    }

    @Test("Where migration is off, the peer's labels are refused as an unknown protocol (SM-L5)")
    func migrationOff() throws {
        let raw = try Raw { $0.isMigrationEnabled = false }
        let id = raw.open(101, [MigrationDialect.draft.protocolID])
        #expect(raw.peer.payload(on: id) == RawPeer.flight([]) + [3] + [UInt8]("na\n".utf8))
    }

    @Test("A refusal goes out though what comes behind the refused proposal, in the same read, is no proposal (SM-L1)")
    func refusalIsHeard() throws {
        for flags in [[], .fin] as [YamuxFlags] {
            let raw = try Raw { $0.isMigrationEnabled = false }
            let id = YamuxStreamID(rawValue: 101)
            let label: [UInt8] = [0x04, 0x0A, 0x02, 0x08, 0x00]
            // The label in a frame of its own; both frames are read before anything is written.
            raw.peer.send(
                .init(
                    YamuxFrameHeader(type: .data, flags: .syn, streamID: id, length: UInt32(Self.proposal.count)),
                    Self.proposal),
                .init(YamuxFrameHeader(type: .data, flags: flags, streamID: id, length: 5), label))
            raw.world.run()
            #expect(raw.peer.payload(on: id) == RawPeer.flight([]) + [3] + [UInt8]("na\n".utf8))
            #expect(raw.peer.frames.last { $0.header.streamID == id }?.header.flags.contains(.fin) == true)
        }
    }

    private static let proposal = RawPeer.flight([MigrationDialect.draft.protocolID])

    // MARK: Refusals

    @Test("A peer can't make the host send resets without end (CVE-2025-8671)")
    func resetsOnDemand() throws {
        let raw = try Raw()
        for number in 0..<300 where !raw.peer.isClosed {
            raw.peer.send([1, 0xFF], on: YamuxStreamID(rawValue: UInt32(101 + 2 * number)), flags: .syn)
            raw.world.run()
        }
        #expect(raw.peer.isClosed)
        #expect(raw.peer.frames.filter { $0.header.flags.contains(.rst) }.count == 200)
        #expect(raw.peer.frames.last?.header.type == .goAway)
    }

    @Test("A peer that gives up after a refused proposal gets an end, not a reset")
    func givesUp() throws {
        let raw = try Raw()
        for number in 0..<300 {
            let id = raw.open(UInt32(101 + 2 * number), ["/unknown"])
            raw.peer.send([], on: id, flags: .fin)
            raw.world.run()
        }
        #expect(!raw.peer.frames.contains { $0.header.flags.contains(.rst) })
        #expect(!raw.connection.streams.keys.contains { $0.rawValue > 100 })
        #expect(!raw.peer.isClosed)
    }

    // MARK: Memory

    @Test("A ping stream whose echoes nobody reads is reset: no echo is dropped in silence")
    func unreadEchoes() throws {
        let raw = try Raw()
        let id = raw.open(101, [Ping.protocolID])
        for _ in 0..<30 where !raw.peer.wasReset(id) {
            raw.peer.send([UInt8](repeating: 7, count: 32 * 1_024), on: id)
            raw.world.run(for: .milliseconds(1))
        }
        #expect(raw.peer.wasReset(id))
        #expect(raw.peer.error == nil && !raw.peer.isClosed)
    }

    @Test("Streams that come and go leave no deadline behind")
    func shortStreams() throws {
        let world = SimulatedWorld()
        let (left, right) = (world.makeHost(), world.makeHost())
        right.serve(echo) { $0.echo() }
        let link = world.connect(left, right)
        for _ in 0..<2_000 {
            let stream = left.open(echo, to: right, on: link)
            stream.closeWrite()
            world.run()
            right.accepted.last?.closeWrite()
            world.run()
        }
        for host in [left, right] {
            let connection = link.connection(of: host)
            #expect(connection.streams.isEmpty)
            #expect(connection.negotiationDeadlines.count <= 128)
        }
        world.expectNothingLeft()
    }

    @Test(
        "A small frame that nobody reads doesn't keep its whole record in memory",
        arguments: ["/noise", "/tls/1.0.0"] as [ProtocolID])
    func detached(_ security: ProtocolID) throws {
        let world = SimulatedWorld()
        let raw = try Raw(in: world, world.makeHost(security: [security]), security: security)
        let box = Box()
        raw.host.swarm.setHandler(bulk) { stream, _ in box.stream = stream }
        let (small, large) = (raw.open(101, [bulk]), raw.open(103, [bulk]))
        raw.peer.send(
            .init(YamuxFrameHeader(type: .data, streamID: large, length: 60_000), [UInt8](repeating: 1, count: 60_000)),
            .init(YamuxFrameHeader(type: .data, streamID: small, length: 2_000), [UInt8](repeating: 2, count: 2_000)))
        raw.world.run()
        let stream = try #require(box.first)
        let capacities = stream.state.withLock { $0.inbound.map(\.storageCapacity) }
        #expect(capacities.count == 1 && capacities.allSatisfy { $0 <= 4_096 })
    }

    private final class Box: @unchecked Sendable {
        var first: LogicalStream?
        var stream: LogicalStream? {
            didSet { first = first ?? stream }
        }
    }
}
