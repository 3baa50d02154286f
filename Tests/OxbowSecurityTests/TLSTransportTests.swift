import OxbowCore
import OxbowSeeds
import Testing

@testable import OxbowSecurity

@Suite("A TLS transport")
struct TLSTransportTests {
    /// Two ends of one connection. A class because `#expect` can't look into what isn't copyable.
    final class Pair {
        var client: TLSTransport
        var server: TLSTransport

        init() throws {
            let wire = try Channel.tls.wire(.alice, .bob)
            wire.run()
            client = wire.initiator.takeTLS()
            server = wire.responder.takeTLS()
        }
    }

    @Test("carries any amount in either direction", arguments: [1, 12, 16_384, 16_385, 65_408, 300_000])
    func sizes(count: Int) throws {
        let pair = try Pair()
        let plaintext = pattern(count)
        let records = try pair.client.written(plaintext)
        #expect(records.count == count + (count + 16_383) / 16_384 * TLSTransport.overhead)
        #expect(pair.client.pendingOutput == 0)
        try pair.server.receiveAll(records)
        let read = try pair.server.readAll()
        #expect(read.bytes == plaintext && !read.isClosed)
        try pair.client.receiveAll(try pair.server.written(plaintext))
        #expect(try pair.client.readAll(100).bytes == plaintext)
    }

    @Test("doesn't mind how its bytes are split", arguments: 0..<5 as Range<UInt64>)
    func splits(seed: UInt64) throws {
        let pair = try Pair()
        var generator = SplitMix64(seed: seed)
        let plaintext = pattern(40_000)
        var records = try pair.client.written(plaintext)[...]
        var read: [UInt8] = []
        while !records.isEmpty {
            let count = seed == 0 ? 1 : Int.random(in: 1...20_000, using: &generator)
            try pair.server.receiveAll(records.prefix(count))
            records = records.dropFirst(count)
            read += try pair.server.readAll(Int.random(in: 1...20_000, using: &generator)).bytes
        }
        #expect(read == plaintext)
    }

    @Test("reads and writes where the caller's bytes are, however they are split", arguments: 0..<5 as Range<UInt64>)
    func direct(seed: UInt64) throws {
        let pair = try Pair()
        var generator = SplitMix64(seed: seed)
        let plaintext = pattern(40_000)
        let length = TLSTransport.sealedLength(of: plaintext.count)
        // With too little room, what is left waits, in order.
        let room = seed == 0 ? length : Int.random(in: 0..<length, using: &generator)
        var records = [UInt8](repeating: 0, count: room)
        let written = try plaintext.withUnsafeBytes { plaintext in
            try records.withUnsafeMutableBytes { try pair.client.write(plaintext, into: $0) }
        }
        records = records.prefix(written) + pair.client.takeAll()
        #expect(records.count == length)
        #expect(seed > 0 || written == length)

        var (read, rest) = ([UInt8](), records[...])
        var output = [UInt8](repeating: 0, count: 20_000)
        while !rest.isEmpty {
            var input = Array(rest.prefix(Int.random(in: 1...20_000, using: &generator)))
            rest = rest.dropFirst(input.count)
            while true {
                let room = Int.random(in: 1...output.count, using: &generator)
                let step = try input.withUnsafeBytes { input in
                    try output.withUnsafeMutableBytes {
                        try pair.server.read(from: input, into: .init(rebasing: $0.prefix(room)))
                    }
                }
                input.removeFirst(step.used)
                guard case .bytes(let count) = step.result else { break }
                read += output.prefix(count)
            }
            #expect(input.isEmpty)
        }
        #expect(read == plaintext)
    }

    @Test("reads what was handed over before what is lent")
    func handedOverFirst() throws {
        let pair = try Pair()
        try pair.server.receiveAll(try pair.client.written([1]))
        let second = try pair.client.written([2])
        var output = [UInt8](repeating: 0, count: 100)
        for (byte, used) in [(1, 0), (2, second.count)] as [(UInt8, Int)] {
            let step = try second.withUnsafeBytes { input in
                try output.withUnsafeMutableBytes { try pair.server.read(from: input, into: $0) }
            }
            #expect(step == .init(result: .bytes(1), used: used) && output[0] == byte)
        }
    }

    @Test("sends nothing for nothing")
    func empty() throws {
        let pair = try Pair()
        #expect(try pair.client.written([]).isEmpty)
        try pair.client.receiveAll([])
        #expect(try pair.client.readAll().bytes.isEmpty)
    }

