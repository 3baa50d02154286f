/// Why bytes aren't a DNS message that is understood here. The datagram is ignored.
public enum DNSError: Error, Hashable, Sendable {
    /// More bytes than ``DNSMessage/maximumLength``.
    case tooLong
    /// It ends within a part.
    case truncated
    /// More than ``DNSMessage/maximumQuestions`` or ``DNSMessage/maximumRecords``.
    case tooMany
    /// A name of more than 255 bytes, a label of a kind that isn't defined, or too many jumps.
    case badName
    /// A pointer in a name that doesn't lead backwards: it could lead in a circle.
    case badPointer
    /// It isn't a standard query or its answer.
    case notStandard
}

/// A name of DNS. Letters of ASCII compare without case (RFC 1035, section 2.3.3).
public struct DNSName: Hashable, Sendable, CustomStringConvertible {
    /// In lower case, each of 1 to 63 bytes.
    public let labels: [[UInt8]]

    /// Labels that are longer than 63 bytes, or more than 255 bytes in all, are a programmer's mistake.
    public init(_ labels: [String]) {
        self.init(bytes: labels.map { Array($0.utf8) })
        precondition(self.labels.allSatisfy { (1...63).contains($0.count) } && length <= 255, "not a DNS name")
    }

    init(bytes labels: [[UInt8]]) {
        self.labels = labels.map { $0.map { (0x41...0x5a).contains($0) ? $0 + 0x20 : $0 } }
    }

    /// Its length on the wire, uncompressed.
    var length: Int { labels.reduce(1) { $0 + $1.count + 1 } }

    /// The name with one more label in front.
    func prefixed(_ label: String) -> DNSName {
        DNSName(bytes: [Array(label.utf8)] + labels)
    }

    /// The label in front, when the rest is `parent`.
    func label(under parent: DNSName) -> [UInt8]? {
        labels.dropFirst() == parent.labels[...] ? labels.first : nil
    }

    public var description: String { labels.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".") }
}

/// What is asked.
public struct DNSQuestion: Hashable, Sendable {
    public var name: DNSName
    public var type: UInt16
    /// Whether the asker would rather have the answer for itself (RFC 6762, section 5.4).
    public var wantsUnicast = false

    /// A question in the class of the internet.
    public init(name: DNSName, type: UInt16, wantsUnicast: Bool = false) {
        (self.name, self.type, self.wantsUnicast) = (name, type, wantsUnicast)
    }
}

/// One record of an answer.
public struct DNSRecord: Hashable, Sendable {
    /// What the record holds, as far as it matters here.
    public enum Content: Hashable, Sendable {
        case pointer(DNSName)
        /// Strings of at most 255 bytes.
        case text([[UInt8]])
        /// A record of another type or class.
        case other(type: UInt16)
    }

    public var name: DNSName
    /// In seconds; zero says that the record holds no more (RFC 6762, section 10.1).
    public var lifetime: UInt32
    public var content: Content
    /// Whether it is all there is by that name (RFC 6762, section 10.2).
    public var isUnique = false

    /// A record in the class of the internet.
    public init(name: DNSName, lifetime: UInt32, content: Content, isUnique: Bool = false) {
        (self.name, self.lifetime, self.content, self.isUnique) = (name, lifetime, content, isUnique)
    }
}

/// A message of multicast DNS (RFC 1035, RFC 6762): what of it discovery needs.
public struct DNSMessage: Hashable, Sendable {
    /// The longest message, in bytes (RFC 6762, section 17).
    public static let maximumLength = 9_000
    public static let maximumQuestions = 32
    public static let maximumRecords = 256
    /// Pointers that one name may follow.
    static let maximumJumps = 16

    /// The types that matter here (RFC 1035, section 3.2.2).
    public enum RecordType {
        public static let pointer: UInt16 = 12
        public static let text: UInt16 = 16
        public static let any: UInt16 = 255
    }

    /// Zero in multicast; an asker by unicast gets its own back.
    public var id: UInt16
    public var isResponse: Bool
    public var questions: [DNSQuestion]
    public var answers: [DNSRecord]
    /// What goes along though nobody asked for it.
    public var additional: [DNSRecord]

    public init(
        id: UInt16 = 0, isResponse: Bool, questions: [DNSQuestion] = [], answers: [DNSRecord] = [],
        additional: [DNSRecord] = []
    ) {
        self.id = id
        self.isResponse = isResponse
        self.questions = questions
        self.answers = answers
        self.additional = additional
    }

    /// Reads a datagram. Bytes behind the last record are ignored.
    public init(decoding bytes: [UInt8]) throws(DNSError) {
        guard bytes.count <= Self.maximumLength else { throw .tooLong }
        var reader = DNSReader(bytes)
        id = try reader.uint16()
        let flags = try reader.uint16()
        isResponse = flags & 0x8000 != 0
        // Any other operation or a failure is to be ignored (RFC 6762, section 18).
        guard flags & 0x780f == 0 else { throw .notStandard }
        let counts = (try reader.uint16(), try reader.uint16(), try reader.uint16(), try reader.uint16())
        let records = Int(counts.1) + Int(counts.2) + Int(counts.3)
        guard Int(counts.0) <= Self.maximumQuestions, records <= Self.maximumRecords else { throw .tooMany }
        questions = []
        for _ in 0..<counts.0 { questions.append(try reader.question()) }
        answers = []
        for _ in 0..<counts.1 { answers.append(try reader.record()) }
        // The authority's section proposes names before they are used, which is none of discovery's business.
        for _ in 0..<counts.2 { _ = try reader.record() }
        additional = []
        for _ in 0..<counts.3 { additional.append(try reader.record()) }
    }

    /// The message on the wire, without compression.
    public func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        func put(_ number: some FixedWidthInteger) {
            for shift in stride(from: type(of: number).bitWidth - 8, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
        func put(_ name: DNSName) {
            for label in name.labels { bytes += [UInt8(label.count)] + label }
            bytes.append(0)
        }
        put(id)
        // An answer in multicast DNS is authoritative (RFC 6762, section 18.4).
        put(UInt16(isResponse ? 0x8400 : 0))
        for count in [questions.count, answers.count, 0, additional.count] { put(UInt16(count)) }
        for question in questions {
            put(question.name)
            put(question.type)
            put(UInt16(question.wantsUnicast ? 0x8001 : 1))
        }
        for record in answers + additional {
            put(record.name)
            let (type, data) = record.content.encoded
            put(type)
            put(UInt16(record.isUnique ? 0x8001 : 1))
            put(record.lifetime)
            put(UInt16(data.count))
            bytes += data
        }
        return bytes
    }
}

extension DNSRecord.Content {
    fileprivate var encoded: (type: UInt16, data: [UInt8]) {
        switch self {
        case .pointer(let name):
            (DNSMessage.RecordType.pointer, name.labels.flatMap { [UInt8($0.count)] + $0 } + [0])
        case .text(let strings):
            // A record has at least one string (RFC 6763, section 6.1).
            (DNSMessage.RecordType.text, strings.isEmpty ? [0] : strings.flatMap { [UInt8($0.count)] + $0 })
        case .other(let type): (type, [])
        }
    }
}
