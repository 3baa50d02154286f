/// Edits of valid bytes, as the input says: what mutates bytes alone seldom gets past a signature or a checksum.
enum Mutations {
    /// `base` with up to eight edits. Without input it stays as it is.
    static func mutated(_ base: [UInt8], by input: inout FuzzInput) -> [UInt8] {
        var bytes = base
        var edits = 0
        while !input.isEmpty, edits < 8 {
            edits += 1
            edit(&bytes, &input)
        }
        return bytes
    }

    /// One edit.
    static func edit(_ bytes: inout [UInt8], _ input: inout FuzzInput) {
        let kind = input.int(below: 6)
        let place = input.int(below: max(257, bytes.count + 1))
        let start = min(place, bytes.count)
        switch kind {
        case 0 where start < bytes.count: bytes[start] ^= max(1, input.byte())
        case 1: bytes.removeSubrange(start...)
        case 2: bytes.insert(contentsOf: input.part(), at: start)
        case 3: bytes.removeSubrange(start..<min(bytes.count, start + Int(input.byte())))
        case 4:
            let copy = bytes[start...].prefix(Int(input.byte()))
            bytes.insert(contentsOf: copy, at: input.int(below: max(257, bytes.count + 1)) % (bytes.count + 1))
        case 5 where start < bytes.count: bytes[start] = input.byte()
        default: break
        }
    }
}