    @Test("delivers what came in the same flight as the end of the handshake")
    func sameFlight() throws {
        let wire = try Channel.tls.wire(.alice, .bob)
        let toInitiator = wire.responder.receive(wire.initiator.start())
        let last = wire.initiator.receive(toInitiator)
        var client = wire.initiator.takeTLS()
        let records = try client.written(pattern(50_000))
        _ = wire.responder.receive(last + records)
        #expect(wire.responder.peer != nil)
        #expect(Array(wire.responder.inbound) == records)
        let leftover = wire.responder.inbound
        var server = wire.responder.takeTLS()
        try server.receiveAll(leftover)
        #expect(try server.readAll().bytes == pattern(50_000))
    }

    @Test("tells an end from a cut, and keeps the other direction open")
    func close() throws {
        let pair = try Pair()
        try pair.server.receiveAll(try pair.client.written([1, 2, 3]))
        #expect(try pair.server.readAll().isClosed == false)
        pair.client.close()
        pair.client.close()
        #expect(throws: SecurityError.closed) { _ = try pair.client.written([4]) }
        try pair.server.receiveAll(pair.client.takeAll())
        let end = try pair.server.readAll()
        #expect(end.bytes.isEmpty && end.isClosed)
        try pair.client.receiveAll(try pair.server.written([5, 6]))
        #expect(try pair.client.readAll().bytes == [5, 6])
    }

    @Test("fails on a record with any byte changed, and answers with an alert")
    func flipped() throws {
        let length = try Pair().client.written([1, 2, 3]).count
        for index in 0..<length {
            let pair = try Pair()
            var record = try pair.client.written([1, 2, 3])
            record[index] ^= 0x01
            try pair.server.receiveAll(record)
            do {
                let read = try pair.server.readAll()
                // A length that grew by a bit waits for more.
                #expect(read.bytes.isEmpty && !read.isClosed && (3...4).contains(index), "byte \(index)")
            } catch {
                #expect(error is SecurityError)
                #expect(pair.server.pendingOutput > 0, "byte \(index)")
                #expect(throws: SecurityError.closed) { _ = try pair.server.readAll() }
                #expect(throws: SecurityError.closed) { try pair.server.receiveAll([1]) }
                #expect(throws: SecurityError.closed) { _ = try pair.server.written([1]) }
                pair.server.close()
                try pair.client.receiveAll(pair.server.takeAll())
                #expect(throws: SecurityError.self) { _ = try pair.client.readAll() }
            }
        }
    }

    @Test("calls a forged record what it is")
    func forged() throws {
        let pair = try Pair()
        try pair.server.receiveAll([23, 3, 3, 0, 30] + pattern(30))
        #expect(throws: SecurityError.decryptionFailed) { _ = try pair.server.readAll() }
    }

    @Test("a forged record is refused where it lies, and its memory is not looked at again")
    func forgedInPlace() throws {
        let pair = try Pair()
        let forged: [UInt8] = [23, 3, 3, 0, 30] + pattern(30)
        var output = [UInt8](repeating: 0, count: 64)
        for error in [SecurityError.decryptionFailed, .closed] {
            #expect(throws: error) {
                _ = try forged.withUnsafeBytes { input in
                    try output.withUnsafeMutableBytes { try pair.server.read(from: input, into: $0) }
                }
            }
        }
        #expect(pair.server.pendingInput == 0 && pair.server.pendingOutput > 0)
        // Nor does a writer that fails leave its memory behind.
        #expect(throws: SecurityError.closed) {
            _ = try pattern(2).withUnsafeBytes { input in
                try output.withUnsafeMutableBytes { try pair.server.write(input, into: $0) }
            }
        }
        pair.server.close()
        try pair.client.receiveAll(pair.server.takeAll())
        #expect(throws: SecurityError.self) { _ = try pair.client.readAll() }
    }

    @Test("refuses replayed, reordered and dropped records")
    func order() throws {
        let pair = try Pair()
        let first = try pair.client.written([1])
        let second = try pair.client.written([2])
        try pair.server.receiveAll(second)
        #expect(throws: SecurityError.decryptionFailed) { _ = try pair.server.readAll() }
        let other = try Pair()
        try other.server.receiveAll(try other.client.written([1]))
        _ = try other.server.readAll()
        try other.server.receiveAll(first)
        #expect(throws: SecurityError.decryptionFailed) { _ = try other.server.readAll() }
    }
}
