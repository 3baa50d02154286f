/// A component as a protocol and its binary value.
struct RawComponent: CustomStringConvertible {
    var kind: AddressProtocol
    var value: ArraySlice<UInt8>
    /// Where it starts in what it was read from.
    var offset: Int

    func encode(into binary: inout [UInt8]) {
        Varint.encode(kind.rawValue, into: &binary)
        if kind.form.fixedLength == nil { Varint.encode(UInt64(value.count), into: &binary) }
        binary.append(contentsOf: value)
    }

    var description: String {
        switch kind.form {
        case .nothing: "/" + kind.name
        case .path: "/" + kind.name + kind.form.text(value: value)
        default: "/" + kind.name + "/" + kind.form.text(value: value)
        }
    }
}

/// Reads a binary address component by component.
struct MultiaddrReader {
    private var rest: ArraySlice<UInt8>
    private let isTrusted: Bool

    /// Checks each value that it reads.
    init(_ binary: ArraySlice<UInt8>) {
        rest = binary
        isTrusted = false
    }

    /// For bytes that were checked before.
    init(trusted binary: ArraySlice<UInt8>) {
        rest = binary
        isTrusted = true
    }

    /// The next component, or nil at the end.
    mutating func next() throws(MultiaddrError) -> RawComponent? {
        guard !rest.isEmpty else { return nil }
        let offset = rest.startIndex
        let code = try varint(in: offset)
        guard let kind = AddressProtocol(rawValue: code) else { throw .unknownCode(code, offset: offset) }
        let length = if let fixed = kind.form.fixedLength { UInt64(fixed) } else { try varint(in: offset) }
        guard length <= UInt64(rest.count) else { throw .truncated(offset: offset) }
        let value = rest.prefix(Int(length))
        rest = rest.dropFirst(Int(length))
        guard !isTrusted else { return RawComponent(kind: kind, value: value, offset: offset) }
        do {
            try kind.form.check(value)
        } catch {
            let shown = "0x" + Base16.encode(value.prefix(32))
            throw .invalidValue(of: kind, value: shown, error, offset: value.startIndex)
        }
        return RawComponent(kind: kind, value: value, offset: offset)
    }

    private mutating func varint(in component: Int) throws(MultiaddrError) -> UInt64 {
        let read: (value: UInt64, length: Int)?
        do {
            read = try Varint.decode(rest)
        } catch {
            throw .invalidVarint(error, offset: rest.startIndex)
        }
        guard let read else { throw .truncated(offset: component) }
        rest = rest.dropFirst(read.length)
        return read.value
    }
}

/// Reads the text of an address component by component.
struct MultiaddrTextReader {
    private static let slash = UInt8(ascii: "/")
    /// What isn't read yet: empty, or a slash and what follows it.
    private var rest: ArraySlice<UInt8>

    init(_ text: [UInt8]) throws(MultiaddrError) {
        guard text.first.map({ $0 == Self.slash }) ?? true else { throw .noLeadingSlash }
        rest = text.last == Self.slash ? text.dropLast() : text[...]
        guard !rest.isEmpty else { throw .empty }
    }

    /// The next component, its value checked, or nil at the end.
    mutating func next() throws(MultiaddrError) -> RawComponent? {
        guard let name = segment() else { return nil }
        let offset = name.startIndex
        guard let kind = AddressProtocol(name: name) else {
            throw .unknownProtocol(clipped(name), offset: offset)
        }
        guard kind.form != .nothing else { return RawComponent(kind: kind, value: [], offset: offset) }
        guard let text = kind.form == .path ? path() : segment() else {
            throw .missingValue(of: kind, offset: offset)
        }
        do {
            let value = try kind.form.value(text: text)
            try kind.form.check(value[...])
            return RawComponent(kind: kind, value: value[...], offset: offset)
        } catch {
            throw .invalidValue(of: kind, value: clipped(text), error, offset: text.startIndex)
        }
    }

    private mutating func segment() -> ArraySlice<UInt8>? {
        guard !rest.isEmpty else { return nil }
        let segment = rest.dropFirst().prefix { $0 != Self.slash }
        rest = rest[segment.endIndex...]
        return segment
    }

    private mutating func path() -> ArraySlice<UInt8>? {
        guard !rest.isEmpty else { return nil }
        defer { rest = rest[rest.endIndex...] }
        return rest
    }
}
