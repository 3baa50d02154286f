import NIOCore
import NIOPosix

/// Buffers of a record's size that are used again once nobody holds a piece of them. The kernel hands out fresh memory of
/// that size page by page, which costs as much as to decrypt into it, and the allocator returns it as eagerly.
///
/// One for each event loop's thread, shared by its connections: an idle connection has no buffer. It belongs to its thread
/// alone; the pieces that it gave out may be held, and let go, anywhere.
final class RecordBuffers {
    /// The largest record of ours, and the largest plaintext of anybody's.
    static let capacity = 65_536
    /// How many are kept. In a turn of a connection a few are on their way to the socket or to the application.
    static let limit = 8

    // As in the connection's driver: checked in debug builds.
    #if !DEBUG
    @exclusivity(unchecked)
    #endif
    private var buffers: [ByteBuffer] = []
    /// How many are kept now, with those of which pieces are held.
    var count: Int { buffers.count }
    // Shared, but each thread finds its own value in it.
    private nonisolated(unsafe) static let ofThread = ThreadSpecificVariable<RecordBuffers>()

    static var ofThisThread: RecordBuffers {
        if let buffers = ofThread.currentValue { return buffers }
        let buffers = RecordBuffers()
        ofThread.currentValue = buffers
        return buffers
    }

    /// An empty buffer with room for at least `count` bytes. Small ones are made: they would pin a large one.
    func take(_ count: Int) -> ByteBuffer {
        guard count > Self.capacity / 2, count <= Self.capacity else {
            return ByteBufferAllocator().buffer(capacity: count)
        }
        // The newest first: it is in the processor's cache.
        for index in buffers.indices.reversed() where buffers[index].modifyIfUniquelyOwned({ $0.clear() }) != nil {
            return buffers.remove(at: index)
        }
        return ByteBufferAllocator().buffer(capacity: Self.capacity)
    }

    /// Keeps a buffer that has been filled for the time when its pieces are gone. It may be of any size; only what
    /// ``take(_:)`` gives out is kept.
    func keep(_ buffer: ByteBuffer) {
        guard buffer.storageCapacity == Self.capacity else { return }
        // One that somebody holds for long makes room for those that come back.
        if buffers.count == Self.limit { buffers.removeFirst() }
        buffers.append(buffer)
    }
}
