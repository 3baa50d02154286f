import NIOCore
import OxbowCore
import OxbowMux
import OxbowNIO
import OxbowTesting
import OxbowWire
import Testing

/// What a stream looks like to a peer that reads every frame of it.
@Suite struct WireTests {
    static let migration: ProtocolID = "/libp2p/stream-migration"

    /// A host with a raw peer that says it supports `protocols`, and a stream of the host's to it.
    private func frames(
        of protocols: [ProtocolID], configure: (inout SwarmConfiguration) -> Void = { _ in },
        isMigratable: Bool = true, use: (SimulatedStream, SimulatedWorld) -> Void
    ) throws -> (frames: [RawPeer.Frame], label: UInt64?) {
        let world = SimulatedWorld()
        let host = world.makeHost(configure)
        let (peer, connection) = try world.connectRaw(
            FixedKeys.all[1], to: host, identifies: protocols, delay: .milliseconds(1))
        let stream = host.open([echo], to: peer.id, on: connection, isMigratable: isMigratable)
        let label = stream.logical.snapshot.id
        peer.onFrame = { [unowned peer] frame in
            // Room for everything, and the answer.
            guard frame.header.flags.contains(.syn) else { return }
            let id = frame.header.streamID
            peer.send(.init(YamuxFrameHeader(type: .windowUpdate, flags: .ack, streamID: id, length: 8 << 20)))
            let names = label == nil ? [echo] : [Self.migration, echo]
            peer.send(names.flatMap { RawPeer.flight([$0]) }, on: id)
        }
        use(stream, world)
        world.run(for: .seconds(1))
        let frames = peer.frames
        stream.reset()
        world.expectNothingLeft()
        return (frames, label)
    }

    private func hello(_ stream: SimulatedStream, _ world: SimulatedWorld) {
        stream.write("hello")
        stream.closeWrite()
    }

    /// The first frame of each stream of the host's: SYN, and no window beyond the first.
    private let opening = RawPeer.Frame(YamuxFrameHeader(type: .windowUpdate, flags: .syn, streamID: 4, length: 0))

    private func data(_ id: YamuxStreamID, _ flags: YamuxFlags, _ bytes: [UInt8]) -> RawPeer.Frame {
        .init(YamuxFrameHeader(type: .data, flags: flags, streamID: id, length: UInt32(bytes.count)), bytes)
    }

    @Test("To a peer without stream migration a stream is a plain one, byte for byte (SM-L1, P12)")
    func plainToOthers() throws {
        let (frames, label) = try frames(of: ["/other/1.0.0"], use: hello)
        #expect(label == nil)
        let expected = RawPeer.flight([echo]) + [UInt8]("hello".utf8)
        #expect(frames == [opening, data(4, .fin, expected)])
    }

    @Test("Without stream migration here a stream is a plain one, whatever the peer offers")
    func plainFromOthers() throws {
        let (frames, label) = try frames(of: [Self.migration], configure: { $0.isMigrationEnabled = false }, use: hello)
        #expect(label == nil)
        #expect(frames == [opening, data(4, .fin, RawPeer.flight([echo]) + [UInt8]("hello".utf8))])
    }

    @Test("A stream or a protocol that opted out is a plain one (SM-L5)", arguments: [true, false])
    func optedOut(isProtocol: Bool) throws {
        let (frames, label) = try frames(
            of: [Self.migration], configure: { if isProtocol { $0.unmigratableProtocols = [echo] } },
            isMigratable: isProtocol, use: hello)
        #expect(label == nil)
        #expect(frames == [opening, data(4, .fin, RawPeer.flight([echo]) + [UInt8]("hello".utf8))])
    }

    @Test("A push of identify is never labelled (SM-L5)")
    func identifyPush() throws {
        let world = SimulatedWorld()
        let host = world.makeHost()
        let push: ProtocolID = "/ipfs/id/push/1.0.0"
        let (peer, _) = try world.connectRaw(
            FixedKeys.all[1], to: host, identifies: [Self.migration, push], delay: .milliseconds(1))
        host.swarm.pushIdentify()
        world.run(for: .seconds(1))
        let flight = RawPeer.flight([push])
        #expect(peer.payload(on: 4).prefix(flight.count) == flight[...])
    }

