import Foundation
import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowTesting
import Testing

@testable import OxbowNIO

/// What a stream remembers of its life, and how that is drawn.
@Suite struct StreamTraceTests {
    /// Two hosts whose streams are traced, and a stream on the first of two links.
    private struct Scene {
        let world = SimulatedWorld()
        let left: SimulatedHost
        let right: SimulatedHost
        let links: [SimulatedLink]
        let near: SimulatedStream
        let far: SimulatedStream

        init(events: Int = 64) throws {
            left = world.makeHost { $0.stream.traceEvents = events }
            right = world.makeHost { $0.stream.traceEvents = events }
            right.serve(bulk)
            links = [10, 25].map { [world, left, right] in world.connect(left, right, delay: .milliseconds($0)) }
            near = left.open(bulk, to: right, on: links[0])
            near.write("hello")
            world.expect { [right] in right.accepted.count == 1 }
            far = try #require(right.accepted.first)
            world.run(for: .seconds(1))
        }

        func move(to number: Int) {
            near.migrate(left, to: links[number])
            let count = near.migrations.count + 1
            world.expect { near.migrations.count == count }
        }

        func end() {
            near.closeWrite()
            far.closeWrite()
            world.expect { near.end == .clean && far.end == .clean }
        }
    }

    private func lines(_ trace: StreamTrace, from start: Duration) -> [String] {
        trace.events.filter { $0.nanoseconds >= start.saturatingNanoseconds }.map { event in
            let time = (event.nanoseconds - start.saturatingNanoseconds) / 1_000_000
            return "\(time) \(event.kind.rawValue) \(event.leg.map(String.init) ?? "-") \(event.read)/\(event.written)"
        }
    }

