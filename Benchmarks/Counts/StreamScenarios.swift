import NIOCore
import OxbowCore
import OxbowMigration
import OxbowNIO
import OxbowTesting

/// Whole hosts in one process: connections, streams and migrations, with what the drivers add to the machines.
enum StreamScenarios {
    static let all = [
        Scenario(name: "transfer.noise.labelled.4MiB", unit: "frame", count: 64) { try transfer($0) },
        Scenario(name: "transfer.noise.labelled.40MiB", unit: "frame", count: 640) { try transfer($0) },
        Scenario(name: "transfer.noise.unlabelled.4MiB", unit: "frame", count: 64) {
            try transfer($0, isLabelled: false)
        },
        Scenario(name: "transfer.tls.labelled.4MiB", unit: "frame", count: 64) {
            try transfer($0, security: "/tls/1.0.0")
        },
        Scenario(name: "echo.32", unit: "round trip", count: 200, prepare: echoes),
        Scenario(name: "streams.labelled.100", unit: "stream", count: 100) { try streams($0) },
        Scenario(name: "streams.labelled.1000", unit: "stream", count: 1_000) { try streams($0) },
        Scenario(name: "streams.unlabelled.100", unit: "stream", count: 100) { try streams($0, isLabelled: false) },
        Scenario(name: "streams.one-by-one", unit: "stream", count: 100, prepare: oneByOne),
        Scenario(name: "moves.100", unit: "migration", count: 100) { try moves($0) },
        Scenario(name: "moves.1000", unit: "migration", count: 1_000) { try moves($0) },
        Scenario(name: "moves.at-once.500", unit: "migration", count: 500) { try moves($0, atOnce: 500) },
        Scenario(name: "connections.noise", unit: "connection", count: 20) { try connections($0, "/noise") },
        Scenario(name: "connections.tls", unit: "connection", count: 20) { try connections($0, "/tls/1.0.0") },
    ]

    /// The payload of a full frame, in bytes.
    private static let frame = 65_396

    /// One stream carries `count` frames, written in blocks of 64 KiB.
    private static func transfer(
        _ count: Int, security: ProtocolID = "/noise", isLabelled: Bool = true
    ) throws -> () -> Void {
        let world = try CountedWorld(security: security)
        let stream = world.open(isMigratable: isLabelled)
        let block = ByteBuffer(repeating: 0x5a, count: 64 * 1_024)
        func send(_ total: Int) {
            var left = total
            while left > 0 {
                let piece = left >= block.readableBytes ? block : ByteBuffer(repeating: 0x5a, count: left)
                if stream.write(piece) { left -= piece.readableBytes } else { world.run() }
            }
            world.run()
        }
        send(4 << 20)
        guard let receiver = world.accepted.first else { throw ScenarioFailure("no stream has arrived") }
        guard (stream.logical.snapshot.id != nil) == isLabelled else {
            throw ScenarioFailure("the stream has \(isLabelled ? "no" : "a") label")
        }
        return {
            let before = receiver.received
            send(count * frame)
            require(receiver.received - before == count * frame, "all bytes have arrived")
        }
    }

    /// 32 bytes there and back on an open stream.
    private static func echoes(_ count: Int) throws -> () -> Void {
        let world = try CountedWorld(isEchoing: true)
        let stream = world.open()
        let message = ByteBuffer(repeating: 1, count: 32)
        func run(_ count: Int) {
            for _ in 0..<count {
                require(stream.write(message), "a message has room")
                world.run()
            }
        }
        run(10)
        return {
            let before = stream.received
            run(count)
            require(stream.received - before == count * 32, "all echoes came")
        }
    }

    /// `count` streams that are all open at once, each with an echo of 32 bytes, then all ended.
    private static func streams(_ count: Int, isLabelled: Bool = true) throws -> () -> Void {
        let world = try CountedWorld(isEchoing: true)
        world.keepsAccepted = false
        func run(_ count: Int) {
            var open: [CountedStream] = []
            // As many as may be unacknowledged.
            for _ in 0..<count {
                let stream = world.open(isMigratable: isLabelled)
                require(stream.write(ByteBuffer(repeating: 1, count: 32)), "a message has room")
                open.append(stream)
                if open.count.isMultiple(of: 100) { world.run() }
            }
            world.run()
            require(open.allSatisfy { $0.received == 32 }, "each stream has its echo")
            for stream in open { stream.logical.closeWrite() }
            world.run()
            require(open.allSatisfy(\.isOver), "each stream has ended")
        }
        run(20)
        return { run(count) }
    }

    /// A stream is opened, echoes 32 bytes and ends, before the next one.
    private static func oneByOne(_ count: Int) throws -> () -> Void {
        let world = try CountedWorld(isEchoing: true)
        world.keepsAccepted = false
        func run(_ count: Int) {
            for _ in 0..<count {
                let stream = world.open()
                require(stream.write(ByteBuffer(repeating: 1, count: 32)), "a message has room")
                stream.logical.closeWrite()
                world.run()
                require(stream.received == 32 && stream.isOver, "the stream has echoed and ended")
            }
        }
        run(10)
        return { run(count) }
    }

    /// `count` open streams move to another connection; by default as many at once as a host's own default allows.
    private static func moves(
        _ count: Int, atOnce: Int = MigrationConfiguration().maximumConcurrent
    ) throws -> () -> Void {
        let world = try CountedWorld(isEchoing: true)
        try world.connect()
        var streams: [CountedStream] = []
        for _ in 0..<count {
            let stream = world.open()
            require(stream.write(ByteBuffer(repeating: 1, count: 32)), "a message has room")
            world.run()
            streams.append(stream)
        }
        let moved = Tally()
        func move(to link: SimulatedLink) {
            let connection = link.connection(of: world.dialer)
            for (index, stream) in streams.enumerated() {
                world.dialer.swarm.migrate(stream.logical, to: connection) { result in
                    if case .success = result { moved.count += 1 }
                }
                if (index + 1).isMultiple(of: atOnce) { world.run() }
            }
            world.run()
        }
        move(to: world.links[1])
        require(moved.count == count, "all streams have moved: \(moved.count)")
        return {
            moved.count = 0
            move(to: world.links[0])
            require(moved.count == count, "all streams have moved again: \(moved.count)")
        }
    }

    /// Only touched on the world's thread.
    private final class Tally: @unchecked Sendable {
        var count = 0
    }

    /// A connection is dialled, authenticated, told about by identify, and closed.
    private static func connections(_ count: Int, _ security: ProtocolID) throws -> () -> Void {
        let world = try CountedWorld(security: security)
        func run(_ count: Int) {
            for _ in 0..<count {
                let link = world.world.connect(world.dialer, world.listener)
                guard case .success? = link.result else { return require(false, "the hosts connect") }
                link.connection(of: world.dialer).close()
                world.run()
                require(link.isClosed, "the connection is closed")
            }
        }
        run(3)
        return { run(count) }
    }
}
