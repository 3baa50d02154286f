public import NIOCore
public import OxbowCore
public import OxbowNIO

/// A bidirectional stream of bytes with a peer. It stays the same while it moves between connections.
///
/// One task reads, any number of tasks write. Reading is by ``inbound`` or ``read(exactly:)``; writing by ``outbound``.
///
/// A stream has no deadlines of its own: a wait for it ends when its task is cancelled, with `StreamError.cancelled`, and
/// nothing is read or written by that call. So a deadline is that of the task, it composes with those of other waits, and
/// there is nothing that a migration could lose (SM-F9).
public struct Stream: Sendable {
    let logical: LogicalStream

    init(_ logical: LogicalStream) {
        self.logical = logical
    }

    /// The stream's present label; nil when it has none and can't migrate. A migration changes it.
    public var label: UInt64? { logical.snapshot.id }
    /// A number that is the stream's own in this process, before and after each migration.
    public var id: UInt64 { logical.key.rawValue }
    /// Who is at the other end.
    public var peer: PeerID { logical.peer }
    /// What the stream is for.
    public var protocolID: ProtocolID? { logical.protocolID }
    /// Whether this side opened it.
    public var isOutbound: Bool { logical.isOutbound }
    /// The connection on which the stream writes now; nil before it is open and after its end.
    public var connection: ConnectionPath? { logical.snapshot.path }
    /// Each migration and each attempt, of either side: from where to where, how it ended and how long that took. The
    /// newest `StreamLimits.migrationRecords`.
    public var migrations: [MigrationRecord] { logical.snapshot.migrations }
    /// How often the stream has moved.
    public var migrationCount: Int { logical.snapshot.migrationCount }
    /// How often each outcome came, from the beginning.
    public var migrationTotals: MigrationTotals { logical.snapshot.migrationTotals }
    /// Application bytes that arrived, and that were framed, from the beginning and on all connections.
    public var bytesRead: UInt64 { logical.snapshot.totalBytesRead }
    public var bytesWritten: UInt64 { logical.snapshot.totalBytesWritten }
    /// The same by underlying stream, oldest first: those that the remembered ``migrations`` left, and the present ones.
    public var bytesByPath: [PathBytes] { logical.snapshot.bytesByPath }
    /// What happened to the stream, drawn by `StreamTrace.timeline(width:)`. Nil unless `StreamLimits.traceEvents` asks
    /// for it.
    public var trace: StreamTrace? { logical.trace }

    /// The peer's bytes.
    public var inbound: StreamInbound { StreamInbound(logical: logical) }
    /// The way to the peer.
    public var outbound: StreamOutbound { StreamOutbound(logical: logical) }

    /// Reads exactly `count` bytes.
    ///
    /// - Returns: nil when the stream ends cleanly before the first of them.
    /// - Throws: `StreamError.endedEarly(missing:)` when it ends in their middle.
    public func read(exactly count: Int) async throws(StreamError) -> ByteBuffer? {
        var result = ByteBuffer()
        while result.readableBytes < count {
            guard var piece = try await logical.next(maximum: count - result.readableBytes) else {
                guard result.readableBytes > 0 else { return nil }
                throw .endedEarly(missing: count - result.readableBytes)
            }
            if result.readableBytes == 0 { result = piece } else { result.writeBuffer(&piece) }
        }
        return result
    }

    /// Reads no more: reading throws `StreamError.closed`, and what the peer has sent and still sends is dropped, while
    /// its window goes on being given back, so that a peer that writes before it reads can't block. Writing goes on.
    /// Yamux has no message for it: the peer isn't told. It holds for the stream, whatever connection it moves to.
    public func closeRead() {
        logical.closeRead()
    }

    /// Ends the stream in order: the write side ends behind what was written, what the peer still sends is dropped.
    public func close() {
        logical.finishAll()
    }

    /// Ends the stream at once, for both sides; bytes under way are lost.
    ///
    /// - Parameter code: tells the peer why, if it reads codes.
    public func reset(code: UInt32 = 0) {
        logical.reset(code: code)
    }
}

/// What the peer sends. Nil is the clean end: the peer closed its side and every byte was delivered. A reset, a lost
/// connection or an end in doubt throws.
///
/// All iterators of a stream read from the same place: one may read a header, the next the rest.
public struct StreamInbound: AsyncSequence, Sendable {
    /// Bytes as they arrived; never none.
    public typealias Element = ByteBuffer
    /// Why there will be no more bytes, where that isn't the clean end.
    public typealias Failure = StreamError

    let logical: LogicalStream

    /// Reads on where the last read of the stream stopped, whoever did it.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let logical: LogicalStream

        /// The next bytes, as they arrived.
        public mutating func next() async throws(StreamError) -> ByteBuffer? {
            try await logical.next()
        }

        /// The next bytes, as they arrived; this is what a `for await` calls.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(StreamError) -> ByteBuffer? {
            try await logical.next()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(logical: logical) }
}

/// The way to the peer.
public struct StreamOutbound: Sendable {
    let logical: LogicalStream

    /// Queues `bytes`, at once while there is room (`StreamLimits.writeHighWatermark`), otherwise when the peer has
    /// taken enough. That they are queued doesn't mean that the peer has them.
    public func write(_ bytes: ByteBuffer) async throws(StreamError) {
        while true {
            switch logical.tryWrite(bytes) {
            case .written: return
            case .failed(let error): throw error
            case .full: await logical.waitForRoom()
            }
            if Task.isCancelled { throw .cancelled }
        }
    }

    /// Queues the bytes of a collection.
    public func write(_ bytes: some Collection<UInt8>) async throws(StreamError) {
        try await write(ByteBuffer(bytes: bytes))
    }

    /// Queues `bytes` if there is room now.
    ///
    /// - Returns: false when there isn't; then nothing was queued.
    public func tryWrite(_ bytes: ByteBuffer) throws(StreamError) -> Bool {
        switch logical.tryWrite(bytes) {
        case .written: true
        case .full: false
        case .failed(let error): throw error
        }
    }

    /// Ends this side behind everything that was written; the peer reads a clean end. Reading goes on.
    public func finish() {
        logical.closeWrite()
    }
}