    @Test("A labelled stream has the plain stream's frames with the label's flight in front (P12)")
    func labelled() throws {
        let (frames, label) = try frames(of: [Self.migration], use: hello)
        let id = try #require(label)
        let flight = RawPeer.flight([Self.migration]) + StreamMigrationMessage.label(id: id).encodedDelimited()
        #expect(frames == [opening, data(4, .fin, flight + RawPeer.flight([echo]) + [UInt8]("hello".utf8))])
    }

    /// How many bytes the tests of whole streams send, in pieces of a prime number of bytes.
    private let size = 1 << 20
    private let piece = 9_973

    private func payload(_ frames: [RawPeer.Frame]) -> [UInt8] { frames.flatMap(\.payload) }

    /// That `labelled` is `plain` frame by frame and byte by byte, but for `flight` in front of the first data.
    private func expect(
        _ labelled: [RawPeer.Frame], toBe plain: [RawPeer.Frame], behind flight: [UInt8],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var expected = plain
        let index = try #require(plain.firstIndex { !$0.payload.isEmpty })
        expected[index].payload = flight + plain[index].payload
        expected[index].header.length += UInt32(flight.count)
        #expect(labelled.count == expected.count, sourceLocation: sourceLocation)
        for (number, pair) in zip(labelled, expected).enumerated() where pair.0 != pair.1 {
            Issue.record("frame \(number) differs: \(pair.0.header)", sourceLocation: sourceLocation)
        }
    }

    @Test("Who opens: a labelled megabyte is the plain one's frames, each byte of them, behind the label (P12)")
    func openersFrames() throws {
        func send(isMigratable: Bool) throws -> (frames: [RawPeer.Frame], label: UInt64?) {
            try frames(of: [Self.migration], isMigratable: isMigratable) { [size, piece] stream, _ in
                stream.send(size, chunk: piece, each: .milliseconds(1))
            }
        }
        let (plain, labelled) = (try send(isMigratable: false), try send(isMigratable: true))
        let id = try #require(labelled.label)
        #expect(plain.label == nil)
        let name = RawPeer.flight([echo])
        #expect(payload(plain.frames) == name + Pattern.bytes(from: 0, count: size).readableBytesView)
        let flight = RawPeer.flight([Self.migration]) + StreamMigrationMessage.label(id: id).encodedDelimited()
        try expect(labelled.frames, toBe: plain.frames, behind: flight)
    }

    @Test("Who accepts: a labelled megabyte back is the plain one's frames, each byte, behind the name (P12)")
    func acceptorsFrames() throws {
        func receive(_ opening: [UInt8]) throws -> [RawPeer.Frame] {
            let scene = try RawScene()
            scene.host.serve(bulk) { [size, piece] in $0.send(size, chunk: piece, each: .milliseconds(1)) }
            scene.peer.send(
                .init(YamuxFrameHeader(type: .data, flags: .syn, streamID: 1, length: UInt32(opening.count)), opening),
                .init(YamuxFrameHeader(type: .windowUpdate, flags: [], streamID: 1, length: 8 << 20)),
                .init(YamuxFrameHeader(type: .data, flags: .fin, streamID: 1, length: 0)))
            scene.world.run(for: .seconds(1))
            let frames = scene.peer.frames.filter { $0.header.streamID == 1 }
            scene.end()
            return frames
        }
        let plain = try receive(RawPeer.flight([bulk]))
        let labelled = try receive(RawScene.label(7, bulk))
        #expect(payload(plain) == RawPeer.flight([bulk]) + Pattern.bytes(from: 0, count: size).readableBytesView)
        try expect(labelled, toBe: plain, behind: RawPeer.flight([Self.migration]))
    }
}
