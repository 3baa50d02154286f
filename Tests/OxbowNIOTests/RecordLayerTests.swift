import NIOCore
import OxbowCore
import OxbowSecurity
import OxbowSeeds
import OxbowTesting
import OxbowUpgrade
import Testing

@testable import OxbowNIO

@Suite("The record layer")
struct RecordLayerTests {
    /// Two ends of one channel. A class because `#expect` can't look into what isn't copyable.
    final class Pair {
        var sender: RecordLayer
        var receiver: RecordLayer

        init(_ security: ProtocolID) throws {
            var client = try ConnectionUpgrade(
                role: .initiator, configuration: Self.configuration(0, security), unixTime: 1_795_219_200)
            var server = try ConnectionUpgrade(
                role: .responder, configuration: Self.configuration(1, security), unixTime: 1_795_219_200)
            var (toServer, toClient) = (client.start()[...], server.start()[...])
            while !toServer.isEmpty || !toClient.isEmpty {
                toClient += try Self.answer(&server, &toServer)
                toServer += try Self.answer(&client, &toClient)
            }
            sender = RecordLayer(client.takeTransport())
            receiver = RecordLayer(server.takeTransport())
        }

        private static func configuration(_ key: Int, _ security: ProtocolID) throws -> UpgradeConfiguration {
            try UpgradeConfiguration(identity: FixedKeys.all[key], securityProtocols: [security])
        }

        private static func answer(_ end: inout ConnectionUpgrade, _ input: inout ArraySlice<UInt8>) throws -> [UInt8] {
            guard !input.isEmpty else { return [] }
            switch try end.receive(&input) {
            case .needMore(let send): return send
            case .finished(let send, _, _): return send
            }
        }

        func seal(_ plaintext: ByteBuffer) throws -> ByteBuffer {
            var plaintext = plaintext
            var sealed = ByteBuffer()
            while plaintext.readableBytes > 0 {
                var record = sender.newRecord()
                if var piece = plaintext.readSlice(length: min(record.room, plaintext.readableBytes)) {
                    record.append(&piece)
                }
                sealed.writeImmutableBuffer(try sender.seal(&record))
            }
            return sealed
        }

        /// What a read of the socket brings.
        func open(_ read: ByteBuffer) throws -> [ByteBuffer] {
            var (read, pieces) = (read, [ByteBuffer]())
            while let plaintext = try receiver.open(&read) { pieces.append(plaintext) }
            #expect(read.readableBytes == 0, "what isn't complete is kept inside")
            return pieces
        }
    }

    @Test(
        "opens what was sealed, however the socket splits it, and while pieces are held",
        arguments: [UpgradeConfiguration.noise, UpgradeConfiguration.tls], [1, 100, 5_000, 65_426, 131_072])
    func splits(security: ProtocolID, read size: Int) throws {
        let pair = try Pair(security)
        let plaintext = ByteBuffer(
            bytes: (0..<(size == 1 ? 70_000 : 400_000)).map { UInt8(truncatingIfNeeded: $0 / 7) })
        var sealed = try pair.seal(plaintext)
        var held: [ByteBuffer] = []
        while let read = sealed.readSlice(length: min(size, sealed.readableBytes)), read.readableBytes > 0 {
            held += try pair.open(read)
        }
        // Each piece is held to the end: none of them may have been written over.
        #expect(ByteBuffer(bytes: held.flatMap(\.readableBytesView)) == plaintext)
    }

    @Test("small and large records take turns", arguments: [UpgradeConfiguration.noise, UpgradeConfiguration.tls])
    func sizes(security: ProtocolID) throws {
        let pair = try Pair(security)
        var generator = SplitMix64(seed: 7)
        var held: [(sent: ByteBuffer, read: [ByteBuffer])] = []
        for index in 0..<60 {
            let count = Int.random(in: 1...(index % 3 == 0 ? 130_000 : 40), using: &generator)
            let sent = ByteBuffer(repeating: UInt8(index), count: count)
            held.append((sent, try pair.open(try pair.seal(sent))))
            // Some are let go, and their memory comes again.
            if index % 5 == 4 { held.removeFirst(3) }
        }
        for (sent, read) in held { #expect(ByteBuffer(bytes: read.flatMap(\.readableBytesView)) == sent) }
    }

    @Test("a length without bytes takes no memory")
    func promise() throws {
        let pair = try Pair(UpgradeConfiguration.noise)
        #expect(try pair.open(ByteBuffer(bytes: [0xff])).isEmpty)
        #expect(try pair.open(ByteBuffer(bytes: [0xff, 1, 2, 3])).isEmpty)
        let capacity = pair.receiver.partialCapacity
        #expect(capacity <= 1_024)
    }
}

@Suite("Buffers of records")
struct RecordBuffersTests {
    private func address(_ buffer: inout ByteBuffer) -> UnsafeRawPointer? {
        buffer.withVeryUnsafeMutableBytes { UnsafeRawPointer($0.baseAddress) }
    }

    @Test("come again only when no piece of them is held")
    func held() {
        let buffers = RecordBuffers()
        var first = buffers.take(40_000)
        first.writeRepeatingByte(1, count: 40_000)
        let place = address(&first)
        var piece = first.getSlice(at: 0, length: 100)
        buffers.keep(first)
        first = ByteBuffer()

        var second = buffers.take(40_000)
        #expect(second.readableBytes == 0 && address(&second) != place)
        second.writeRepeatingByte(2, count: 40_000)
        #expect(piece.map { $0.readableBytesView.allSatisfy { $0 == 1 } } == true)
        piece = nil
        var third = buffers.take(40_000)
        #expect(third.readableBytes == 0 && address(&third) == place)
    }

    @Test("are kept only in their size, and a few of them")
    func bounds() {
        let buffers = RecordBuffers()
        let large = buffers.take(RecordBuffers.capacity + 1)
        #expect(large.capacity > RecordBuffers.capacity)
        buffers.keep(large)
        #expect(buffers.take(100).storageCapacity < 1_024)
        buffers.keep(buffers.take(100))
        #expect(buffers.count == 0)
        let many = (0..<20).map { _ in buffers.take(RecordBuffers.capacity) }
        for buffer in many { buffers.keep(buffer) }
        #expect(buffers.count == RecordBuffers.limit)
    }
}
