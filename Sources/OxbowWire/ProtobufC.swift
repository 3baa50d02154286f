import CProtobufC

// The only place that hands bytes to libprotobuf-c. Its own allocator (malloc) is used throughout; what it unpacks
// holds no pointer into the input.

typealias Unpack<Message> = (UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?) ->
    UnsafeMutablePointer<Message>?

extension WireMessage {
    /// Unpacks `bytes`. The caller frees the result with the message's `free_unpacked`, in a `defer`.
    static func unpack<Message>(
        _ bytes: ArraySlice<UInt8>, _ unpack: Unpack<Message>
    ) throws(WireError) -> UnsafeMutablePointer<Message> {
        guard bytes.count <= maximumSize else {
            throw .tooLarge(message: name, size: UInt64(bytes.count), limit: maximumSize)
        }
        let message = bytes.withUnsafeBufferPointer { unpack(nil, $0.count, $0.baseAddress) }
        guard let message else { throw .malformed(message: name) }
        return message
    }
}

extension ProtobufCBinaryData {
    var bytes: [UInt8] {
        [UInt8](UnsafeBufferPointer(start: data, count: len))
    }

    func text(_ field: String) throws(WireError) -> String {
        guard let text = String(validating: UnsafeBufferPointer(start: data, count: len), as: UTF8.self) else {
            throw .notUTF8(field: field)
        }
        return text
    }
}

/// The elements of a repeated field, once their number is known to be within `limit`.
func elements<Element>(
    _ start: UnsafeMutablePointer<Element>?, _ count: Int, of field: String, limit: Int
) throws(WireError) -> UnsafeBufferPointer<Element> {
    guard count <= limit else { throw .tooMany(field: field, count: count, limit: limit) }
    return UnsafeBufferPointer(start: start, count: count)
}

/// Memory that a C message points into while it is packed.
struct PackArena: ~Copyable {
    private var blocks: [UnsafeMutableRawPointer] = []

    deinit {
        for block in blocks { block.deallocate() }
    }

    mutating func bytes(_ bytes: [UInt8]) -> ProtobufCBinaryData {
        ProtobufCBinaryData(len: bytes.count, data: list(bytes))
    }

    mutating func text(_ text: String) -> ProtobufCBinaryData {
        bytes([UInt8](text.utf8))
    }

    mutating func optional(_ bytes: [UInt8]?) -> (has: protobuf_c_boolean, data: ProtobufCBinaryData) {
        guard let bytes else { return (0, ProtobufCBinaryData()) }
        return (1, self.bytes(bytes))
    }

    mutating func optional(_ text: String?) -> (has: protobuf_c_boolean, data: ProtobufCBinaryData) {
        optional(text.map { [UInt8]($0.utf8) })
    }

    mutating func list<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
        let copy = UnsafeMutablePointer<Element>.allocate(capacity: max(1, elements.count))
        copy.initialize(from: elements, count: elements.count)
        blocks.append(UnsafeMutableRawPointer(copy))
        return copy
    }

    /// Packs `message`. This is a method so that the arena lives until it is done.
    borrowing func pack<Message>(
        _ message: Message,
        size: (UnsafePointer<Message>?) -> Int,
        pack: (UnsafePointer<Message>?, UnsafeMutablePointer<UInt8>?) -> Int
    ) -> [UInt8] {
        withUnsafePointer(to: message) { message in
            [UInt8](unsafeUninitializedCapacity: size(message)) { buffer, count in
                count = buffer.isEmpty ? 0 : pack(message, buffer.baseAddress)
            }
        }
    }
}
