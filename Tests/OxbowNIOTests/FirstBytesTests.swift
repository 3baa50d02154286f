import NIOCore
import OxbowCore
import OxbowMux
import OxbowNIO
import OxbowTesting
import Testing

@Suite struct FirstBytesTests {
    @Test("What a handler on the loop writes at once is one frame with the answer to the stream's negotiation")
    func oneFrame() throws {
        let scene = try RawScene()
        let prompt: ProtocolID = "/prompt/1.0.0"
        scene.host.swarm.setHandler(prompt) { stream, connection in
            // As a task does that was started on the loop.
            connection.eventLoop.execute { _ = stream.tryWrite(ByteBuffer(string: "here")) }
        }
        let id = YamuxStreamID(rawValue: 1)
        scene.peer.send(RawPeer.flight([prompt]), on: id, flags: .syn)
        scene.world.run(for: .milliseconds(1))
        let frames = scene.peer.frames.filter { $0.header.type == .data && $0.header.streamID == id }
        #expect(frames.map(\.payload) == [RawPeer.flight([prompt]) + [UInt8]("here".utf8)])
        scene.peer.reset(id)
        scene.world.run(for: .milliseconds(1))
        scene.end()
    }

    @Test("A handler that writes nothing doesn't hold the answer back")
    func answerAlone() throws {
        let scene = try RawScene()
        let silent: ProtocolID = "/silent/1.0.0"
        scene.host.swarm.setHandler(silent) { _, _ in }
        let id = YamuxStreamID(rawValue: 1)
        scene.peer.send(RawPeer.flight([silent]), on: id, flags: .syn)
        scene.world.run(for: .milliseconds(1))
        #expect(scene.peer.payload(on: id) == RawPeer.flight([silent]))
        scene.peer.reset(id)
        scene.world.run(for: .milliseconds(1))
        scene.end()
    }
}
