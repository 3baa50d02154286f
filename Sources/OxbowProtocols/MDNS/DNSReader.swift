/// Reads the parts of a DNS message: total, and bounded by the message's own length.
struct DNSReader {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    private mutating func byte() throws(DNSError) -> UInt8 {
        guard offset < bytes.count else { throw .truncated }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func uint16() throws(DNSError) -> UInt16 {
        UInt16(try byte()) << 8 | UInt16(try byte())
    }

    private mutating func uint32() throws(DNSError) -> UInt32 {
        UInt32(try uint16()) << 16 | UInt32(try uint16())
    }

    private mutating func take(_ count: Int) throws(DNSError) -> [UInt8] {
        guard bytes.count - offset >= count else { throw .truncated }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    mutating func question() throws(DNSError) -> DNSQuestion {
        let name = try name()
        let type = try uint16()
        return DNSQuestion(name: name, type: type, wantsUnicast: try uint16() & 0x8000 != 0)
    }

    mutating func record() throws(DNSError) -> DNSRecord {
        let name = try name()
        let (type, `class`) = (try uint16(), try uint16())
        let lifetime = try uint32()
        let length = Int(try uint16())
        guard bytes.count - offset >= length else { throw .truncated }
        let end = offset + length
        defer { offset = end }
        let isInternet = `class` & 0x7fff == 1
        let content: DNSRecord.Content =
            switch type {
            case DNSMessage.RecordType.pointer where isInternet: .pointer(try pointedName(until: end))
            case DNSMessage.RecordType.text where isInternet: .text(try strings(until: end))
            default: .other(type: type)
            }
        return DNSRecord(
            name: name, lifetime: lifetime, content: content, isUnique: isInternet && `class` & 0x8000 != 0)
    }

    private mutating func pointedName(until end: Int) throws(DNSError) -> DNSName {
        let name = try name()
        guard offset == end else { throw .badName }
        return name
    }

    private mutating func strings(until end: Int) throws(DNSError) -> [[UInt8]] {
        var strings: [[UInt8]] = []
        while offset < end {
            let length = Int(try byte())
            guard end - offset >= length else { throw .truncated }
            strings.append(try take(length))
        }
        return strings
    }

    /// Reads a name, which may go on elsewhere (RFC 1035, section 4.1.4). Each pointer must lead to before the part of
    /// the name that it stands in, so that following them comes to an end.
    private mutating func name() throws(DNSError) -> DNSName {
        var labels: [[UInt8]] = []
        var length = 1
        var jumps = 0
        var part = offset
        var resume: Int?
        while true {
            let first = try byte()
            switch first {
            case 0:
                offset = resume ?? offset
                return DNSName(bytes: labels)
            case 1...63:
                length += Int(first) + 1
                guard length <= 255 else { throw .badName }
                labels.append(try take(Int(first)))
            case 0xc0...:
                let target = Int(first & 0x3f) << 8 | Int(try byte())
                guard target < part else { throw .badPointer }
                jumps += 1
                guard jumps <= DNSMessage.maximumJumps else { throw .badName }
                resume = resume ?? offset
                (part, offset) = (target, target)
            default: throw .badName
            }
        }
    }
}