    @Test("A migration and the end of its stream, event by event, on both sides")
    func events() throws {
        let scene = try Scene()
        let start = scene.world.now
        scene.near.migrate(scene.left, to: scene.links[1])
        scene.world.run(for: .milliseconds(100))
        scene.near.write("more")
        scene.near.closeWrite()
        scene.world.run(for: .milliseconds(100))
        scene.far.closeWrite()
        scene.world.run(for: .milliseconds(100))
        let (near, far) = (try #require(scene.near.logical.trace), try #require(scene.far.logical.trace))
        #expect(
            lines(near, from: start) == [
                "0 migrateSent 1 0/0", "50 accepted 1 0/0", "50 writingMoved 1 0/0", "50 finFramed 0 0/5",
                "70 finRead 0 0/5", "70 readingMoved 1 0/0", "70 completed 1 0/0", "100 writeClosed 1 0/0",
                "100 finFramed 1 0/4", "225 finRead 1 0/4", "225 endReached 1 0/4", "225 finished 1 0/4",
            ])
        #expect(
            lines(far, from: start) == [
                "25 migrateReceived 1 0/0", "25 accepted 1 0/0", "60 finRead 0 5/0", "60 writingMoved 1 0/0",
                "60 readingMoved 1 0/0", "60 finFramed 0 5/0", "60 completed 1 0/0", "125 finRead 1 4/0",
                "125 endReached 1 4/0", "200 writeClosed 1 4/0", "200 finFramed 1 4/0", "200 finished 1 4/0",
            ])
        #expect(near.events.first?.kind == .opened && near.events.contains { $0.kind == .answered && $0.leg == 0 })
        #expect(near.events.first?.id == far.events.first?.id, "both sides' traces have the label in common")
        #expect(near.paths.map(\.leg) == [0, 1] && near.paths.allSatisfy { $0.security == "/noise" })
        #expect(near.isOutbound && !far.isOutbound && near.peer == scene.right.id.description)
        scene.world.expectNothingLeft()
    }

    @Test("What goes wrong stands there too, with its reason")
    func misfortunes() throws {
        let raw = try RawScene { $0.stream.traceEvents = 64 }
        let (second, connection) = try raw.connectAgain()
        let (stream, source) = try raw.hostOpens()
        let target = try raw.hostMigrates(stream, to: connection, of: second)
        second.reset(target)
        raw.world.run(for: MigrationConfiguration().retryDelay)
        let other = try raw.hostMigrates(stream, to: connection, of: second)
        second.send(RawScene.deny, on: other, flags: .ack)
        raw.world.run(for: .milliseconds(1))
        raw.peer.reset(source)
        raw.world.run(for: .milliseconds(1))
        let events = try #require(stream.logical.trace).events
        #expect(
            events.map(\.kind) == [
                .opened, .answered, .migrateSent, .lost, .attemptFailed, .migrateSent, .denied, .lost, .failed,
            ])
        #expect(events.last?.note == StreamError.resetByPeer(code: 0).description)
        raw.end()
    }

    @Test("The newest events are kept, and what held before them", arguments: [1, 5, 20])
    func bounded(_ limit: Int) throws {
        let scene = try Scene(events: limit)
        for number in 1...8 { scene.move(to: number % 2) }
        let trace = try #require(scene.near.logical.trace)
        #expect(trace.events.count == limit)
        // opened, answered, then seven for each of eight moves.
        #expect(trace.droppedEvents == 2 + 8 * 7 - limit)
        #expect(trace.events.last?.kind == .completed)
        #expect(trace.paths.count <= limit + 2)
        #expect(trace.readingBefore != nil && trace.writingBefore != nil)
        #expect(trace.timeline().contains("\(trace.droppedEvents) earlier events dropped"))
        scene.end()
        scene.world.expectNothingLeft()
    }

    @Test("Nothing is kept unless it is asked for")
    func off() throws {
        let scene = try Scene(events: 0)
        scene.move(to: 1)
        #expect(scene.near.logical.trace == nil)
        scene.end()
        scene.world.expectNothingLeft()
    }

    @Test func survivesJSON() throws {
        let scene = try Scene()
        scene.move(to: 1)
        let trace = try #require(scene.near.logical.trace)
        let back = try JSONDecoder().decode(StreamTrace.self, from: JSONEncoder().encode(trace))
        #expect(back == trace)
        scene.end()
        scene.world.expectNothingLeft()
    }

    // MARK: The drawing

    private func trace(_ events: [(Int64, StreamTrace.Kind, Int)]) -> StreamTrace {
        StreamTrace(
            stream: 7, peer: "P", protocolID: "/x", isOutbound: true, droppedEvents: 0, readingBefore: nil,
            writingBefore: nil,
            paths: [0, 1].map {
                StreamTrace.Path(
                    leg: $0, connection: UInt64(3 + $0), address: nil, security: "/noise", isRelayed: false)
            },
            events: events.map { time, kind, leg in
                StreamTrace.Event(
                    nanoseconds: time * 1_000_000, kind: kind, leg: leg, id: kind == .opened ? 12 : nil, read: 0,
                    written: UInt64(leg), note: nil)
            })
    }

    @Test("Rows are legs, columns are time; each direction is drawn where it is")
    func timeline() throws {
        let trace = trace([
            (1_000, .opened, 0), (1_005, .migrateSent, 1), (1_010, .writingMoved, 1), (1_015, .readingMoved, 1),
            (1_015, .completed, 1), (1_020, .finished, 1),
        ])
        let lines = trace.timeline(width: 20).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines[0] == "stream 7 to P, /x, label 12")
        #expect(lines[1] == "leg 0  #3       o=========<<<<<      /noise  read 0, written 0")
        #expect(lines[2] == "leg 1  #4            M....w>>>>r===# /noise  read 0, written 1")
        #expect(lines[3] == "                0 ms       20.000 ms")
        #expect(lines.contains("        10.000 ms  leg 1   writing moves here            read 0, written 1"))
        #expect(lines.contains("         0.000 ms  leg 0   opened 12                     read 0, written 0"))
    }

    @Test("Both sides of a stream on one axis, their events merged in time")
    func merged() {
        let (a, b) = (trace([(1_000, .opened, 0), (1_009, .finished, 0)]), trace([(1_004, .opened, 0)]))
        let text = StreamTrace.timeline(of: [a, b], width: 20)
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines[0].hasPrefix("A: stream 7") && lines[3].hasPrefix("B: stream 7"))
        #expect(lines.suffix(3).map { $0.dropFirst(19).prefix(1) } == ["A", "B", "A"])
    }

    @Test("Times from a file can be anything: the drawing is total")
    func anyTimes() {
        #expect(trace([]).timeline() == "nothing happened yet\n")
        let text = trace([(0, .opened, 0)]).timeline(width: -5)
        #expect(text.contains("leg 0"))
        var wild = trace([(0, .opened, 0), (0, .finished, 5)])
        wild.events[0].nanoseconds = .min
        wild.events[1].nanoseconds = .max
        wild.protocolID = "/a\u{1B}[2J"
        #expect(!wild.timeline().contains("\u{1B}"))
    }
}
