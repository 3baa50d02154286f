import NIOCore
import Oxbow
import OxbowCommandLine
import OxbowCrypto
import OxbowNIO

/// The names and sizes of the contract.
enum Interop {
    static let echo: ProtocolID = "/echo/1.0.0"
    static let transfer: ProtocolID = "/xfer/1.0.0"
    /// The same under the names that a peer has for them which puts a prefix before every name: Kubo.
    static let echoes: [ProtocolID] = [echo, "/x/echo/1.0.0"]
    static let transfers: [ProtocolID] = [transfer, "/x/xfer/1.0.0"]
    static let chunk = 65_536
    /// From this many bytes on, the runner may let the peer vanish.
    static let underWay: UInt64 = 1 << 20

    static func emit(_ fields: [(String, JSON)]) {
        StandardOutput.write(line: JSON.object(fields).description)
    }
}

/// Counts a stream's bytes, and reports what the contract wants to know of them.
struct InteropProgress {
    let protocolID: ProtocolID
    /// At the other end.
    let peer: PeerID
    private(set) var received: UInt64 = 0
    var sent: UInt64 = 0

    init(_ protocolID: ProtocolID, with peer: PeerID) {
        self.protocolID = protocolID
        self.peer = peer
    }

    mutating func receive(_ count: Int) {
        let before = received
        received += UInt64(count)
        guard before < Interop.underWay, received >= Interop.underWay else { return }
        Interop.emit([
            ("event", "transfer"), ("protocol", .string(protocolID.rawValue)), ("bytes_in", .uint(received)),
        ])
    }

    func end(_ error: (any Error)?) {
        let how =
            switch error {
            case nil: "eof"
            case .some(StreamError.resetByPeer): "reset"
            case .some: "error"
            }
        Interop.emit([
            ("event", "stream"), ("protocol", .string(protocolID.rawValue)), ("peer", .string(peer.description)),
            ("bytes_in", .uint(received)),
            ("bytes_out", .uint(sent)), ("end", .string(how)), ("error", error.map { .string("\($0)") } ?? .null),
        ])
    }
}

/// What an echo sends, and whether it came back: two digests, taken as the bytes flow.
///
/// What is sent repeats one random block with a counter in front, so that a chunk that is lost, doubled or swapped
/// changes the digest.
struct EchoPattern {
    let total: Int
    private let block: [UInt8]
    private var next = 0

    init(total: Int) throws {
        self.total = total
        block = try SecureRandom.bytes(Interop.chunk)
    }

    /// The next chunk; nil behind the last.
    mutating func chunk() -> ByteBuffer? {
        let start = next * Interop.chunk
        guard start < total else { return nil }
        var chunk = ByteBuffer()
        chunk.writeInteger(UInt64(next))
        chunk.writeBytes(block[8...])
        next += 1
        return chunk.readSlice(length: min(Interop.chunk, total - start))
    }
}

extension OxbowStream {
    /// Sends `total` bytes while it reads them back.
    ///
    /// - Parameter isHalfClosing: whether to end the write side behind the last byte, and to wait for the peer's end.
    func exchangeEcho(_ total: Int, isHalfClosing: Bool) async throws -> (received: Int, isEqual: Bool) {
        async let sent = send(EchoPattern(total: total), isHalfClosing: isHalfClosing)
        var received = 0
        var digest = SHA256Stream()
        var iterator = inbound.makeAsyncIterator()
        while isHalfClosing || received < total, let bytes = try await iterator.next() {
            received += bytes.readableBytes
            digest.update(bytes.readableBytesView)
        }
        let expected = try await sent
        return (received, received == total && digest.digest() == expected)
    }

    /// Sends `count` bytes behind their header and reads as many back.
    ///
    /// - Returns: how many came.
    func exchangeTransfer(_ count: UInt64) async throws -> UInt64 {
        var header = ByteBuffer()
        header.writeInteger(count)
        header.writeInteger(count)
        try await outbound.write(header)
        try await outbound.writeZeros(count)
        var received: UInt64 = 0
        var iterator = inbound.makeAsyncIterator()
        while received < count, let bytes = try await iterator.next() { received += UInt64(bytes.readableBytes) }
        return received
    }

    /// - Returns: the digest of everything that was sent.
    private func send(_ pattern: EchoPattern, isHalfClosing: Bool) async throws -> [UInt8] {
        var pattern = pattern
        var digest = SHA256Stream()
        while let chunk = pattern.chunk() {
            digest.update(chunk.readableBytesView)
            try await outbound.write(chunk)
        }
        if isHalfClosing { outbound.finish() }
        return digest.digest()
    }
}

extension StreamOutbound {
    /// Writes so many zeros.
    func writeZeros(_ count: UInt64) async throws {
        let zeros = ByteBuffer(repeating: 0, count: Interop.chunk)
        var left = count
        while left > 0 {
            let length = Int(min(UInt64(Interop.chunk), left))
            try await write(zeros.getSlice(at: 0, length: length) ?? zeros)
            left -= UInt64(length)
        }
    }
}
