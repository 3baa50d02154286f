/// How to reach a peer: protocols from the outermost in, such as `/ip4/192.0.2.1/tcp/4001/p2p/12D3…`
/// (multiformats/multiaddr). Never empty.
///
/// Text and binary are lossless both ways, up to the one canonical text of a value: a peer id prints in base 58, an
/// IPv6 address as RFC 5952 has it, a certificate hash in base64url. The binary form is the storage; two addresses are
/// equal when their bytes are.
public struct Multiaddr: Hashable, Sendable, CustomStringConvertible {
    /// The longest text that is parsed, in bytes of UTF-8.
    ///
    /// Every accepted binary address prints shorter: no component takes more than 23 characters and 1.24 for each of
    /// its bytes (an IPv6 address comes closest: 44 for 17), so the bounds below allow 2,006.
    public static let maximumTextLength = 2048
    /// The longest binary form, in bytes.
    public static let maximumBinaryLength = 1024
    public static let maximumComponents = 32
    /// The longest name or zone, in bytes.
    public static let maximumNameLength = 255

    /// The address as it goes on the wire.
    public let binary: [UInt8]

    /// Parses the text form. One slash at the end is let pass.
    public init(_ text: String) throws(MultiaddrError) {
        let utf8 = Array(text.utf8.prefix(Self.maximumTextLength + 1))
        guard utf8.count <= Self.maximumTextLength else {
            throw .tooLong(length: text.utf8.count, limit: Self.maximumTextLength)
        }
        var reader = try MultiaddrTextReader(utf8)
        var binary: [UInt8] = []
        var count = 0
        while let component = try reader.next() {
            count += 1
            guard count <= Self.maximumComponents else { throw .tooManyComponents(limit: Self.maximumComponents) }
            component.encode(into: &binary)
        }
        guard binary.count <= Self.maximumBinaryLength else {
            throw .tooLong(length: binary.count, limit: Self.maximumBinaryLength)
        }
        self.binary = binary
    }

    /// Checks the binary form: every protocol is known, every value is one that its protocol can have.
    public init(binary: some Collection<UInt8>) throws(MultiaddrError) {
        let length = binary.count
        guard length <= Self.maximumBinaryLength else {
            throw .tooLong(length: length, limit: Self.maximumBinaryLength)
        }
        guard length > 0 else { throw .empty }
        let binary = [UInt8](binary)
        var reader = MultiaddrReader(binary[...])
        var count = 0
        var hasPath = false
        while let component = try reader.next() {
            guard !hasPath else { throw .behindPath(offset: component.offset) }
            count += 1
            guard count <= Self.maximumComponents else { throw .tooManyComponents(limit: Self.maximumComponents) }
            hasPath = component.kind.form == .path
        }
        self.binary = binary
    }

    /// Puts an address together, outermost component first.
    ///
    /// - Throws: ``MultiaddrError`` when there is none, there are more than ``maximumComponents``, a value isn't one that its
    ///   protocol can have, or something stands behind a path.
    public init(components: some Sequence<Component>) throws(MultiaddrError) {
        var binary: [UInt8] = []
        for component in components { component.raw.encode(into: &binary) }
        try self.init(binary: binary)
    }

    /// What is known to be the front of a valid address, at a component's end.
    private init(trusted binary: ArraySlice<UInt8>) {
        self.binary = [UInt8](binary)
    }

    /// The components, outermost first; at least one.
    public var components: [Component] { raw.compactMap(Component.init) }

    public var description: String {
        raw.reduce(into: "") { text, component in text += component.description }
    }

    public static func == (lhs: Multiaddr, rhs: Multiaddr) -> Bool {
        lhs.binary == rhs.binary
    }

    public func hash(into hasher: inout Hasher) {
        binary.withUnsafeBytes { hasher.combine(bytes: $0) }
    }

    /// The components as slices of the binary form. It was checked once: reading stops at its end, not at an error.
    var raw: some Sequence<RawComponent> {
        sequence(state: MultiaddrReader(trusted: binary[...])) { reader in (try? reader.next()) ?? nil }
    }
}

extension Multiaddr {
    /// The peer that the address leads to: the last component, when that is a peer id.
    public var peerID: PeerID? {
        guard let last, last.kind == .p2p else { return nil }
        return try? PeerID(multihash: last.value)
    }

    /// The address without the peer id at its end; nil when nothing else is in it.
    public var withoutPeerID: Multiaddr? {
        guard let last, last.kind == .p2p else { return self }
        return last.offset == 0 ? nil : Multiaddr(trusted: binary[..<last.offset])
    }

    /// Whether a relay is on the way (`/p2p-circuit`).
    public var isRelayed: Bool { contains(.p2pCircuit) }

    /// The relay's own address: what stands before the first `/p2p-circuit`; nil when nothing does or there is none.
    public var relayAddress: Multiaddr? {
        guard let circuit = raw.first(where: { $0.kind == .p2pCircuit }), circuit.offset > 0 else { return nil }
        return Multiaddr(trusted: binary[..<circuit.offset])
    }

    /// Whether any component is of protocol `kind`.
    public func contains(_ kind: AddressProtocol) -> Bool {
        raw.contains { $0.kind == kind }
    }

    /// The address with one more component at its end. Throws when that exceeds a bound, follows a path, or when the
    /// component's name, zone or path is none.
    public func appending(_ component: Component) throws(MultiaddrError) -> Multiaddr {
        var binary = binary
        component.raw.encode(into: &binary)
        return try Multiaddr(binary: binary)
    }

    /// The address with `/p2p/` and `peer` at its end. Throws as ``appending(_:)`` does.
    public func appending(peer: PeerID) throws(MultiaddrError) -> Multiaddr {
        try appending(.p2p(peer))
    }

    /// The address with all of `other` at its end. Throws when that exceeds a bound or follows a path.
    public func appending(contentsOf other: Multiaddr) throws(MultiaddrError) -> Multiaddr {
        try Multiaddr(binary: binary + other.binary)
    }

    private var last: RawComponent? {
        raw.reduce(nil) { _, component in component }
    }
}
