import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowNIO
import OxbowSwarm
import OxbowTesting
import Testing

/// Streams that climb to the best path by themselves, and connections that go when nobody needs them.
@Suite("Where streams live")
struct PathPolicyTests {
    private let world = SimulatedWorld()

    private func makeHosts(_ configure: (inout SwarmConfiguration) -> Void = { _ in }) -> (SimulatedHost, SimulatedHost)
    {
        func make() -> SimulatedHost {
            world.makeHost {
                $0.policy = ConnectionPolicy()
                configure(&$0)
            }
        }
        return (make(), make())
    }

    private func connectRelayed(_ dialer: SimulatedHost, _ listener: SimulatedHost) -> SimulatedLink {
        let link = world.beginConnecting(dialer, listener, delay: .milliseconds(50), isRelayed: true)
        world.run(for: .seconds(1))
        return link
    }

    private func open(_ host: SimulatedHost, _ peer: SimulatedHost, _ link: SimulatedLink) -> SimulatedStream {
        host.open([bulk], to: peer.id, on: link.connection(of: host), isPlaceChosen: false)
    }

    @Test(
        "From a relay to a direct path, whoever dialled it and opened the stream; the relayed one goes",
        arguments: 0..<4)
    func climbs(variant: Int) {
        let (low, high) = makeHosts()
        let (dialer, opener) = (variant & 1 == 0 ? low : high, variant & 2 == 0 ? low : high)
        let other = opener === low ? high : low
        other.serve(bulk) { $0.send(1_000_000, chunk: 10_000, each: .milliseconds(100)) }
        let relayed = connectRelayed(low, high)
        let stream = open(opener, other, relayed)
        stream.send(1_000_000, chunk: 10_000, each: .milliseconds(100))
        world.run(for: .seconds(1))
        let direct = world.beginConnecting(dialer, dialer === low ? high : low, delay: .milliseconds(10))
        let began = world.now
        world.expect { stream.logical.snapshot.path?.isRelayed == false }
        #expect(world.now - began < .milliseconds(600))
        world.expect { !relayed.connection(of: low).isUsable && relayed.isClosed }
        #expect(world.now - began < .seconds(2), "the relay has nothing to carry any more")
        world.expect { stream.end == .clean && other.accepted[0].end == .clean }
        for end in [stream, other.accepted[0]] {
            #expect(end.received.readableBytes == 1_000_000 && Pattern.matches(end.received, from: 0))
            #expect(end.logical.snapshot.migrationCount == 1)
        }
        #expect(direct.connection(of: low).isUsable)
        world.expectNothingLeft()
    }

    @Test("1,000 streams move, sixteen at once, and all is whole")
    func thousand() {
        let (low, high) = makeHosts {
            $0.muxer.maximumInboundStreams = 4_000
            $0.muxer.maximumOutboundStreams = 4_000
            $0.muxer.acceptBacklog = 4_000
            $0.migration.maximumStreams = 4_000
            $0.limits.resources = .unlimited
        }
        var (most, now) = (0, 0)
        high.serve(bulk) { $0.echo() }
        let relayed = connectRelayed(low, high)
        let streams = (0..<1_000).map { _ in open(low, high, relayed) }
        for stream in streams { stream.send(2_000, chunk: 100, each: .milliseconds(500)) }
        world.run(for: .seconds(1))
        let direct = world.beginConnecting(high, low, delay: .milliseconds(10))
        let began = world.now
        world.expect {
            now = low.swarm.census.migrations
            most = max(most, now)
            return !relayed.connection(of: low).isUsable
        }
        #expect(most == 16)
        #expect(world.now - began < .seconds(20))
        world.expect { streams.allSatisfy { $0.end == .clean } }
        for stream in streams {
            #expect(stream.received.readableBytes == 2_000 && Pattern.matches(stream.received, from: 0))
        }
        #expect(direct.connection(of: high).isUsable)
        world.expectNothingLeft()
    }

    @Test("A stream that can't move keeps the worse connection, and new streams go to the better")
    func stays() {
        let (low, high) = makeHosts { $0.isMigrationEnabled = false }
        high.serve(bulk) { $0.echo() }
        let relayed = connectRelayed(low, high)
        let stream = open(low, high, relayed)
        let direct = world.connect(high, low, delay: .milliseconds(10))
        world.run(for: .seconds(60))
        #expect(stream.logical.snapshot.path?.isRelayed == true)
        #expect(low.swarm.peer(high.id)?.usableConnections.first === direct.connection(of: low))
        stream.write("whole")
        stream.closeWrite()
        world.expect { stream.end == .clean }
        #expect(String(buffer: stream.received) == "whole")
        world.expect { !relayed.connection(of: low).isUsable }
        world.expectNothingLeft()
    }

    @Test("A stream that the application has placed is left there, and so is its connection")
    func placed() {
        let low = world.makeHost { $0.policy = ConnectionPolicy() }
        let high = world.makeHost()
        high.serve(bulk) { $0.echo() }
        let direct = world.connect(high, low, delay: .milliseconds(10))
        let second = world.connect(low, high, delay: .milliseconds(10))
        let stream = low.open([bulk], to: high, on: direct.connection(of: low))
        world.run(for: .seconds(60))
        #expect(stream.logical.snapshot.path?.id == direct.connection(of: low).id)
        #expect(direct.connection(of: low).isUsable && second.connection(of: low).isUsable)
        stream.finish()
        world.expect { !direct.connection(of: low).isUsable }
        world.expectNothingLeft()
    }

