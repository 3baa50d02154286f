import NIOCore
import OxbowCore
import OxbowMux
import OxbowNIO
import OxbowTesting
import OxbowWire
import Testing

/// A host and a peer that breaks rules, with the words of stream migration at hand. The peer dials, so its streams have
/// odd numbers; the host's identity is the lower one, so the peer's ids are odd.
struct RawScene {
    static let migration: ProtocolID = "/libp2p/stream-migration"

    let world = SimulatedWorld()
    let host: SimulatedHost
    let peer: RawPeer
    let connection: ConnectionDriver

    init(_ configure: (inout SwarmConfiguration) -> Void = { _ in }) throws {
        host = world.makeHost(configure)
        host.serve(echo) { $0.echo() }
        (peer, connection) = try world.connectRaw(FixedKeys.all[1], to: host)
    }

    /// A second connection of the same peer, or of another.
    func connectAgain(_ key: Int = 1) throws -> (peer: RawPeer, connection: ConnectionDriver) {
        try world.connectRaw(FixedKeys.all[key], to: host)
    }

    static func label(_ id: UInt64, _ name: ProtocolID = echo) -> [UInt8] {
        RawPeer.flight([migration]) + StreamMigrationMessage.label(id: id).encodedDelimited() + RawPeer.flight([name])
    }

    static func migrate(_ id: UInt64, from: UInt64) -> [UInt8] {
        RawPeer.flight([migration]) + StreamMigrationMessage.migrate(id: id, from: from).encodedDelimited()
    }

    static let accept: [UInt8] = RawPeer.flight([migration]) + [0x02, 0x1A, 0x00]
    static let deny: [UInt8] = RawPeer.flight([migration]) + [0x04, 0x1A, 0x02, 0x08, 0x01]
    static let taken: [UInt8] = RawPeer.flight([migration]) + RawPeer.flight([echo])

    /// The peer opens a labelled echo stream.
    func open(_ stream: YamuxStreamID, label id: UInt64, _ text: String = "", on peer: RawPeer? = nil) {
        let peer = peer ?? self.peer
        peer.send(Self.label(id) + [UInt8](text.utf8), on: stream, flags: .syn)
        world.run(for: .milliseconds(1))
    }

    /// The host opens a labelled stream, and the peer takes it.
    func hostOpens() throws -> (stream: SimulatedStream, id: YamuxStreamID) {
        let stream = host.open([echo], to: peer.id, on: connection)
        stream.write("")
        world.run(for: .milliseconds(1))
        let id = try #require(peer.frames.last { $0.header.flags.contains(.syn) }).header.streamID
        peer.send(Self.taken, on: id, flags: .ack)
        world.run(for: .milliseconds(1))
        return (stream, id)
    }

    /// The host starts to move a stream; the number of the target on `peer`.
    func hostMigrates(_ stream: SimulatedStream, to connection: ConnectionDriver, of peer: RawPeer) throws
        -> YamuxStreamID
    {
        stream.migrate(host, to: connection)
        world.run(for: .milliseconds(1))
        let id = try #require(peer.frames.last { $0.header.flags.contains(.syn) }).header.streamID
        #expect(peer.payload(on: id).starts(with: RawPeer.flight([Self.migration])))
        return id
    }

    /// That `stream` still carries bytes there and back, on the peer's stream `id`.
    func expectEcho(_ text: String, on id: YamuxStreamID, sourceLocation: SourceLocation = #_sourceLocation) {
        let before = peer.payload(on: id).count
        peer.send([UInt8](text.utf8), on: id)
        world.run(for: .milliseconds(1))
        let back = peer.payload(on: id).dropFirst(before)
        #expect(Array(back) == Array(text.utf8), sourceLocation: sourceLocation)
    }

    func end(sourceLocation: SourceLocation = #_sourceLocation) {
        world.expectNothingLeft(sourceLocation: sourceLocation)
    }
}
