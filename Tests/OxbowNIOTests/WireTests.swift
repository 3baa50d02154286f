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
        peer.onFrame = { frame in
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

    @Test("A label costs its flight and nothing per byte: a megabyte has the same frames but for it (P12)")
    func nothingPerByte() throws {
        func sum(isMigratable: Bool) throws -> (payload: Int, count: Int, label: UInt64?) {
            let (frames, label) = try frames(of: [Self.migration], isMigratable: isMigratable) { stream, _ in
                stream.send(1 << 20, chunk: 10_000, each: .milliseconds(1))
            }
            return (frames.reduce(0) { $0 + $1.payload.count }, frames.count, label)
        }
        let (plain, labelled) = (try sum(isMigratable: false), try sum(isMigratable: true))
        let id = try #require(labelled.label)
        let flight = RawPeer.flight([Self.migration]) + StreamMigrationMessage.label(id: id).encodedDelimited()
        #expect(plain.payload == RawPeer.flight([echo]).count + 1 << 20)
        #expect(labelled.payload == plain.payload + flight.count)
        #expect(labelled.count == plain.count)
    }
}
