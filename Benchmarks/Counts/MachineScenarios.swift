import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowSecurity

/// Machines by themselves: what a frame, a record and a label cost without sockets, buffers and streams.
enum MachineScenarios {
    static let all = [
        Scenario(name: "yamux.header", unit: "header", count: 10_000, prepare: headers),
        Scenario(name: "yamux.frame", unit: "frame", count: 10_000, prepare: frames),
        Scenario(name: "noise.seal.65408", unit: "record", count: 100) { try seal($0, 65_408) },
        Scenario(name: "noise.open.65408", unit: "record", count: 100) { try open($0, 65_408) },
        Scenario(name: "noise.seal.64", unit: "record", count: 1_000) { try seal($0, 64) },
        Scenario(name: "noise.open.64", unit: "record", count: 1_000) { try open($0, 64) },
        Scenario(name: "labels.1000", unit: "label", count: 1_000, prepare: labels),
        Scenario(name: "labels.10000", unit: "label", count: 10_000, prepare: labels),
    ]

    // MARK: Yamux

    /// Twelve bytes written and read again.
    private static func headers(_ count: Int) -> () -> Void {
        func run() {
            var sum = 0
            var buffer = ByteBuffer()
            buffer.reserveCapacity(YamuxFrameHeader.size)
            for number in 0..<count {
                let header = YamuxFrameHeader(
                    type: .data, streamID: YamuxStreamID(rawValue: UInt32(truncatingIfNeeded: number)), length: 65_396)
                buffer.clear()
                Self.write(header, to: &buffer)
                guard let again = Self.read(&buffer) else { continue }
                sum += Int(again.streamID.rawValue)
            }
            require(sum == count * (count - 1) / 2, "headers come back")
        }
        run()
        return run
    }

    private static func write(_ header: YamuxFrameHeader, to buffer: inout ByteBuffer) {
        buffer.writeMultipleIntegers(header.firstWord, header.streamID.rawValue, header.length)
    }

    private static func read(_ buffer: inout ByteBuffer) -> YamuxFrameHeader? {
        guard let (first, second, third) = buffer.readMultipleIntegers(as: (UInt32, UInt32, UInt32).self) else {
            return nil
        }
        return YamuxFrameHeader(firstWord: first, secondWord: second, thirdWord: third)
    }

    /// A data frame from one session to the other, and its window given back.
    private static func frames(_ count: Int) throws -> () -> Void {
        var (sender, receiver) = (
            YamuxSession(role: .client, now: .zero), YamuxSession(role: .server, now: .zero)
        )
        let id = try sender.open(at: .zero)
        var buffer = ByteBuffer()
        func carry(_ from: inout YamuxSession, _ to: inout YamuxSession) -> Int {
            var carried = 0
            while let frame = from.nextFrame(maximumPayload: 65_396, at: .zero) {
                buffer.clear()
                write(frame.header, to: &buffer)
                guard let header = read(&buffer), (try? to.receive(header, at: .zero)) != nil else { break }
                guard frame.payload > 0 else { continue }
                if case .deliver(let stream, let bytes, true) = to.receiveBody(frame.payload, at: .zero) {
                    to.consumed(stream, bytes: bytes, at: .zero)
                    carried += bytes
                }
            }
            while let event = to.nextEvent() {
                if case .streamOpened(let stream) = event { to.accept(stream) }
            }
            return carried
        }
        func run(_ count: Int) {
            var carried = 0
            for _ in 0..<count {
                sender.setPending(id, bytes: 65_396)
                carried += carry(&sender, &receiver)
                _ = carry(&receiver, &sender)
            }
            require(carried == count * 65_396, "all frames arrive: \(carried) bytes")
        }
        run(10)
        return { run(count) }
    }

    // MARK: Noise

    /// A transport that closures can share.
    private final class Owned {
        var transport: NoiseTransport

        /// The two ends have their keys the other way round.
        init(isFirst: Bool) throws {
            let (here, there) = ([UInt8](repeating: 0x61, count: 32), [UInt8](repeating: 0x62, count: 32))
            transport = try NoiseTransport(
                sendingKey: isFirst ? here : there, receivingKey: isFirst ? there : here)
        }
    }

    private static func seal(_ count: Int, _ length: Int) throws -> () -> Void {
        let sender = try Owned(isFirst: true)
        let plaintext = [UInt8](repeating: 7, count: length)
        var record = [UInt8](repeating: 0, count: length + NoiseTransport.overhead)
        func run(_ count: Int) {
            var sealed = 0
            for _ in 0..<count {
                plaintext.withUnsafeBytes { input in
                    record.withUnsafeMutableBytes { output in
                        if (try? sender.transport.seal(input, into: output)) != nil { sealed += 1 }
                    }
                }
            }
            require(sealed == count, "records are sealed")
        }
        run(3)
        return { run(count) }
    }

    private static func open(_ count: Int, _ length: Int) throws -> () -> Void {
        let (sender, receiver) = (try Owned(isFirst: true), try Owned(isFirst: false))
        let plaintext = [UInt8](repeating: 7, count: length)
        var records: [[UInt8]] = []
        for _ in 0..<count + 3 {
            var record = [UInt8](repeating: 0, count: length + NoiseTransport.overhead)
            try plaintext.withUnsafeBytes { input in
                try record.withUnsafeMutableBytes { try sender.transport.seal(input, into: $0) }
            }
            records.append(Array(record.dropFirst(NoiseTransport.lengthPrefix)))
        }
        func run(_ range: Range<Int>) {
            var opened = 0
            for index in range {
                records[index].withUnsafeMutableBytes { record in
                    if (try? receiver.transport.open(record)) == length { opened += 1 }
                }
            }
            require(opened == range.count, "records open")
        }
        run(0..<3)
        return { run(3..<count + 3) }
    }

    // MARK: Labels

    /// Ids assigned, all of them live at once, looked up and ended.
    private static func labels(_ count: Int) -> () -> Void {
        func run() {
            var configuration = MigrationConfiguration()
            configuration.maximumStreams = count
            var table = LabelTable(isLowerPeer: true, start: 7, configuration: configuration)
            var ids: [UInt64] = []
            for number in 0..<count {
                if let id = try? table.assign(to: StreamKey(rawValue: UInt64(number))) { ids.append(id) }
            }
            var found = 0
            for id in ids {
                if case .live = table.lookup(from: id) { found += 1 }
            }
            require(found == count, "all ids are live")
            for id in ids { table.finish(id) }
            require(table.liveCount == 0, "all ids are finished")
        }
        run()
        return run
    }
}