    @Test("The higher peer steps in when the lower one moves nothing")
    func stepsIn() {
        let low = world.makeHost()
        let high = world.makeHost { $0.policy = ConnectionPolicy() }
        low.serve(bulk) { $0.echo() }
        let relayed = connectRelayed(low, high)
        let stream = open(high, low, relayed)
        stream.send(100_000, chunk: 1_000, each: .milliseconds(200))
        world.run(for: .seconds(1))
        _ = world.beginConnecting(low, high, delay: .milliseconds(10))
        world.run(for: .seconds(2))
        #expect(stream.logical.snapshot.path?.isRelayed == true)
        world.run(for: .seconds(2))
        #expect(stream.logical.snapshot.path?.isRelayed == false)
        world.expect { stream.end == .clean }
        #expect(stream.received.readableBytes == 100_000 && Pattern.matches(stream.received, from: 0))
        world.expectNothingLeft()
    }

    @Test("A stream that is being opened when the peer gives the connection up opens on the other one")
    func late() {
        let (low, high) = makeHosts()
        low.serve(bulk) { $0.echo() }
        high.serve(bulk) { $0.echo() }
        let relayed = connectRelayed(low, high)
        _ = world.beginConnecting(high, low, delay: .milliseconds(10))
        // In each moment of the retirement one more stream begins on the relayed connection.
        var streams: [SimulatedStream] = []
        for _ in 0..<400 where !relayed.isClosed {
            world.run(for: .milliseconds(5))
            streams += [open(high, low, relayed), open(low, high, relayed)]
            for stream in streams.suffix(2) {
                stream.write("whole")
                stream.closeWrite()
            }
        }
        #expect(streams.count > 20)
        world.expect { streams.allSatisfy { $0.end != nil } }
        for stream in streams {
            #expect(stream.end == .clean && String(buffer: stream.received) == "whole")
        }
        world.expectNothingLeft()
    }

    @Test("A stream whose SYN waits for the socket when the peer's GoAway comes opens on the other connection")
    func unheard() throws {
        let scene = try RawScene()
        let (other, _) = try scene.connectAgain()
        let bulk = scene.host.open([echo], to: scene.peer.id, on: scene.connection, isMigratable: false)
        scene.peer.setReading(false)
        bulk.send(200_000, chunk: 50_000, each: .milliseconds(1))
        scene.world.run(for: .milliseconds(10))
        let stream = scene.host.open([echo], to: scene.peer.id, on: scene.connection, isPlaceChosen: false)
        stream.write("whole")
        scene.world.run(for: .milliseconds(1))
        #expect(other.frames.isEmpty)
        scene.peer.send(RawPeer.Frame(YamuxFrameHeader(type: .goAway, streamID: .session, length: 0)))
        scene.world.run(for: .milliseconds(1))
        let id = try #require(other.frames.last { $0.header.flags.contains(.syn) }).header.streamID
        #expect(other.payload(on: id).suffix(5) == Array("whole".utf8)[...])
        #expect(stream.end == nil)
        other.send(RawScene.taken + Array("back".utf8), on: id, flags: .ack)
        scene.world.run(for: .milliseconds(1))
        #expect(String(buffer: stream.received) == "back")
        scene.end()
    }

    @Test("A path that answers very slowly is left for a worse one before it dies, and both sides agree")
    func degrades() {
        let (low, high) = makeHosts { $0.policy.prunes = false }
        high.serve(bulk) { $0.echo() }
        let there = LineConditions(delay: .milliseconds(10))
        let direct = world.beginConnecting(low, high, there: there, back: there)
        world.run(for: .seconds(1))
        let relayed = connectRelayed(low, high)
        let stream = open(low, high, direct)
        stream.send(1_000_000, chunk: 1_000, each: .milliseconds(50))
        world.run(for: .seconds(5))
        #expect(stream.logical.snapshot.path?.isRelayed == false)
        for (index, line) in direct.lines.enumerated() {
            line.change(to: LineConditions(delay: .milliseconds(1_500)), seed: UInt64(index))
        }
        world.expect { stream.logical.snapshot.path?.isRelayed == true }
        // The hand-off takes two of the slow ways.
        world.run(for: .seconds(5))
        direct.cut()
        world.expect { stream.end == .clean }
        #expect(stream.received.readableBytes == 1_000_000 && Pattern.matches(stream.received, from: 0))
        #expect(relayed.connection(of: low).isUsable)
        world.expectNothingLeft()
    }

    @Test("A peer can't pull a stream back to a relay while the direct path works (a downgrade)")
    func downgrade() {
        let low = world.makeHost()
        let high = world.makeHost {
            $0.policy = ConnectionPolicy()
            $0.policy.prunes = false
        }
        high.serve(bulk) { $0.echo() }
        let direct = world.connect(low, high, delay: .milliseconds(10))
        let relayed = world.beginConnecting(low, high, delay: .milliseconds(50), isRelayed: true)
        world.run(for: .milliseconds(450))
        let stream = low.open(bulk, to: high, on: direct)
        world.run(for: .milliseconds(100))
        stream.migrate(low, to: relayed)
        world.expect { stream.migrations.count == 1 }
        guard case .failure(let error as MigrationAttemptError)? = stream.migrations.first else {
            Issue.record("the move was not denied: \(stream.migrations)")
            return
        }
        #expect(error.outcome == .denied)
        stream.write("whole")
        stream.closeWrite()
        world.expect { stream.end == .clean }
        #expect(String(buffer: stream.received) == "whole")
        world.expectNothingLeft()
    }
}
