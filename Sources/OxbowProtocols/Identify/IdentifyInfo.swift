public import OxbowCore
public import OxbowCrypto
public import OxbowWire

/// What an authenticated peer told about itself, by identify or by a push, verified as far as that goes: its key is
/// the connection's, the certified addresses have its signature. All else is the peer's word.
public struct IdentifyInfo: Sendable, Hashable {
    /// The key that the connection was authenticated with.
    public let key: PublicKey
    /// Without repetitions, and without those that lead to another peer.
    public var listenAddresses: [Multiaddr] = []
    /// Without repetitions.
    public var protocols: [ProtocolID] = []
    /// Where the peer sees us come from. To be believed only when others say the same.
    public var observedAddress: Multiaddr?
    /// At most ``Identify/maximumVersionLength`` bytes of it.
    public var protocolVersion: String?
    /// At most ``Identify/maximumVersionLength`` bytes of it. It may hold anything: escape it before it is shown.
    public var agentVersion: String?
    /// The addresses that the peer vouches for with its signature, when it sent a record that is good.
    public var certified: CertifiedAddresses?
    /// Why there are no certified addresses although a record came. What is not signed is the peer's word either way,
    /// so a bad record takes away the certificate and nothing else.
    public var recordError: EnvelopeError?
    /// How many addresses were dropped: undecodable, or another peer's. The others are good all the same: peers
    /// announce kinds of addresses that aren't known here.
    public var droppedAddresses = 0
    /// How many protocol names were dropped because multistream-select couldn't carry them.
    public var droppedProtocols = 0

    /// Judges what ``IdentifyReader`` read.
    ///
    /// - Parameters:
    ///   - key: the key that the connection was authenticated with.
    ///   - memory: knows the signatures that have held; nil verifies each time.
    /// - Throws: ``IdentifyError/malformedKey`` or ``IdentifyError/wrongKey``. Without a key in the message, which
    ///   is legal, the connection's stands.
    public init(
        _ message: IdentifyMessage, authenticatedWith key: PublicKey,
        remembering memory: (any SignatureMemory)? = nil
    ) throws(IdentifyError) {
        if let claimed = message.publicKey { try Self.check(claimed, against: key) }
        self.key = key
        let peer = key.peerID
        (listenAddresses, droppedAddresses) = Self.addresses(message.listenAddresses, of: peer)
        (protocols, droppedProtocols) = distinct(message.protocols, ProtocolID.init)
        if let observed = message.observedAddress {
            observedAddress = try? Multiaddr(binary: observed)
            droppedAddresses += observedAddress == nil ? 1 : 0
        }
        protocolVersion = message.protocolVersion.map(Self.clipped)
        agentVersion = message.agentVersion.map(Self.clipped)
        if let record = message.signedPeerRecord {
            do {
                certified = try CertifiedAddresses(envelope: record, of: peer, remembering: memory)
            } catch {
                recordError = error
            }
        }
    }

    /// The peer, by its id.
    public var peer: PeerID { key.peerID }

    /// Under which name the peer supports stream migration; nil when it doesn't say so, and then nothing may be
    /// labelled (SM-L1).
    public var migrationDialect: MigrationDialect? {
        [MigrationDialect.draft, .proofOfConcept].first { protocols.contains($0.protocolID) }
    }

    /// Takes over what a push says; what it leaves out stays as it was.
    ///
    /// A certified record is replaced only by a later one.
    public mutating func apply(push: IdentifyInfo) {
        precondition(push.key == key, "a push tells about the peer that sent it")
        if !push.listenAddresses.isEmpty { listenAddresses = push.listenAddresses }
        if !push.protocols.isEmpty { protocols = push.protocols }
        observedAddress = push.observedAddress ?? observedAddress
        protocolVersion = push.protocolVersion ?? protocolVersion
        agentVersion = push.agentVersion ?? agentVersion
        if let later = push.certified, later.sequence > certified?.sequence ?? 0 || certified == nil {
            certified = later
        }
        recordError = push.recordError
        droppedAddresses = push.droppedAddresses
        droppedProtocols = push.droppedProtocols
    }

    /// Compares messages, not keys: no key of the peer's choice gets to our cryptography.
    private static func check(_ claimed: [UInt8], against key: PublicKey) throws(IdentifyError) {
        guard let message = try? PublicKeyMessage(decoding: claimed) else { throw .malformedKey }
        guard message.type == key.type.rawValue, message.data == key.data else { throw .wrongKey }
    }

    static func addresses(_ binaries: [[UInt8]], of peer: PeerID) -> (kept: [Multiaddr], dropped: Int) {
        distinct(binaries) { binary in
            guard let address = try? Multiaddr(binary: binary) else { return nil }
            let owner = address.peerID
            return owner == nil || owner == peer ? address : nil
        }
    }

    private static func clipped(_ text: String) -> String {
        guard text.utf8.count > Identify.maximumVersionLength else { return text }
        var clipped = String.UnicodeScalarView()
        var length = 0
        for scalar in text.unicodeScalars {
            length += UTF8.width(scalar)
            guard length <= Identify.maximumVersionLength else { break }
            clipped.append(scalar)
        }
        return String(clipped)
    }
}

/// What `transform` makes of the elements, once each and in their order, and how many it made nothing of.
private func distinct<Element, Value: Hashable>(
    _ elements: [Element], _ transform: (Element) -> Value?
) -> (kept: [Value], dropped: Int) {
    var seen: Set<Value> = []
    var kept: [Value] = []
    var dropped = 0
    for element in elements {
        guard let value = transform(element) else {
            dropped += 1
            continue
        }
        if seen.insert(value).inserted { kept.append(value) }
    }
    return (kept, dropped)
}
