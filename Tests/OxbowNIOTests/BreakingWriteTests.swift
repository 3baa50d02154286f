import NIOCore
import OxbowCore
import OxbowSecurity
import OxbowTesting
import Testing

@testable import OxbowNIO

/// A socket that the peer has reset closes in the middle of the write that finds out, before that write returns.
@Suite struct BreakingWriteTests {
    /// A line that breaks in that way at one of its writes.
    private final class BreakingTransport: ByteTransport, ByteTransportDelegate, @unchecked Sendable {
        private let line: MemoryTransport
        private var writesLeft: Int
        private var delegate: (any ByteTransportDelegate)?
        private(set) var isBroken = false

        init(_ line: MemoryTransport, writes: Int) {
            (self.line, writesLeft) = (line, writes)
        }

        func start(delegate: any ByteTransportDelegate) {
            self.delegate = delegate
            line.start(delegate: self)
        }

        var eventLoop: any EventLoop { line.eventLoop }
        var isWritable: Bool { line.isWritable && !isBroken }

        func write(_ buffer: ByteBuffer) {
            guard !isBroken else { return }
            guard writesLeft == 0, delegate != nil else {
                writesLeft -= 1
                return line.write(buffer)
            }
            isBroken = true
            line.close(discarding: true)
            end(IOError(errnoCode: 104, reason: "write"))
        }

        func setReading(_ isOn: Bool) { line.setReading(isOn) }
        func close(discarding: Bool) { line.close(discarding: discarding) }

        func transport(_ transport: any ByteTransport, received buffer: ByteBuffer) {
            if !isBroken { delegate?.transport(self, received: buffer) }
        }

        func transportBecameWritable(_ transport: any ByteTransport) { delegate?.transportBecameWritable(self) }
        func transportClosed(_ transport: any ByteTransport, error: (any Error)?) { end(error) }

        private func end(_ error: (any Error)?) {
            let delegate = delegate
            self.delegate = nil
            delegate?.transportClosed(self, error: error)
        }
    }

    @Test("A peer that is gone by any of our writes ends the connection, and nothing else", arguments: 1..<8)
    func breaks(atWrite writes: Int) throws {
        for isDialer in [true, false] {
            let world = SimulatedWorld()
            let host = world.makeHost()
            let (end, far) = world.pipe()
            let transport = BreakingTransport(far, writes: writes)
            let path = host.swarm.newPath(isDialer ? .listener : .dialer, local: nil, remote: nil)
            let connection = try #require(
                host.swarm.adopt(transport, path: path, expectedPeer: nil, completion: nil))
            connection.start()
            transport.start(delegate: connection)
            let peer = try RawPeer(
                identity: FixedKeys.all[1], role: isDialer ? .initiator : .responder, transport: end)
            end.start(delegate: peer)
            world.run(for: .seconds(1))
            // What makes the host write once more: it stands, or waits for somebody who isn't there.
            connection.close()
            world.run(for: .seconds(60))
            #expect(transport.isBroken || writes > 3)
            world.expectNothingLeft()
        }
    }
}
